//! The console: MQTT in a WebSocket, for an operator who publishes and subscribes from the page.
//!
//! Nothing of MQTT is known here. Bytes go to and fro between the browser and a connection within the process; what they
//! may do the broker decides, as for any client.

use std::io;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Payload, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use utoipa::OpenApi;

use crate::Broker;
use crate::access::{Operator, Standing};
use crate::error::Error;

/// Consoles that are open at once; whoever asks for one more is asked to wait.
const CONSOLES_MAX: usize = 32;
/// Longest frame, and longest message of several frames, of the browser.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes of the broker that one frame to the browser holds.
const READ_BYTES: usize = 16 << 10;
/// For a browser to take the word that it is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// The name of MQTT among the protocols in a WebSocket: [MQTT-6.0.0-3] in both versions.
const PROTOCOL: &str = "mqtt";

static CONSOLES: Semaphore = Semaphore::const_new(CONSOLES_MAX);

/// The endpoint of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(open))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service.service(resource("/api/v1/console").get(open));
}

/// Opens a connection of MQTT as the user `admin:NAME` of the listener `admin`.
///
/// A WebSocket with the subprotocol `mqtt`, whose binary frames are packets of MQTT. Rights are those of the book for this
/// user and this listener; user name and password of the CONNECT are not looked at.
#[utoipa::path(get, path = "/api/v1/console", tag = "console", extensions(("x-role" = json!("operator"))),
    responses((status = 101, description = "Packets of MQTT follow, in binary frames"),
    (status = 400, description = "No WebSocket, or one without the subprotocol mqtt", body = crate::error::Problem),
    (status = 429, description = "32 consoles are open", body = crate::error::Problem),
    (status = 503, description = "The broker has no room for it", body = crate::error::Problem)))]
async fn open(
    Operator(caller): Operator,
    Broker(operations): Broker,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    if !is_of_our_page(&request) {
        let what = "a page of another origin may not open a console; open it from the broker's own page";
        return Err(Error::forbidden(what).into());
    }
    if !asks_for_mqtt(&request) {
        let what = "a console is a WebSocket with the subprotocol mqtt: GET with Upgrade: websocket and \
             Sec-WebSocket-Protocol: mqtt";
        return Err(Error::bad_request(what).into());
    }
    let permit = CONSOLES
        .try_acquire()
        .map_err(|_| Error::too_many(format!("{CONSOLES_MAX} consoles are open; close one and try again"), 1))?;
    let (response, session, frames) = actix_ws::handle_with_protocols(&request, payload, &[PROTOCOL])
        .map_err(|error| Error::new(StatusCode::BAD_REQUEST, format!("this is no WebSocket: {error}")))?;
    let stream = operations.console(&caller.name).await;
    let stream = stream.map_err(|error| Error::unavailable(error.to_string()))?;
    let stream = UnixStream::from_std(stream).map_err(|error| Error::unavailable(error.to_string()))?;
    let frames = frames
        .max_frame_size(FRAME_BYTES_MAX)
        .aggregate_continuations()
        .max_continuation_size(FRAME_BYTES_MAX);
    tracing::info!(operator = caller.name, "a console is open");
    let standing = Standing::of(&request, caller);
    actix_rt::spawn(async move {
        relay(session, frames, stream, standing).await;
        drop(permit);
    });
    Ok(response)
}

/// Whether a browser's own page asks, or no browser. A cookie goes with requests of other pages of the same host.
fn is_of_our_page(request: &HttpRequest) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return true;
    };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.zip(host).is_some_and(|((_, origin), host)| origin == host)
}

fn asks_for_mqtt(request: &HttpRequest) -> bool {
    let lines = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut names = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    names.any(|name| name.trim() == PROTOCOL)
}

/// Carries bytes both ways until one side ends, or the operator may not have it any more. Neither way waits for the other.
async fn relay(session: Session, frames: AggregatedMessageStream, stream: UnixStream, standing: Standing) {
    let (from_broker, to_broker) = stream.into_split();
    let reason = tokio::select! {
        reason = carry_up(frames, session.clone(), to_broker) => reason,
        ended = carry_down(from_broker, session.clone()) => ended.err().map_or_else(
            || close(CloseCode::Normal, "the broker has ended the connection"),
            |_| close(CloseCode::Error, "the connection to the broker is gone"),
        ),
        () = standing.fall() => close(CloseCode::Policy, "the token or the session of this operator holds no more"),
    };
    // The browser may have gone first, or take nothing: its place is another's then.
    let _ = timeout(FAREWELL, session.close(Some(reason))).await;
}

/// From the browser to the broker; says why it ended.
async fn carry_up(
    mut frames: AggregatedMessageStream,
    mut session: Session,
    mut to_broker: OwnedWriteHalf,
) -> CloseReason {
    while let Some(frame) = frames.recv().await {
        let is_carried = match frame {
            Ok(AggregatedMessage::Binary(bytes)) => to_broker.write_all(&bytes).await.is_ok(),
            Ok(AggregatedMessage::Ping(bytes)) => session.pong(&bytes).await.is_ok(),
            Ok(AggregatedMessage::Pong(_)) => true,
            // [MQTT-6.0.0-1] in both versions.
            Ok(AggregatedMessage::Text(_)) => {
                return close(CloseCode::Unsupported, "MQTT comes in binary frames");
            }
            Ok(AggregatedMessage::Close(_)) => false,
            Err(error) => return close(CloseCode::Protocol, &error.to_string()),
        };
        if !is_carried {
            break;
        }
    }
    close(CloseCode::Normal, "")
}

/// From the broker to the browser, as fast as that takes it.
async fn carry_down(mut from_broker: OwnedReadHalf, mut session: Session) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = from_broker.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        if session.binary(bytes.to_vec()).await.is_err() {
            return Ok(());
        }
    }
}

fn close(code: CloseCode, description: &str) -> CloseReason {
    CloseReason {
        code,
        description: (!description.is_empty()).then(|| description.to_owned()),
    }
}

#[cfg(test)]
mod tests;
