//! `/api/v1/events`: what happens, while it happens.

use actix_web::web::{Query, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use actors::{Event, Listening};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::Broker;
use crate::access::{Standing, Viewer};
use crate::error::Error;
use crate::moment::rfc3339;
use crate::stream::{Missed, Source, answer, event, full};

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(events), components(schemas(Told, Missed)))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service.service(resource("/api/v1/events").get(events));
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those about this client.
    client_id: Option<String>,
    /// Only those of these kinds, with commas between.
    #[param(example = "connected,refused,disconnected")]
    kind: Option<String>,
}

/// One event: the data of a server-sent event whose name is its kind.
#[derive(Debug, Serialize, ToSchema)]
struct Told {
    at: String,
    kind: &'static str,
    client_id: Option<String>,
    /// Where the client came from.
    address: Option<String>,
    /// What happened, in one line.
    text: String,
}

/// Events that are wanted.
struct Events {
    listening: Listening,
    client_id: Option<String>,
    kinds: Option<Vec<&'static str>>,
}

impl Source for Events {
    async fn next(&mut self) -> Option<String> {
        loop {
            match self.listening.next().await? {
                Ok(happened) if self.wants(&happened) => return Some(event(happened.kind, &told(&happened))),
                Ok(_) => {}
                Err(missed) => return Some(event("missed", &Missed { missed })),
            }
        }
    }
}

impl Events {
    fn wants(&self, event: &Event) -> bool {
        let of_client = self
            .client_id
            .as_ref()
            .is_none_or(|wanted| event.client_id.as_ref() == Some(wanted));
        of_client && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
    }
}

fn told(event: &Event) -> Told {
    Told {
        at: rfc3339(event.at_millis),
        kind: event.kind,
        client_id: event.client_id.clone(),
        address: event.peer.clone(),
        text: event.text.clone(),
    }
}

/// What happens from here on, as server-sent events: `event` is the kind, `data` is JSON. One who does not keep up gets a
/// `missed` with how many events he did not get.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Wanted),
    extensions(("x-role" = json!("viewer")), ("x-stream" = json!(true))),
    responses((status = 200, description = "Events, without end", body = String, content_type = "text/event-stream")))]
async fn events(
    Viewer(caller): Viewer,
    Broker(operations): Broker,
    wanted: Query<Wanted>,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let wanted = wanted.into_inner();
    let kinds = wanted.kind.map(|kinds| kinds_of(&kinds)).transpose()?;
    let listening = operations.events().ok_or_else(full)?;
    let events = Events {
        listening,
        client_id: wanted.client_id,
        kinds,
    };
    answer(events, Standing::of(&request, caller))
}

fn kinds_of(words: &str) -> Result<Vec<&'static str>, Error> {
    let known = |word: &str| {
        Event::KINDS.iter().find(|kind| **kind == word).copied().ok_or_else(|| {
            let kinds = Event::KINDS.join(", ");
            Error::bad_request(format!(
                "there are no events of the kind \"{word}\"; the kinds are {kinds}"
            ))
        })
    };
    words.split(',').map(str::trim).map(known).collect()
}
