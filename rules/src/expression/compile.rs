//! The syntax tree to a checked expression: names, functions and types are looked at here, once.

use broker::exchange::Kind;
use cel::Program;
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use super::kind::Type;
use super::node::{Fold, Literal, Node};
use super::parse::{byte_of, parse};
use super::suggest::nearest;
use super::variable::Variable;
use crate::event::word_of_kind;
use crate::rates::Rate;

/// Nodes of one expression.
const NODES_MAX: usize = 512;
/// Nodes inside nodes. An evaluation uses this much of the stack.
const DEPTH_MAX: usize = 48;
/// Macros inside macros: what is gone through multiplies with each.
const MACROS_MAX: usize = 2;

/// Stack for reading one expression; what the bounds of `parse` let through needs less than a quarter of it.
const STACK_BYTES: usize = 64 << 20;

/// What is wrong with an expression, and where in it.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// Bytes from its beginning.
    pub(crate) offset: usize,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Mistake {
    pub(super) fn new(offset: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// What stands around an expression.
#[derive(Debug)]
pub(crate) struct Surroundings<'r> {
    /// What its rule is about.
    pub(crate) kinds: &'r [Kind],
    /// The rates of the book; those that the expression names are added.
    pub(crate) rates: &'r mut Vec<Rate>,
}

/// Compiles an expression whose value has to be of one of the types in `wanted`.
///
/// # Errors
///
/// The first mistake: of syntax, a name or function that is not known or not known for this kind of exchange, types that
/// do not fit, a pattern that is wrong or too large, an expression beyond the bounds.
pub(crate) fn compile(text: &str, wanted: &[Type], around: &mut Surroundings<'_>) -> Result<Node, Mistake> {
    // The parser's recursion has no bound of its own but the length of the text.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let compiled = thread.spawn_scoped(scope, || on_deep_stack(text, wanted, around));
        let compiled = compiled.ok().and_then(|thread| thread.join().ok());
        compiled.unwrap_or_else(|| {
            let what = "the expression could not be read";
            Err(Mistake::new(
                0,
                what,
                "write it in a simpler way, and report what was wrong with this one",
            ))
        })
    })
}

fn on_deep_stack(text: &str, wanted: &[Type], around: &mut Surroundings<'_>) -> Result<Node, Mistake> {
    let program = parse(text)?;
    let mut compiler = Compiler {
        text,
        program: &program,
        around,
        locals: Vec::new(),
        nodes: 0,
        depth: 0,
        macros: 0,
    };
    let (node, kind) = compiler.expression(program.expression())?;
    if wanted.iter().any(|wanted| wanted.may_be(&kind)) {
        return Ok(node);
    }
    let names: Vec<_> = wanted.iter().map(Type::to_string).collect();
    let what = format!("the expression gives {kind}");
    Err(Mistake::new(0, what, format!("let it give {}", names.join(" or "))))
}

pub(super) struct Compiler<'p, 'r> {
    text: &'p str,
    program: &'p Program,
    pub(super) around: &'p mut Surroundings<'r>,
    locals: Vec<(&'p str, Type)>,
    nodes: usize,
    depth: usize,
    macros: usize,
}

/// A checked node and its type.
pub(super) type Checked = Result<(Node, Type), Mistake>;

impl<'p> Compiler<'p, '_> {
    pub(super) fn mistake(&self, at: &IdedExpr, what: impl Into<String>, remedy: impl Into<String>) -> Mistake {
        let character = self
            .program
            .source_info()
            .offset_for(at.id)
            .map_or(0, |(start, _)| start);
        let mut offset = byte_of(self.text, usize::try_from(character).unwrap_or_default());
        // The parser places a call at its bracket.
        if let Expr::Call(call) = &at.expr
            && self
                .text
                .get(..offset)
                .is_some_and(|before| before.ends_with(&call.func_name))
        {
            offset -= call.func_name.len();
        }
        Mistake::new(offset, what, remedy)
    }

