//! Operators and functions, with the types that they take.

use cel::common::ast::{CallExpr, IdedExpr, operators};
use regex::RegexBuilder;

use super::cidr::Cidr;
use super::compile::{Checked, Compiler, Mistake, did_you_mean};
use super::kind::Type;
use super::node::{Function, Literal, Node, Operator};
use super::variable::Variable;
use crate::rates::Rate;
use crate::source::one_line;

/// Bytes that the program of a pattern may take; larger ones, such as nested repetitions, are refused.
const PATTERN_BYTES_MAX: usize = 64 << 10;
/// Bytes that the search for a pattern may remember.
const PATTERN_CACHE_BYTES_MAX: usize = 256 << 10;
/// Groups inside groups of a pattern.
const PATTERN_DEPTH_MAX: u32 = 32;
/// Rates of a book.
const RATES_MAX: usize = 1000;

/// What stands on the left of a dot, if anything, and in the brackets.
const FUNCTIONS: [(&str, Function); 11] = [
    ("size", Function::Size),
    ("contains", Function::Contains),
    ("startsWith", Function::StartsWith),
    ("endsWith", Function::EndsWith),
    ("lowerAscii", Function::LowerAscii),
    ("upperAscii", Function::UpperAscii),
    ("string", Function::ToText),
    ("int", Function::ToInt),
    ("uint", Function::ToUint),
    ("double", Function::ToDouble),
    ("bytes", Function::ToBytes),
];

/// Functions that are nodes of their own.
const OTHERS: [&str; 5] = ["matches", "within", "rate", "text", "json"];

const OPERATORS: [(&str, Operator, &str); 13] = [
    (operators::ADD, Operator::Add, "+"),
    (operators::SUBSTRACT, Operator::Subtract, "-"),
    (operators::MULTIPLY, Operator::Multiply, "*"),
    (operators::DIVIDE, Operator::Divide, "/"),
    (operators::MODULO, Operator::Remainder, "%"),
    (operators::EQUALS, Operator::Equal, "=="),
    (operators::NOT_EQUALS, Operator::NotEqual, "!="),
    (operators::LESS, Operator::Less, "<"),
    (operators::LESS_EQUALS, Operator::LessOrEqual, "<="),
    (operators::GREATER, Operator::Greater, ">"),
    (operators::GREATER_EQUALS, Operator::GreaterOrEqual, ">="),
    (operators::IN, Operator::In, "in"),
    (operators::INDEX, Operator::Index, "[]"),
];

