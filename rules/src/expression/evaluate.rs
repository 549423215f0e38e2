//! Evaluation: a walk through a checked expression that counts its steps.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a value that no arm takes has no overload, whatever values there will be"
)]

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use super::node::{Fold, Node, Operator, empty};
use super::value::Value;
use super::variable::Variable;
use crate::rates::Rates;
use crate::{Event, Limits};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It is beyond [`Limits::steps_max`].
    #[error("it takes more than {0} steps")]
    Steps(u32),
    /// What it puts together is beyond [`Limits::text_bytes_max`].
    #[error("it makes a text of more than {0} bytes")]
    TextTooLong(usize),
    /// The payload is beyond [`Limits::json_bytes_max`].
    #[error("the payload has {0} bytes, too many to be read as JSON")]
    JsonTooLarge(usize),
    /// The payload is no JSON, or deeper than 128.
    #[error("the payload is not JSON")]
    NotJson,
    /// Bytes that are not UTF-8.
    #[error("the bytes are not UTF-8 text")]
    NotText,
    /// A member or element that is not there.
    #[error("there is no `{0}`; ask with has() or size() first")]
    Missing(Box<str>),
    /// An operation that a value does not know.
    #[error("{0} {1}")]
    NoSuchOverload(&'static str, &'static str),
    /// A result that does not fit into its number.
    #[error("the number is too large or too small")]
    Overflow,
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A text that is no number.
    #[error("the text is not a number")]
    NotANumber,
    /// A topic that nobody can publish to.
    #[error("`{0}` is not a topic that can be published to")]
    NotATopic(Box<str>),
    /// A number that is no QoS.
    #[error("there is no QoS {0}")]
    NotAQos(i64),
}

/// An event, and what was found out about it so far.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    event: &'a Event<'a>,
    limits: &'a Limits,
    /// Parsed when the first rule reads it.
    json: OnceCell<serde_json::Value>,
}

impl<'a> Scope<'a> {
    pub(crate) const fn new(event: &'a Event<'a>, limits: &'a Limits) -> Self {
        Self {
            event,
            limits,
            json: OnceCell::new(),
        }
    }

    pub(crate) const fn event(&self) -> &'a Event<'a> {
        self.event
    }

    pub(crate) const fn limits(&self) -> &'a Limits {
        self.limits
    }

    fn json(&self) -> Result<&serde_json::Value, Failure> {
        if let Some(json) = self.json.get() {
            return Ok(json);
        }
        let payload = self.event.payload;
        if payload.len() > self.limits.json_bytes_max {
            return Err(Failure::JsonTooLarge(payload.len()));
        }
        let json = serde_json::from_slice(payload).map_err(|_| Failure::NotJson)?;
        Ok(self.json.get_or_init(|| json))
    }
}

/// One evaluation under way.
#[derive(Debug)]
pub(crate) struct Evaluation<'a, 'r> {
    pub(super) scope: &'a Scope<'a>,
    rates: &'r mut Rates,
    steps_left: u32,
    /// What has no value is an error only where it is looked at.
    locals: Vec<Result<Value<'a>, Failure>>,
}

impl<'a, 'r> Evaluation<'a, 'r> {
    pub(crate) const fn new(scope: &'a Scope<'a>, rates: &'r mut Rates) -> Self {
        Self {
            scope,
            rates,
            steps_left: scope.limits.steps_max,
            locals: Vec::new(),
        }
    }

