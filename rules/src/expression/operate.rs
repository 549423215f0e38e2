//! Operators and functions at evaluation.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a value that no arm takes has no overload, whatever values there will be"
)]

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use super::evaluate::{Evaluation, Failure};
use super::node::{Function, Node, Operator};
use super::value::Value;

/// How two whole numbers of one type are put together; `None` beyond the type.
struct Whole {
    int: fn(i64, i64) -> Option<i64>,
    uint: fn(u64, u64) -> Option<u64>,
    double: fn(f64, f64) -> f64,
}

const fn whole(operator: Operator) -> Option<Whole> {
    Some(match operator {
        Operator::Add => Whole {
            int: i64::checked_add,
            uint: u64::checked_add,
            double: |one, other| one + other,
        },
        Operator::Subtract => Whole {
            int: i64::checked_sub,
            uint: u64::checked_sub,
            double: |one, other| one - other,
        },
        Operator::Multiply => Whole {
            int: i64::checked_mul,
            uint: u64::checked_mul,
            double: |one, other| one * other,
        },
        Operator::Divide => Whole {
            int: i64::checked_div,
            uint: u64::checked_div,
            double: |one, other| one / other,
        },
        Operator::Remainder => Whole {
            int: i64::checked_rem,
            uint: u64::checked_rem,
            double: |one, other| one % other,
        },
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::In
        | Operator::Index => return None,
    })
}

impl<'a> Evaluation<'a, '_> {
    pub(super) fn operate(
        &mut self,
        operator: Operator,
        one: Value<'a>,
        other: Value<'a>,
    ) -> Result<Value<'a>, Failure> {
        self.look_at(one.weight().max(other.weight()))?;
        let ordered = |fits: fn(Ordering) -> bool| Ok(Value::Bool(one.compare(&other)?.is_some_and(fits)));
        match operator {
            Operator::Equal => Ok(Value::Bool(one.equals(&other))),
            Operator::NotEqual => Ok(Value::Bool(!one.equals(&other))),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
            Operator::In => self.is_in(&one, &other),
            Operator::Index => index(&one, &other),
            Operator::Add if !one.is_number() => self.join(one, other),
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                arithmetic(operator, &one, &other)
            }
        }
    }

    fn is_in(&mut self, one: &Value<'a>, other: &Value<'a>) -> Result<Value<'a>, Failure> {
        if !other.is_list() {
            return match (one, other) {
                (Value::Text(key), Value::Pairs(_) | Value::Json(_)) => Ok(Value::Bool(other.member(key).is_some())),
                _ => Err(Failure::NoSuchOverload("`in`", other.name())),
            };
        }
        // Each comparison may look at all of the element.
        self.look_at(other.size()?.saturating_mul(one.weight().max(32)))?;
        let found = match other {
            Value::Levels(topic) => match one {
                Value::Text(text) => topic.split('/').any(|level| level == text),
                _ => false,
            },
            _ => other.elements()?.iter().any(|element| element.equals(one)),
        };
        Ok(Value::Bool(found))
    }

    /// `+` of texts, bytes and lists.
    fn join(&mut self, one: Value<'a>, other: Value<'a>) -> Result<Value<'a>, Failure> {
        let bytes_max = self.scope.limits().text_bytes_max;
        let bounded = |one: usize, other: usize| {
            if one.saturating_add(other) > bytes_max {
                Err(Failure::TextTooLong(bytes_max))
            } else {
                Ok(())
            }
        };
        match (one, other) {
            (Value::Text(one), Value::Text(other)) => {
                bounded(one.len(), other.len())?;
                Ok(Value::Text(one + other))
            }
            (Value::Bytes(one), Value::Bytes(other)) => {
                bounded(one.len(), other.len())?;
                let mut joined = one.into_owned();
                joined.extend_from_slice(&other);
                Ok(Value::Bytes(Cow::Owned(joined)))
            }
            (one, other) if one.is_list() && other.is_list() => {
                let mut joined = one.elements()?;
                joined.extend(other.elements()?);
                Ok(Value::List(Rc::new(joined)))
            }
            (one, _) => Err(Failure::NoSuchOverload("`+` of", one.name())),
        }
    }

    pub(super) fn call(&mut self, function: Function, arguments: &'a [Node]) -> Result<Value<'a>, Failure> {
        let first = match arguments.first() {
            Some(node) => self.evaluate(node)?,
            None => Self::nothing(),
        };
        self.look_at(first.weight())?;
        match function {
            Function::Size => Ok(Value::Int(i64::try_from(first.size()?).unwrap_or(i64::MAX))),
            Function::Contains | Function::StartsWith | Function::EndsWith => {
                let second = match arguments.get(1) {
                    Some(node) => self.evaluate(node)?,
                    None => Self::nothing(),
                };
                let (Value::Text(text), Value::Text(part)) = (&first, &second) else {
                    return Err(Failure::NoSuchOverload("searching", first.name()));
                };
                Ok(Value::Bool(match function {
                    Function::StartsWith => text.starts_with(part.as_ref()),
                    Function::EndsWith => text.ends_with(part.as_ref()),
                    _ => text.contains(part.as_ref()),
                }))
            }
            Function::LowerAscii | Function::UpperAscii => {
                let Value::Text(text) = first else {
                    return Err(Failure::NoSuchOverload("changing the case of", first.name()));
                };
                let lower = function == Function::LowerAscii;
                Ok(Value::Text(Cow::Owned(if lower {
                    text.to_ascii_lowercase()
                } else {
                    text.to_ascii_uppercase()
                })))
            }
            Function::ToText => to_text(first),
            Function::ToInt | Function::ToUint | Function::ToDouble => to_number(function, &first),
            Function::ToBytes => match first {
                Value::Text(Cow::Borrowed(text)) => Ok(Value::Bytes(Cow::Borrowed(text.as_bytes()))),
                Value::Text(Cow::Owned(text)) => Ok(Value::Bytes(Cow::Owned(text.into_bytes()))),
                Value::Bytes(bytes) => Ok(Value::Bytes(bytes)),
                other => Err(Failure::NoSuchOverload("bytes() of", other.name())),
            },
        }
    }
}

