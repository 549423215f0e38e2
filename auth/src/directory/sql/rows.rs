//! Rows as values, whichever database gave them.

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Column as _, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Type,
    ValueRef as _,
};

use crate::Credentials;
use crate::directory::privileges;

use super::query::Query;

/// Column names with what stands there.
pub(super) type Row = Vec<(String, Cell)>;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
}

impl Cell {
    pub(super) fn text(self, name: &str) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Null => Err(format!("{name} is NULL")),
            Self::Bool(_) | Self::Int(_) => Err(format!("{name} is no text")),
        }
    }

    pub(super) fn flag(self, name: &str) -> Result<bool, String> {
        match self {
            Self::Bool(flag) => Ok(flag),
            Self::Int(0) => Ok(false),
            Self::Int(1) => Ok(true),
            Self::Int(_) => Err(format!("{name} is neither 0 nor 1")),
            Self::Text(text) => privileges::flag(&text, name),
            Self::Null => Err(format!("{name} is NULL")),
        }
    }
}

/// Values that each of the databases can give.
pub(super) trait Speaks: Database {
    fn cell(row: &Self::Row, at: usize) -> Result<Cell, sqlx::Error>;
}

impl<DB> Speaks for DB
where
    DB: Database,
    usize: ColumnIndex<DB::Row>,
    for<'r> bool: Decode<'r, DB> + Type<DB>,
    for<'r> i16: Decode<'r, DB> + Type<DB>,
    for<'r> i32: Decode<'r, DB> + Type<DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
{
    /// Numbers before truth: a database that has no truth of its own would take 2 for it.
    fn cell(row: &DB::Row, at: usize) -> Result<Cell, sqlx::Error> {
        if row.try_get_raw(at)?.is_null() {
            return Ok(Cell::Null);
        }
        let number = || row.try_get::<i64, _>(at);
        number()
            .or_else(|_| row.try_get::<i32, _>(at).map(i64::from))
            .or_else(|_| row.try_get::<i16, _>(at).map(i64::from))
            .map(Cell::Int)
            .or_else(|_| row.try_get(at).map(Cell::Bool))
            .or_else(|_| row.try_get(at).map(Cell::Text))
    }
}

/// What a query gives for one client.
///
/// # Errors
///
/// What the database says, more rows than `rows_max`, and values that are neither text nor numbers nor truth.
pub(super) async fn rows<'c, DB, E>(
    on: E,
    query: &Query,
    who: &Credentials,
    rows_max: usize,
) -> Result<Vec<Row>, String>
where
    DB: Speaks,
    DB::Arguments: IntoArguments<DB>,
    E: Executor<'c, Database = DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
{
    let mut question = sqlx::query::<DB>(AssertSqlSafe(query.text.clone()));
    for field in &query.fields {
        question = question.bind(field.of(who));
    }
    let mut found = question.fetch(on);
    let mut rows = Vec::new();
    while let Some(row) = found.try_next().await.map_err(|error| error.to_string())? {
        if rows.len() >= rows_max {
            return Err(format!("its query gives more than {rows_max} rows for one client"));
        }
        let cells = row.columns().iter().enumerate().map(|(at, column)| {
            let name = column.name().to_ascii_lowercase();
            let cell = DB::cell(&row, at)
                .map_err(|_| format!("column {name:?} is of a type that is not read; cast it to text"))?;
            Ok((name, cell))
        });
        rows.push(cells.collect::<Result<Row, String>>()?);
    }
    Ok(rows)
}
