//! Predicates and values: CEL, checked at load and evaluated with a bound.

pub(crate) use compile::{Surroundings, compile};
pub use evaluate::Failure;
pub(crate) use evaluate::{Evaluation, Scope};
pub(crate) use kind::Type;
pub(crate) use node::Node;
pub(crate) use value::Value;

mod call;
mod cidr;
mod compile;
mod evaluate;
mod kind;
mod node;
mod operate;
mod parse;
mod suggest;
mod value;
mod variable;

#[cfg(test)]
mod tests;