fn index<'a>(one: &Value<'a>, other: &Value<'a>) -> Result<Value<'a>, Failure> {
    let missing = |key: String| Failure::Missing(key.into());
    match other {
        Value::Text(key) => one.member(key).ok_or_else(|| missing(key.to_string())),
        Value::Int(place) if one.is_list() => usize::try_from(*place)
            .ok()
            .and_then(|place| one.element(place))
            .ok_or_else(|| missing(format!("[{place}]"))),
        other => Err(Failure::NoSuchOverload("[] with", other.name())),
    }
}

fn arithmetic<'a>(operator: Operator, one: &Value<'a>, other: &Value<'a>) -> Result<Value<'a>, Failure> {
    let Some(whole) = whole(operator) else {
        return Err(Failure::NoSuchOverload("calculating with", one.name()));
    };
    let divides = matches!(operator, Operator::Divide | Operator::Remainder);
    match (one, other) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) if divides => Err(Failure::DivisionByZero),
        (Value::Int(one), Value::Int(other)) => (whole.int)(*one, *other).map(Value::Int).ok_or(Failure::Overflow),
        (Value::Uint(one), Value::Uint(other)) => (whole.uint)(*one, *other).map(Value::Uint).ok_or(Failure::Overflow),
        // A whole number beside a fraction becomes one, and of the two whole types the one with a sign stands.
        (Value::Int(_) | Value::Uint(_), Value::Int(_) | Value::Uint(_)) => {
            let (one, other) = (as_int(one)?, as_int(other)?);
            arithmetic(operator, &Value::Int(one), &Value::Int(other))
        }
        (one, other) => match (one.as_double(), other.as_double()) {
            (Some(one), Some(other)) => Ok(Value::Double((whole.double)(one, other))),
            (None, _) => Err(Failure::NoSuchOverload("calculating with", one.name())),
            (_, None) => Err(Failure::NoSuchOverload("calculating with", other.name())),
        },
    }
}

fn as_int(value: &Value<'_>) -> Result<i64, Failure> {
    match value {
        Value::Int(int) => Ok(*int),
        Value::Uint(uint) => i64::try_from(*uint).map_err(|_| Failure::Overflow),
        other => Err(Failure::NoSuchOverload("a whole number of", other.name())),
    }
}

fn to_text(value: Value<'_>) -> Result<Value<'_>, Failure> {
    Ok(Value::Text(match value {
        Value::Text(text) => text,
        Value::Bytes(Cow::Borrowed(bytes)) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| Failure::NotText)?),
        Value::Bytes(Cow::Owned(bytes)) => Cow::Owned(String::from_utf8(bytes).map_err(|_| Failure::NotText)?),
        Value::Bool(bool) => Cow::Borrowed(if bool { "true" } else { "false" }),
        Value::Int(int) => Cow::Owned(int.to_string()),
        Value::Uint(uint) => Cow::Owned(uint.to_string()),
        Value::Double(double) => Cow::Owned(double.to_string()),
        other => return Err(Failure::NoSuchOverload("string() of", other.name())),
    }))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and a fraction is cut off as CEL has it"
)]
fn to_number<'a>(function: Function, value: &Value<'a>) -> Result<Value<'a>, Failure> {
    const RANGE: std::ops::Range<f64> = -9.2e18..9.2e18;
    if let Value::Text(text) = value {
        let parsed = match function {
            Function::ToDouble => text.parse().ok().map(Value::Double),
            Function::ToUint => text.parse().ok().map(Value::Uint),
            _ => text.parse().ok().map(Value::Int),
        };
        return parsed.ok_or(Failure::NotANumber);
    }
    let int = |value: &Value<'a>| match value {
        Value::Double(double) if RANGE.contains(double) => Ok(*double as i64),
        Value::Double(_) => Err(Failure::Overflow),
        other => as_int(other),
    };
    match (function, value) {
        (Function::ToDouble, value) => {
            let double = value.as_double();
            double
                .map(Value::Double)
                .ok_or(Failure::NoSuchOverload("double() of", value.name()))
        }
        (Function::ToUint, Value::Uint(uint)) => Ok(Value::Uint(*uint)),
        (Function::ToUint, value) => u64::try_from(int(value)?)
            .map(Value::Uint)
            .map_err(|_| Failure::Overflow),
        (_, value) => int(value).map(Value::Int),
    }
}
