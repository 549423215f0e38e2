//! The client that a request is about: named in its path, or in its query.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::web::{Path, Query};
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use crate::error::Error;

/// Where clients are named in the path.
pub(crate) const IN_PATH: &str = "/api/v1/clients/{client_id}";
/// The same where they are named in the query: a path has no room for the identifiers `.` and `..`, which whoever sends a
/// request takes for directories.
pub(crate) const IN_QUERY: &str = "/api/v1/client";
const PARAMETER: &str = "client_id";

/// A client identifier.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) String);

#[derive(Debug, Deserialize)]
struct ByQuery {
    client_id: String,
}

impl Deref for Named {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl FromRequest for Named {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let no_client = |error: &dyn std::fmt::Display| Error::bad_request(format!("the client is not named: {error}"));
        let named = match request.match_info().get(PARAMETER) {
            Some(_) => Path::<String>::extract(request)
                .into_inner()
                .map(Path::into_inner)
                .map_err(|error| no_client(&error)),
            None => Query::<ByQuery>::from_query(request.query_string())
                .map(|query| query.into_inner().client_id)
                .map_err(|error| no_client(&error)),
        };
        ready(named.map(Self))
    }
}

/// The paths under which one thing of a client is found: `rest` is what follows the client.
pub(crate) fn paths(rest: &str) -> [String; 2] {
    [IN_PATH, IN_QUERY].map(|client| format!("{client}{rest}"))
}

/// Describes what is found by the path of a client by its query as well.
pub(crate) fn describe(api: &mut OpenApi) {
    let paths = &mut api.paths.paths;
    let by_query: Vec<_> = paths
        .iter()
        .filter_map(|(path, item)| {
            let rest = path.strip_prefix(IN_PATH)?;
            let mut item = item.clone();
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            operations.into_iter().flatten().for_each(name_in_query);
            Some((format!("{IN_QUERY}{rest}"), item))
        })
        .collect();
    paths.extend(by_query);
}

fn name_in_query(operation: &mut Operation) {
    operation.operation_id = operation.operation_id.take().map(|id| format!("{id}_by_query"));
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == PARAMETER
        {
            parameter.parameter_in = ParameterIn::Query;
        }
    }
}
