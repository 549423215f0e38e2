//! One level of a filter, as a node keeps it.

const SHORT_MAX: usize = 14;

/// The text of a level in 16 bytes: up to 14 bytes stand inside, longer ones outside.
#[derive(Debug)]
pub(super) enum Level {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Box<Long>),
}

/// A box of its own keeps the pointer in [`Level`] at one word.
#[derive(Debug)]
pub(super) struct Long(Box<str>);

impl Level {
    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(front), Ok(len)) => {
                front.copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(Box::new(Long(text.into()))),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(long) => long.0.as_bytes(),
        }
    }
}
