//! Lists: which part of one was asked for, and how a part is answered.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::Error;

/// Items on one page, if the request does not say.
const LIMIT: usize = 50;
const LIMIT_MAX: usize = 500;
/// The deepest item that a page may reach: whoever wants more filters.
const DEPTH_MAX: usize = 100_000;

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Items on a page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Which page, from 1. `page * limit` is at most 100,000: filter to see further.
    #[param(minimum = 1, maximum = 100_000, default = 1)]
    page: Option<usize>,
}

/// How much of a list that goes on behind a cursor.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Limit {
    /// Items at most
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

impl Limit {
    /// # Errors
    ///
    /// The number is out of bounds.
    pub(crate) fn items(&self) -> Result<usize, Error> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let what = format!("limit is {limit}; allowed: 1 to {LIMIT_MAX}");
            return Err(Error::bad_request(what));
        }
        Ok(limit)
    }
}

/// A part of a list, in bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    /// From 1.
    pub(crate) number: usize,
}

/// A part of a list, answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    /// All that match, on whatever page.
    pub(crate) total: usize,
    /// Which page this is, from 1.
    pub(crate) page: usize,
    /// Items on a page.
    pub(crate) limit: usize,
}

impl Paging {
    /// # Errors
    ///
    /// A number out of bounds.
    pub(crate) fn page(&self) -> Result<Page, Error> {
        let limit = Limit { limit: self.limit }.items()?;
        let number = self.page.unwrap_or(1);
        if number == 0 || number.saturating_mul(limit) > DEPTH_MAX {
            return Err(Error::bad_request(format!(
                "page {number} of {limit} items is out of reach; allowed: page 1 and on, and page * limit up to \
                 {DEPTH_MAX}: filter to see further"
            )));
        }
        Ok(Page { limit, number })
    }
}

impl Page {
    /// How many items stand before it.
    pub(crate) fn skipped(self) -> usize {
        (self.number - 1).saturating_mul(self.limit)
    }

    /// The answer with these items of it.
    pub(crate) fn answer<T>(self, items: Vec<T>, total: usize) -> Listed<T> {
        Listed {
            items,
            total,
            page: self.number,
            limit: self.limit,
        }
    }

    /// The answer, cut out of the whole list.
    pub(crate) fn cut<T>(self, all: Vec<T>) -> Listed<T> {
        let total = all.len();
        let items = all.into_iter().skip(self.skipped()).take(self.limit).collect();
        self.answer(items, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Option<usize>, page: Option<usize>) -> Result<Page, Error> {
        Paging { limit, page }.page()
    }

    #[test]
    fn a_page_has_bounds_that_the_refusal_names() {
        assert_eq!(page(None, None).ok(), Some(Page { limit: 50, number: 1 }));
        for (limit, number) in [
            (Some(0), None),
            (Some(501), None),
            (None, Some(0)),
            (Some(500), Some(201)),
        ] {
            assert!(page(limit, number).is_err(), "{limit:?} {number:?}");
        }
        assert!(page(Some(500), Some(200)).is_ok());
    }

    #[test]
    fn a_page_is_cut_out_of_the_whole() {
        let listed = Page { limit: 2, number: 2 }.cut(vec![1, 2, 3]);
        assert_eq!((listed.items, listed.total), (vec![3], 3));
    }
}