    /// The value of `node`.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(crate) fn evaluate(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        if !matches!(
            node,
            Node::Not(_) | Node::And(_) | Node::Or(_) | Node::Present(_) | Node::Within(_)
        ) {
            self.step()?;
        }
        match node {
            Node::Literal(literal) => Ok(literal.value()),
            Node::Variable(variable) => Ok(variable.value(self.scope.event)),
            Node::Local(place) => self.local(*place),
            Node::List(nodes) => {
                let values: Result<Vec<_>, _> = nodes.iter().map(|node| self.evaluate(node)).collect();
                Ok(Value::List(Rc::new(values?)))
            }
            Node::Json => {
                self.look_at(self.scope.event.payload.len())?;
                self.scope.json().map(Value::of_json)
            }
            Node::Select(map, key) => self
                .evaluate(map)?
                .member(key)
                .ok_or_else(|| Failure::Missing(key.clone())),
            Node::Has(map, key) => Ok(Value::Bool(self.evaluate(map)?.member(key).is_some())),
            Node::NotFalse(operand) => self.not_false(operand),
            Node::Negate(operand) => match self.evaluate(operand)? {
                Value::Int(int) => int.checked_neg().map(Value::Int).ok_or(Failure::Overflow),
                Value::Double(double) => Ok(Value::Double(-double)),
                other => Err(Failure::NoSuchOverload("`-` before", other.name())),
            },
            Node::Choose(parts) => {
                let [condition, one, other] = parts.as_ref();
                let chosen = if self.truth(condition)? { one } else { other };
                self.evaluate(chosen)
            }
            Node::Operate(operator, operands) => {
                let [one, other] = operands.as_ref();
                let (one, other) = (self.evaluate(one)?, self.evaluate(other)?);
                self.operate(*operator, one, other)
            }
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Matches(text, regex) => {
                let value = self.evaluate(text)?;
                // An engine that is linear in the text reads each byte a few times.
                self.look_at(value.weight().saturating_mul(8))?;
                match value {
                    Value::Text(text) => Ok(Value::Bool(regex.is_match(&text))),
                    other => Err(Failure::NoSuchOverload("`matches` of", other.name())),
                }
            }
            Node::Rate(number) => {
                let event = self.scope.event;
                Ok(Value::Bool(self.rates.take(*number, event.client_id, event.now_ms)))
            }
            Node::Fold(fold) => self.fold(fold),
            Node::Not(_) | Node::And(_) | Node::Or(_) | Node::Present(_) | Node::Within(_) => {
                self.truth(node).map(Value::Bool)
            }
        }
    }

    /// The value of `node` as a truth.
    ///
    /// # Errors
    ///
    /// Why it has none, or is none.
    pub(crate) fn truth(&mut self, node: &'a Node) -> Result<bool, Failure> {
        let event = self.scope.event;
        match node {
            Node::Not(operand) => {
                self.step()?;
                Ok(!self.truth(operand)?)
            }
            Node::And(both) => self.decided(both, false),
            Node::Or(both) => self.decided(both, true),
            Node::Present(variable) => {
                self.step()?;
                Ok(variable.is_present(event))
            }
            Node::Within(cidr) => {
                self.step()?;
                Ok(event.address.is_some_and(|address| cidr.contains(address)))
            }
            Node::Operate(operator, operands) => match self.compared(*operator, operands)? {
                Some(truth) => Ok(truth),
                None => self.evaluate(node).and_then(as_truth),
            },
            _ => self.evaluate(node).and_then(as_truth),
        }
    }

    /// What most conditions are: a whole number, or a text, that is there beside another, compared without making values
    /// of them. `None` if it is not that.
    fn compared(&mut self, operator: Operator, operands: &'a [Node; 2]) -> Result<Option<bool>, Failure> {
        let [one, other] = operands;
        let event = self.scope.event;
        let ordering = if let (Some(one), Some(other)) = (one.plain_number(event), other.plain_number(event)) {
            one.cmp(&other)
        } else if let (Some(one), Some(other)) = (one.plain_text(event), other.plain_text(event)) {
            self.look_at(one.len().max(other.len()))?;
            one.cmp(other)
        } else {
            return Ok(None);
        };
        let truth = match operator {
            Operator::Equal => ordering.is_eq(),
            Operator::NotEqual => ordering.is_ne(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder
            | Operator::In
            | Operator::Index => return Ok(None),
        };
        self.step()?;
        Ok(Some(truth))
    }

    /// Whether `operand` is anything but false.
    fn not_false(&mut self, operand: &'a Node) -> Result<Value<'a>, Failure> {
        match self.evaluate(operand) {
            Ok(Value::Bool(bool)) => Ok(Value::Bool(bool)),
            Err(failure @ Failure::Steps(_)) => Err(failure),
            Ok(_) | Err(_) => Ok(Value::Bool(true)),
        }
    }

    /// `&&` (decided by false) and `||` (decided by true): one operand that decides is enough, though the other has no
    /// value.
    fn decided(&mut self, both: &'a [Node; 2], by: bool) -> Result<bool, Failure> {
        self.step()?;
        let [one, other] = both;
        let first = self.truth(one);
        if first == Ok(by) {
            return Ok(by);
        }
        let second = self.truth(other)?;
        if second == by { Ok(by) } else { first }
    }

    fn fold(&mut self, fold: &'a Fold) -> Result<Value<'a>, Failure> {
        let range = self.evaluate(&fold.range)?;
        self.look_at(range.weight())?;
        let elements = range.elements()?;
        let initial = self.evaluate(&fold.initial)?;
        let base = self.locals.len();
        self.locals.push(Ok(Value::Null));
        self.locals.push(Ok(initial));
        let result = self.go_through(fold, elements, base);
        self.locals.truncate(base);
        result
    }

    fn go_through(&mut self, fold: &'a Fold, elements: Vec<Value<'a>>, base: usize) -> Result<Value<'a>, Failure> {
        for element in elements {
            if let Some(place) = self.locals.get_mut(base) {
                *place = Ok(element);
            }
            if !self.truth(&fold.condition)? {
                break;
            }
            let next = self.evaluate(&fold.step);
            if let Err(Failure::Steps(steps)) = next {
                return Err(Failure::Steps(steps));
            }
            if let Some(place) = self.locals.get_mut(base + 1) {
                *place = next;
            }
        }
        self.evaluate(&fold.result)
    }

    fn local(&mut self, place: usize) -> Result<Value<'a>, Failure> {
        let value = self.locals.get(place).cloned().unwrap_or(Ok(Value::Null))?;
        if let Value::Text(Cow::Owned(_)) | Value::Bytes(Cow::Owned(_)) = &value {
            self.look_at(value.weight())?;
        }
        Ok(value)
    }

    fn step(&mut self) -> Result<(), Failure> {
        match self.steps_left.checked_sub(1) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(Failure::Steps(self.scope.limits.steps_max)),
        }
    }

    /// Counts the steps for bytes that are looked at.
    pub(super) fn look_at(&mut self, bytes: usize) -> Result<(), Failure> {
        let steps = u32::try_from(bytes / 256).unwrap_or(u32::MAX);
        match self.steps_left.checked_sub(steps) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => {
                self.steps_left = 0;
                Err(Failure::Steps(self.scope.limits.steps_max))
            }
        }
    }

    /// Whether the expression is the payload as it came, which need not be looked at.
    pub(crate) const fn is_payload(node: &Node) -> bool {
        matches!(node, Node::Variable(Variable::Payload))
    }

    /// An empty list, for lists that are put together.
    pub(super) fn nothing() -> Value<'a> {
        empty()
    }
}

fn as_truth(value: Value<'_>) -> Result<bool, Failure> {
    match value {
        Value::Bool(bool) => Ok(bool),
        other => Err(Failure::NoSuchOverload("a condition that is", other.name())),
    }
}
