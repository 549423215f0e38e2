//! A checked expression.

use std::borrow::Cow;
use std::rc::Rc;

use regex::Regex;

use super::cidr::Cidr;
use super::value::Value;
use super::variable::Variable;
use crate::Event;

/// One node of a checked expression.
#[derive(Debug)]
pub(crate) enum Node {
    Literal(Literal),
    Variable(Variable),
    /// A variable of a macro, by its place on the stack.
    Local(usize),
    List(Vec<Self>),
    /// The payload as JSON.
    Json,
    /// `has` of a property.
    Present(Variable),
    /// `map.key`.
    Select(Box<Self>, Box<str>),
    /// `has(map.key)`.
    Has(Box<Self>, Box<str>),
    Not(Box<Self>),
    Negate(Box<Self>),
    And(Box<[Self; 2]>),
    Or(Box<[Self; 2]>),
    Choose(Box<[Self; 3]>),
    Operate(Operator, Box<[Self; 2]>),
    Call(Function, Vec<Self>),
    /// The pattern is compiled with the rule.
    Matches(Box<Self>, Regex),
    /// Whether the client's address belongs to a network.
    Within(Cidr),
    /// Takes a token of this rate.
    Rate(u16),
    Fold(Box<Fold>),
    /// Whether it is not false: an error in an element does not stop a macro.
    NotFalse(Box<Self>),
}

impl Node {
    /// A whole number that is written here or comes with the event; `None` if it has to be worked out.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others have to be worked out")]
    pub(crate) fn plain_number(&self, event: &Event<'_>) -> Option<i64> {
        match self {
            Self::Literal(Literal::Int(int)) => Some(*int),
            Self::Variable(variable) => variable.plain_number(event),
            Self::Call(Function::Size, arguments) => match arguments.as_slice() {
                [Self::Variable(Variable::Payload)] => i64::try_from(event.payload.len()).ok(),
                _ => None,
            },
            _ => None,
        }
    }

    /// As [`Node::plain_number`], of a text.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others have to be worked out")]
    pub(crate) fn plain_text<'a>(&'a self, event: &Event<'a>) -> Option<&'a str> {
        match self {
            Self::Literal(Literal::Text(text)) => Some(text),
            Self::Variable(variable) => variable.plain_text(event),
            _ => None,
        }
    }
}

/// A macro: goes through a range, element by element, with an accumulator.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) range: Node,
    pub(crate) initial: Node,
    /// Goes on while this is true.
    pub(crate) condition: Node,
    pub(crate) step: Node,
    pub(crate) result: Node,
}

/// A constant.
#[derive(Debug)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

impl Literal {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Int(int) => Value::Int(*int),
            Self::Uint(uint) => Value::Uint(*uint),
            Self::Double(double) => Value::Double(*double),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        }
    }
}

/// An operator of two operands that are both evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Index,
}

/// A function; the receiver is its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    ToText,
    ToInt,
    ToUint,
    ToDouble,
    ToBytes,
}

/// An empty list.
pub(crate) fn empty<'a>() -> Value<'a> {
    Value::List(Rc::new(Vec::new()))
}
