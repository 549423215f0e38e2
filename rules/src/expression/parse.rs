//! CEL text to the syntax tree of the `cel` crate, within bounds that its recursive parser does not have.

use cel::Program;

use super::compile::Mistake;
use crate::source::one_line;

/// Bytes of one expression.
const BYTES_MAX: usize = 2048;
/// Brackets inside brackets.
const BRACKETS_MAX: usize = 24;
/// Operators of one expression that may nest without brackets: conditions, signs, selections, sums.
const CHAINED_MAX: usize = 200;

pub(super) fn parse(text: &str) -> Result<Program, Mistake> {
    bound(text)?;
    Program::compile(text).map_err(|errors| {
        let first = errors.errors.into_iter().min_by_key(|error| error.pos);
        let (offset, what) = first.map_or((0, String::new()), |error| {
            (offset_of(text, error.pos), one_line(&error.msg))
        });
        let what = what.split(" expecting ").next().unwrap_or_default().to_owned();
        Mistake::new(
            offset,
            what,
            "write a CEL expression, such as `topic == 'a/b' && size(payload) < 100`",
        )
    })
}

/// The byte at a line and column that are counted from 1.
fn offset_of(text: &str, (line, column): (isize, isize)) -> usize {
    let count = |number: isize| usize::try_from(number - 1).unwrap_or_default();
    let mut offset = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number == count(line) {
            let before = content.chars().take(count(column)).map(char::len_utf8).sum::<usize>();
            return offset + before;
        }
        offset += content.len();
    }
    offset
}

/// The byte of the character at a place.
pub(super) fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices()
        .nth(character)
        .map_or(text.len(), |(offset, _)| offset)
}

fn bound(text: &str) -> Result<(), Mistake> {
    let shorter = "split the rule into several";
    if text.len() > BYTES_MAX {
        let what = format!("the expression has {} bytes, and may have {BYTES_MAX}", text.len());
        return Err(Mistake::new(0, what, shorter));
    }
    let mut depth = 0_usize;
    let mut chained = 0_usize;
    let mut quote = None;
    let mut is_escaped = false;
    for (offset, letter) in text.char_indices() {
        if let Some(end) = quote {
            let closes = letter == end && !is_escaped;
            is_escaped = letter == '\\' && !is_escaped;
            if closes {
                quote = None;
            }
            continue;
        }
        match letter {
            '\'' | '"' => quote = Some(letter),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '?' | '.' | '+' | '*' | '/' | '%' | '<' | '>' | '=' => chained += 1,
            _ => {}
        }
        if depth > BRACKETS_MAX {
            let what = format!("more than {BRACKETS_MAX} brackets inside each other");
            return Err(Mistake::new(offset, what, shorter));
        }
        if chained > CHAINED_MAX {
            let what = format!("more than {CHAINED_MAX} operators in one expression");
            return Err(Mistake::new(offset, what, shorter));
        }
    }
    Ok(())
}
