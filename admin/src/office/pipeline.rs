//! What a connection passes: its place, its TLS, HTTP, the site.
//!
//! actix-web's own server shows a connection only after its TLS handshake. A peer that never finishes one would have a
//! place of all without one of its address.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::{HttpService, Protocol, Request, TlsAcceptorConfig};
use actix_server::ServerBuilder;
use actix_service::{IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _};
use actix_service::{apply_fn_factory, fn_service, map_config};
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{AppConfig, Extensions, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::{TcpStream, UnixStream};
use actix_web::{App, HttpResponse};
use rustls::ServerConfig;

use super::places::Places;
use super::{Site, tls};
use crate::access::{Encrypted, Loopback, Way};
use crate::{envelope, metrics};

/// How long a TLS handshake may take, if `admin.timeout_secs` does not say less.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the end of a connection may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves the site at an address.
pub(super) fn listen(
    server: ServerBuilder,
    listener: TcpListener,
    tls: Option<&ServerConfig>,
    site: &Site,
    places: &Places,
) -> io::Result<ServerBuilder> {
    let (site, places) = (site.clone(), places.clone());
    let Some(tls) = tls.cloned() else {
        return server.listen("admin", listener, move || {
            seated(&places, http::<TcpStream>(&site).tcp())
        });
    };
    server.listen("admin", listener, move || {
        let timeout = HANDSHAKE_TIMEOUT.min(site.settings.timeout);
        let timeout = TlsAcceptorConfig::default().handshake_timeout(timeout);
        let http = http::<TlsStream<TcpStream>>(&site);
        seated(&places, http.rustls_0_23_with_config(tls.clone(), timeout))
    })
}

/// Serves the site at a Unix socket.
pub(super) fn listen_unix(server: ServerBuilder, listener: UnixListener, site: &Site) -> io::Result<ServerBuilder> {
    let site = site.clone();
    server.listen_uds("admin", listener, move || {
        fn_service(|wire: UnixStream| async { Ok((wire, Protocol::Http1, None)) }).and_then(http::<UnixStream>(&site))
    })
}

/// Gives each connection its place until it ends, before anything is read of it; closes those that get none.
fn seated<S>(
    places: &Places,
    served: S,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = S::Error, InitError = S::InitError> + use<S>
where
    S: ServiceFactory<TcpStream, Config = (), Response = ()>,
{
    let places = places.clone();
    apply_fn_factory(served, move |wire: TcpStream, service: &S::Service| {
        let served = places.seat(&wire).map(|place| (place, service.call(wire)));
        async move {
            let Some((_place, served)) = served else { return Ok(()) };
            served.await
        }
    })
}

/// The site by HTTP over some kind of connection.
fn http<T: 'static>(
    site: &Site,
) -> HttpService<
    T,
    impl ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = HttpResponse<BoxBody>,
        InitError = (),
        Service: Service<Request, Future: 'static>,
        Future: 'static,
    > + use<T>,
    BoxBody,
> {
    let furnished = site.clone();
    let app = App::new()
        .wrap(from_fn(envelope::seal))
        .wrap(from_fn(metrics::count_request))
        .configure(|service| furnished.furnish(service));
    let app = app
        .into_factory()
        .map_err(|error: actix_web::Error| error.error_response());
    HttpService::build()
        .client_request_timeout(site.settings.timeout)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .on_connect_ext(|wire: &T, notes: &mut Extensions| greet(wire, notes))
        .finish(map_config(app, |()| AppConfig::default()))
}

/// Notes how a connection came in, for [`crate::access`].
fn greet(connection: &dyn Any, notes: &mut Extensions) {
    let tls = connection.downcast_ref::<TlsStream<TcpStream>>();
    let wire = tls.map_or_else(|| connection.downcast_ref::<TcpStream>(), |tls| Some(tls.get_ref().0));
    let reached = wire.and_then(|wire| wire.local_addr().ok());
    if reached.is_some_and(|reached| reached.ip().to_canonical().is_loopback()) {
        notes.insert(Loopback);
    }
    if connection.is::<UnixStream>() {
        notes.insert(Way::Socket);
    }
    let Some(tls) = tls else { return };
    notes.insert(Encrypted);
    let certificates = tls.get_ref().1.peer_certificates();
    let name = certificates
        .and_then(<[_]>::first)
        .and_then(|own| tls::common_name(own));
    if let Some(name) = name {
        notes.insert(Way::Certificate(name));
    }
}