impl<'p> Compiler<'p, '_> {
    pub(super) fn call(&mut self, at: &'p IdedExpr, call: &'p CallExpr) -> Checked {
        let arguments: Vec<&'p IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        match (call.func_name.as_str(), arguments.as_slice()) {
            (operators::LOGICAL_NOT, [operand]) => {
                Ok((Node::Not(Box::new(self.of_type(operand, &Type::Bool)?)), Type::Bool))
            }
            (operators::NOT_STRICTLY_FALSE, [operand]) => {
                let (node, _) = self.expression(operand)?;
                Ok((Node::NotFalse(Box::new(node)), Type::Bool))
            }
            (operators::NEGATE, [operand]) => {
                let (node, kind) = self.expression(operand)?;
                if kind.is_number() && kind != Type::Uint {
                    return Ok((Node::Negate(Box::new(node)), kind));
                }
                Err(self.mistake(operand, format!("`-` before {kind}"), "it takes an int or a double"))
            }
            (operators::LOGICAL_AND, [one, other]) => {
                let both = [self.of_type(one, &Type::Bool)?, self.of_type(other, &Type::Bool)?];
                Ok((Node::And(Box::new(both)), Type::Bool))
            }
            (operators::LOGICAL_OR, [one, other]) => {
                let both = [self.of_type(one, &Type::Bool)?, self.of_type(other, &Type::Bool)?];
                Ok((Node::Or(Box::new(both)), Type::Bool))
            }
            (operators::CONDITIONAL, [condition, one, other]) => {
                let condition = self.of_type(condition, &Type::Bool)?;
                let (one, kind) = self.expression(one)?;
                let (other, other_kind) = self.expression(other)?;
                Ok((Node::Choose(Box::new([condition, one, other])), kind.join(other_kind)))
            }
            (name, [one, other]) if OPERATORS.iter().any(|(known, ..)| *known == name) => {
                self.operator(at, name, [one, other])
            }
            (name, arguments) => self.function(at, name, arguments),
        }
    }

    fn of_type(&mut self, at: &'p IdedExpr, wanted: &Type) -> Result<Node, Mistake> {
        let (node, kind) = self.expression(at)?;
        if kind.may_be(wanted) {
            return Ok(node);
        }
        Err(self.mistake(at, format!("this is {kind}"), format!("write what gives {wanted} here")))
    }

    fn operator(&mut self, at: &'p IdedExpr, name: &str, operands: [&'p IdedExpr; 2]) -> Checked {
        let [one, other] = operands;
        let (left, one) = self.expression(one)?;
        let (right, other) = self.expression(other)?;
        let Some((_, operator, sign)) = OPERATORS.iter().find(|(known, ..)| *known == name) else {
            return Err(self.mistake(at, format!("`{name}` is not known"), "use another operator"));
        };
        match result(*operator, &one, &other) {
            Some(kind) => Ok((Node::Operate(*operator, Box::new([left, right])), kind)),
            None => {
                let what = format!("`{sign}` between {one} and {other}");
                Err(self.mistake(
                    at,
                    what,
                    "convert one of them: int(), double(), string(), payload.text()",
                ))
            }
        }
    }

    fn function(&mut self, at: &'p IdedExpr, name: &str, arguments: &[&'p IdedExpr]) -> Checked {
        match (name, arguments) {
            ("matches", [text, pattern]) => self.matches(text, pattern),
            ("within", [address, network]) => self.within(address, network),
            ("rate", [name, count, secs]) => self.rate(at, [name, count, secs]),
            ("json", [payload]) => match self.expression(payload)? {
                (Node::Variable(Variable::Payload), _) => Ok((Node::Json, Type::Dyn)),
                _ => Err(self.mistake(at, "`json()` of something else", "only `payload.json()` is known")),
            },
            ("text", [bytes]) => {
                let node = self.of_type(bytes, &Type::Bytes)?;
                Ok((Node::Call(Function::ToText, vec![node]), Type::Text))
            }
            _ => self.plain(at, name, arguments),
        }
    }

    fn plain(&mut self, at: &'p IdedExpr, name: &str, arguments: &[&'p IdedExpr]) -> Checked {
        let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            let names = FUNCTIONS.iter().map(|(name, _)| *name).chain(OTHERS);
            let what = if OTHERS.contains(&name) {
                format!("`{name}` has {} arguments", arguments.len())
            } else {
                format!("the function `{name}` is not known")
            };
            return Err(self.mistake(at, what, did_you_mean(name, names)));
        };
        let mut nodes = Vec::with_capacity(arguments.len());
        let mut kinds = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let (node, kind) = self.expression(argument)?;
            nodes.push(node);
            kinds.push(kind);
        }
        let accepts = |takes: &[Type], kind: &Type| takes.iter().any(|type_| type_.may_be(kind));
        let (takes, gives) = signature(*function);
        let fits = kinds.len() == takes.len() && takes.iter().zip(&kinds).all(|(takes, kind)| accepts(takes, kind));
        if fits {
            return Ok((Node::Call(*function, nodes), gives));
        }
        let given: Vec<_> = kinds.iter().map(Type::to_string).collect();
        let either = |takes: &Vec<Type>| takes.iter().map(Type::to_string).collect::<Vec<_>>().join(" or ");
        let wanted: Vec<_> = takes.iter().map(either).collect();
        let what = format!(
            "`{name}` of {}",
            if given.is_empty() {
                "nothing".to_owned()
            } else {
                given.join(" and ")
            }
        );
        Err(self.mistake(at, what, format!("it takes {}", wanted.join(" and "))))
    }

    fn matches(&mut self, text: &'p IdedExpr, pattern: &'p IdedExpr) -> Checked {
        let node = self.of_type(text, &Type::Text)?;
        let (Node::Literal(Literal::Text(written)), _) = self.expression(pattern)? else {
            return Err(self.mistake(
                pattern,
                "a pattern that is not a constant",
                "write it as a text in quotes",
            ));
        };
        let regex = RegexBuilder::new(&written)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
            .nest_limit(PATTERN_DEPTH_MAX)
            .build();
        match regex {
            Ok(regex) => Ok((Node::Matches(Box::new(node), regex), Type::Bool)),
            Err(regex::Error::CompiledTooBig(_)) => {
                let what = format!("the pattern needs more than {PATTERN_BYTES_MAX} bytes when it is compiled");
                Err(self.mistake(pattern, what, "use fewer and smaller repetitions such as {100}"))
            }
            Err(error) => {
                let text = one_line(&error.to_string());
                let why = text.rsplit("error: ").next().unwrap_or_default();
                Err(self.mistake(pattern, format!("the pattern is wrong: {why}"), "correct it"))
            }
        }
    }

    fn within(&mut self, address: &'p IdedExpr, network: &'p IdedExpr) -> Checked {
        let (Node::Variable(Variable::Address), _) = self.expression(address)? else {
            return Err(self.mistake(
                address,
                "`within` of something else",
                "only `address.within(...)` is known",
            ));
        };
        let cidr = match self.expression(network)? {
            (Node::Literal(Literal::Text(text)), _) => Cidr::parse(&text),
            _ => None,
        };
        match cidr {
            Some(cidr) => Ok((Node::Within(cidr), Type::Bool)),
            None => Err(self.mistake(network, "this is no network", "write one as '10.0.0.0/8' or 'fd00::/8'")),
        }
    }

    fn rate(&mut self, at: &'p IdedExpr, arguments: [&'p IdedExpr; 3]) -> Checked {
        let mut nodes = Vec::new();
        for argument in arguments {
            nodes.push(self.expression(argument)?.0);
        }
        let (name, count, per_secs) = match nodes.as_slice() {
            [
                Node::Literal(Literal::Text(name)),
                Node::Literal(Literal::Int(count)),
                Node::Literal(Literal::Int(secs)),
            ] => (name.clone(), u32::try_from(*count), u32::try_from(*secs)),
            _ => {
                let remedy = "write constants: rate('uploads', 10, 1) for ten in a second";
                return Err(self.mistake(at, "a rate that is not constant", remedy));
            }
        };
        let (Ok(count @ 1..=1_000_000), Ok(per_secs @ 1..=86_400)) = (count, per_secs) else {
            let remedy = "let it count 1 to 1000000 in 1 to 86400 seconds";
            return Err(self.mistake(at, "a rate out of range", remedy));
        };
        let rate = Rate { name, count, per_secs };
        let rates = &mut *self.around.rates;
        let place = match rates.iter().position(|known| known.name == rate.name) {
            Some(place) if rates.get(place) == Some(&rate) => place,
            Some(_) => {
                let what = format!("the rate '{}' has other numbers elsewhere", rate.name);
                return Err(self.mistake(at, what, "write the same numbers, or another name for another rate"));
            }
            None if rates.len() >= RATES_MAX => {
                return Err(self.mistake(at, format!("more than {RATES_MAX} rates"), "let rules share a rate"));
            }
            None => {
                rates.push(rate);
                rates.len() - 1
            }
        };
        Ok((Node::Rate(u16::try_from(place).unwrap_or(u16::MAX)), Type::Bool))
    }
}

