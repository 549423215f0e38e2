//! Topic Names and Topic Filters, checked once when they are made.

mod filter;
mod name;

pub use filter::TopicFilter;
pub use name::TopicName;

#[cfg(test)]
mod tests;
