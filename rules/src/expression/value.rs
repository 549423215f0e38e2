//! Values while an expression is evaluated: borrowed from the packet wherever they can be.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use bytestring::ByteString;
use serde_json::Value as Json;

use super::evaluate::Failure;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Rc<Vec<Self>>),
    /// A topic as the list of its levels, cut when it is looked at.
    Levels(&'a str),
    Groups(&'a [Box<str>]),
    /// User properties.
    Pairs(&'a [(ByteString, ByteString)]),
    /// An array or object of JSON; what is simpler is one of the values above.
    Json(&'a Json),
}

impl<'a> Value<'a> {
    /// A value of JSON. A number without a fraction is whole.
    pub(crate) fn of_json(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Self::Int(int),
                (None, Some(uint)) => Self::Uint(uint),
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(_) | Json::Object(_) => Self::Json(json),
        }
    }

    /// What it is, for people.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Uint(_) => "a uint",
            Self::Double(_) => "a double",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Levels(_) | Self::Groups(_) | Self::Json(Json::Array(_)) => "a list",
            Self::Pairs(_) | Self::Json(_) => "a map",
        }
    }

    /// Characters of a text, bytes of bytes, elements of a list, entries of a map.
    pub(crate) fn size(&self) -> Result<usize, Failure> {
        Ok(match self {
            Self::Text(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => list.len(),
            Self::Levels(topic) => topic.split('/').count(),
            Self::Groups(groups) => groups.len(),
            Self::Pairs(pairs) => pairs.len(),
            Self::Json(Json::Array(list)) => list.len(),
            Self::Json(Json::Object(map)) => map.len(),
            Self::Json(_) | Self::Null | Self::Bool(_) | Self::Int(_) | Self::Uint(_) | Self::Double(_) => {
                return Err(Failure::NoSuchOverload("size", self.name()));
            }
        })
    }

    /// The element at a place of a list.
    pub(crate) fn element(&self, place: usize) -> Option<Self> {
        match self {
            Self::List(list) => list.get(place).cloned(),
            Self::Levels(topic) => topic
                .split('/')
                .nth(place)
                .map(|level| Self::Text(Cow::Borrowed(level))),
            Self::Groups(groups) => groups.get(place).map(|group| Self::Text(Cow::Borrowed(group))),
            Self::Json(Json::Array(list)) => list.get(place).map(Self::of_json),
            Self::Json(_)
            | Self::Pairs(_)
            | Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Uint(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_) => None,
        }
    }

    /// What a map has under `key`; `None` for what is no map as well.
    pub(crate) fn member(&self, key: &str) -> Option<Self> {
        match self {
            Self::Json(Json::Object(map)) => map.get(key).map(Self::of_json),
            Self::Pairs(pairs) => {
                let found = pairs.iter().find(|(name, _)| name == key);
                found.map(|(_, value)| Self::Text(Cow::Borrowed(value)))
            }
            Self::Json(_)
            | Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Uint(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::List(_)
            | Self::Levels(_)
            | Self::Groups(_) => None,
        }
    }

    pub(crate) const fn is_list(&self) -> bool {
        matches!(
            self,
            Self::List(_) | Self::Levels(_) | Self::Groups(_) | Self::Json(Json::Array(_))
        )
    }

    /// What a macro goes through: the elements of a list, the keys of a map.
    pub(crate) fn elements(&self) -> Result<Vec<Self>, Failure> {
        let texts = |text: &'a str| Self::Text(Cow::Borrowed(text));
        Ok(match self {
            Self::List(list) => list.to_vec(),
            Self::Levels(topic) => topic.split('/').map(texts).collect(),
            Self::Groups(groups) => groups.iter().map(|group| texts(group)).collect(),
            Self::Pairs(pairs) => pairs.iter().map(|(name, _)| texts(name)).collect(),
            Self::Json(Json::Array(list)) => list.iter().map(Self::of_json).collect(),
            Self::Json(Json::Object(map)) => map.keys().map(|key| texts(key)).collect(),
            Self::Json(_)
            | Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Uint(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_) => return Err(Failure::NoSuchOverload("going through the elements of", self.name())),
        })
    }

    /// Bytes that a comparison or search may have to look at.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Levels(topic) => topic.len(),
            // A list is compared element by element, each of which is looked up.
            Self::List(list) => list.len() * 256,
            Self::Groups(groups) => groups.len() * 64,
            Self::Pairs(pairs) => pairs.len() * 64,
            Self::Json(Json::Array(list)) => list.len() * 256,
            Self::Json(Json::Object(map)) => map.len() * 256,
            Self::Json(_) | Self::Null | Self::Bool(_) | Self::Int(_) | Self::Uint(_) | Self::Double(_) => 0,
        }
    }

    /// Whether two values are the same. Numbers are compared by value, whatever their types; values of other types that
    /// differ are not the same.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::Json(one), Self::Json(other)) => one == other,
            (Self::Pairs(one), Self::Pairs(other)) => one == other,
            (one, other) if one.is_list() && other.is_list() => match (one.elements(), other.elements()) {
                (Ok(ones), Ok(others)) => {
                    ones.len() == others.len() && ones.iter().zip(&others).all(|(one, other)| one.equals(other))
                }
                (Err(_), _) | (_, Err(_)) => false,
            },
            (one, other) => one.compared_as_number(other) == Some(Ordering::Equal),
        }
    }

    /// The order of two values of one kind.
    pub(crate) fn compare(&self, other: &Self) -> Result<Option<Ordering>, Failure> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Ok(Some(one.cmp(other))),
            (Self::Text(one), Self::Text(other)) => Ok(Some(one.cmp(other))),
            (Self::Bytes(one), Self::Bytes(other)) => Ok(Some(one.cmp(other))),
            (one, other) if one.is_number() && other.is_number() => Ok(one.compared_as_number(other)),
            (one, other) if one.is_number() => Err(Failure::NoSuchOverload("comparing a number with", other.name())),
            (one, _) => Err(Failure::NoSuchOverload("ordering", one.name())),
        }
    }

    pub(crate) const fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Uint(_) | Self::Double(_))
    }

    /// The number as a fraction, perhaps rounded.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a whole number beside a fraction is rounded to one"
    )]
    pub(crate) const fn as_double(&self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(*int as f64),
            Self::Uint(uint) => Some(*uint as f64),
            Self::Double(double) => Some(*double),
            Self::Null
            | Self::Bool(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::List(_)
            | Self::Levels(_)
            | Self::Groups(_)
            | Self::Pairs(_)
            | Self::Json(_) => None,
        }
    }

    fn compared_as_number(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => Some(one.cmp(other)),
            (Self::Uint(one), Self::Uint(other)) => Some(one.cmp(other)),
            (Self::Int(one), Self::Uint(other)) => Some(i128::from(*one).cmp(&i128::from(*other))),
            (Self::Uint(one), Self::Int(other)) => Some(i128::from(*one).cmp(&i128::from(*other))),
            (one, other) => one.as_double()?.partial_cmp(&other.as_double()?),
        }
    }
}