/// The type that an operator gives; `None` if it does not take these.
fn result(operator: Operator, one: &Type, other: &Type) -> Option<Type> {
    let arithmetic = || match (one, other) {
        (Type::Dyn, _) | (_, Type::Dyn) => Type::Dyn,
        (Type::Double, _) | (_, Type::Double) => Type::Double,
        (one, _) => one.clone(),
    };
    let numbers = one.is_number() && other.is_number();
    match operator {
        Operator::Add => match (one, other) {
            (Type::Text, Type::Text | Type::Dyn) | (Type::Dyn, Type::Text) => Some(Type::Text),
            (Type::Bytes, Type::Bytes | Type::Dyn) | (Type::Dyn, Type::Bytes) => Some(Type::Bytes),
            (Type::List(one), Type::List(other)) if **one == Type::Dyn => Some(Type::List(other.clone())),
            (Type::List(one), Type::List(other)) => {
                Some(Type::list_of(one.as_ref().clone().join(other.as_ref().clone())))
            }
            (Type::List(_), Type::Dyn) | (Type::Dyn, Type::List(_)) => Some(Type::list_of(Type::Dyn)),
            _ => numbers.then(arithmetic),
        },
        Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => numbers.then(arithmetic),
        Operator::Equal | Operator::NotEqual => one.may_be(other).then_some(Type::Bool),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let has_order = |kind: &Type| !matches!(kind, Type::List(_) | Type::Map | Type::Null);
            (one.may_be(other) && has_order(one) && has_order(other)).then_some(Type::Bool)
        }
        Operator::In => match other {
            Type::List(element) => one.may_be(element).then_some(Type::Bool),
            Type::Map => one.may_be(&Type::Text).then_some(Type::Bool),
            Type::Dyn => Some(Type::Bool),
            Type::Null | Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Text | Type::Bytes => None,
        },
        Operator::Index => match one {
            Type::List(element) => other.is_number().then(|| element.as_ref().clone()),
            Type::Map => other.may_be(&Type::Text).then_some(Type::Text),
            Type::Dyn => Some(Type::Dyn),
            Type::Null | Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Text | Type::Bytes => None,
        },
    }
}

/// The types that a function takes, argument by argument, and the type that it gives.
fn signature(function: Function) -> (Vec<Vec<Type>>, Type) {
    let text = || vec![Type::Text];
    match function {
        Function::Size => {
            let sized = vec![Type::Text, Type::Bytes, Type::list_of(Type::Dyn), Type::Map];
            (vec![sized], Type::Int)
        }
        Function::Contains | Function::StartsWith | Function::EndsWith => (vec![text(), text()], Type::Bool),
        Function::LowerAscii | Function::UpperAscii => (vec![text()], Type::Text),
        Function::ToText => {
            let shown = vec![Type::Text, Type::Bytes, Type::Int, Type::Double, Type::Bool];
            (vec![shown], Type::Text)
        }
        Function::ToInt => (vec![vec![Type::Int, Type::Text]], Type::Int),
        Function::ToUint => (vec![vec![Type::Int, Type::Text]], Type::Uint),
        Function::ToDouble => (vec![vec![Type::Double, Type::Text]], Type::Double),
        Function::ToBytes => (vec![vec![Type::Text, Type::Bytes]], Type::Bytes),
    }
}