    pub(super) fn expression(&mut self, at: &'p IdedExpr) -> Checked {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > NODES_MAX || self.depth > DEPTH_MAX {
            let what = format!("the expression has more than {NODES_MAX} parts, or {DEPTH_MAX} inside each other");
            return Err(self.mistake(at, what, "split the rule into several"));
        }
        let checked = self.inner(at);
        self.depth -= 1;
        checked
    }

    fn inner(&mut self, at: &'p IdedExpr) -> Checked {
        match &at.expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Ident(name) => self.name(at, name),
            Expr::Select(select) => self.select(at, select),
            Expr::Call(call) => self.call(at, call),
            Expr::List(list) => {
                let mut nodes = Vec::with_capacity(list.elements.len());
                let mut element: Option<Type> = None;
                for each in &list.elements {
                    let (node, kind) = self.expression(each)?;
                    nodes.push(node);
                    element = Some(element.map_or(kind.clone(), |known| known.join(kind)));
                }
                Ok((Node::List(nodes), Type::list_of(element.unwrap_or(Type::Dyn))))
            }
            Expr::Comprehension(fold) => self.fold(at, fold),
            Expr::Map(_) | Expr::Struct(_) => {
                Err(self.mistake(at, "maps and messages cannot be made here", "use lists and conditions"))
            }
            Expr::Unspecified => Err(self.mistake(at, "something is missing here", "complete the expression")),
        }
    }

    fn name(&self, at: &IdedExpr, name: &str) -> Checked {
        if let Some(place) = self.locals.iter().rposition(|(known, _)| *known == name) {
            let kind = self.locals.get(place).map_or(Type::Dyn, |(_, kind)| kind.clone());
            return Ok((Node::Local(place), kind));
        }
        self.variable(at, name)
    }

    fn variable(&self, at: &IdedExpr, name: &str) -> Checked {
        let Some(variable) = Variable::named(name) else {
            let parts = Variable::names().filter(|known| known.split('.').next() == Some(name));
            let parts: Vec<_> = parts.collect();
            let remedy = if parts.is_empty() {
                did_you_mean(name, Variable::names())
            } else {
                format!("use one of its parts: {}", parts.join(", "))
            };
            let what = if parts.is_empty() {
                "is not known"
            } else {
                "is no value"
            };
            return Err(self.mistake(at, format!("`{name}` {what}"), remedy));
        };
        match self.around.kinds.iter().find(|kind| !variable.is_known_on(**kind)) {
            None => Ok((Node::Variable(variable), variable.kind())),
            Some(kind) => {
                let kind = word_of_kind(*kind);
                let what = format!("`{name}` is not known on \"{kind}\"");
                Err(self.mistake(
                    at,
                    what,
                    format!("take \"{kind}\" out of `on`, or make a rule of its own for it"),
                ))
            }
        }
    }

    fn select(&mut self, at: &'p IdedExpr, select: &'p SelectExpr) -> Checked {
        if let Expr::Ident(root) = &select.operand.expr
            && !self.locals.iter().any(|(known, _)| known == root)
            && Variable::names().any(|name| {
                name.strip_prefix(root.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            })
        {
            let (node, kind) = self.variable(at, &format!("{root}.{}", select.field))?;
            if select.test
                && let Node::Variable(variable) = node
            {
                return Ok((Node::Present(variable), Type::Bool));
            }
            return Ok((node, kind));
        }
        let (operand, kind) = self.expression(&select.operand)?;
        let member = match kind {
            Type::Dyn => Type::Dyn,
            Type::Map => Type::Text,
            Type::Null
            | Type::Bool
            | Type::Int
            | Type::Uint
            | Type::Double
            | Type::Text
            | Type::Bytes
            | Type::List(_) => {
                let what = format!("`.{}` of {kind}", select.field);
                return Err(self.mistake(
                    at,
                    what,
                    "only maps have members: properties.user, and what comes from JSON",
                ));
            }
        };
        let field = select.field.as_str().into();
        if select.test {
            Ok((Node::Has(Box::new(operand), field), Type::Bool))
        } else {
            Ok((Node::Select(Box::new(operand), field), member))
        }
    }

    fn fold(&mut self, at: &'p IdedExpr, fold: &'p ComprehensionExpr) -> Checked {
        if fold.iter_var2.is_some() {
            return Err(self.mistake(at, "a macro with two variables", "use one variable"));
        }
        self.macros += 1;
        if self.macros > MACROS_MAX {
            let what = format!("more than {MACROS_MAX} macros inside each other");
            return Err(self.mistake(at, what, "split the rule into several"));
        }
        let (range, kind) = self.expression(&fold.iter_range)?;
        let element = match kind {
            Type::List(element) => *element,
            Type::Map => Type::Text,
            Type::Dyn => Type::Dyn,
            Type::Null | Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Text | Type::Bytes => {
                return Err(self.mistake(
                    &fold.iter_range,
                    format!("a macro of {kind}"),
                    "macros go through lists",
                ));
            }
        };
        let (initial, accumulated) = self.expression(&fold.accu_init)?;
        self.locals.push((&fold.iter_var, element));
        self.locals.push((&fold.accu_var, accumulated.clone()));
        let (condition, _) = self.expression(&fold.loop_cond)?;
        let (step, stepped) = self.expression(&fold.loop_step)?;
        let (result, _) = self.expression(&fold.result)?;
        self.locals.truncate(self.locals.len() - 2);
        self.macros -= 1;
        let kind = match (&fold.result.expr, accumulated) {
            (Expr::Ident(_), Type::List(_)) => match stepped {
                Type::List(element) => Type::List(element),
                Type::Dyn | Type::Null | Type::Bool | Type::Int | Type::Uint | Type::Double => Type::list_of(Type::Dyn),
                Type::Text | Type::Bytes | Type::Map => Type::list_of(Type::Dyn),
            },
            (_, _) => Type::Bool,
        };
        let node = Fold {
            range,
            initial,
            condition,
            step,
            result,
        };
        Ok((Node::Fold(Box::new(node)), kind))
    }
}

/// `did you mean payload?`, or all that there is.
pub(super) fn did_you_mean<'n>(wanted: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match nearest(wanted, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("use one of {}", names.collect::<Vec<_>>().join(", ")),
    }
}

fn constant(literal: &LiteralValue) -> (Node, Type) {
    let (literal, kind) = match literal {
        LiteralValue::Null => (Literal::Null, Type::Null),
        LiteralValue::Boolean(bool) => (Literal::Bool(*bool.inner()), Type::Bool),
        LiteralValue::Int(int) => (Literal::Int(*int.inner()), Type::Int),
        LiteralValue::UInt(uint) => (Literal::Uint(*uint.inner()), Type::Uint),
        LiteralValue::Double(double) => (Literal::Double(*double.inner()), Type::Double),
        LiteralValue::String(text) => (Literal::Text(text.inner().into()), Type::Text),
        LiteralValue::Bytes(bytes) => (Literal::Bytes(bytes.inner().into()), Type::Bytes),
    };
    (Node::Literal(literal), kind)
}
