//! The page for operators: one application of plain modules, built into the binary and served to whoever asks. What it shows
//! it asks of `/api/v1`, which asks who is there.

use actix_web::http::header::{self, ETag, EntityTag, Header, HeaderValue, IfNoneMatch};
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The files of the page. A debug build reads them from the source tree each time.
#[derive(RustEmbed)]
#[folder = "page/"]
struct Page;

/// What the page may do: run our modules, use our styles, talk to us. Text that a device has sent cannot become anything
/// else, for there is no way from a string to markup or code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

pub(crate) fn routes(service: &mut ServiceConfig) {
    let index = || web::get().to(|request: HttpRequest| async move { serve(&request, "index.html") });
    let head = || web::head().to(|request: HttpRequest| async move { serve(&request, "index.html") });
    service.service(web::resource("/").route(index()).route(head()));
    service.service(
        web::resource("/page/{file:.*}")
            .route(web::get().to(file))
            .route(web::head().to(file)),
    );
}

async fn file(request: HttpRequest, path: Path<String>) -> HttpResponse {
    serve(&request, &path)
}

/// Answers with a file of the page, or that the browser has it already. A browser asks each time, so that page and broker
/// are of one version.
fn serve(request: &HttpRequest, path: &str) -> HttpResponse {
    let Some((file, kind)) = Page::get(path).zip(kind_of(path)) else {
        return guarded(&mut HttpResponse::NotFound()).body("there is no such file; the page is at /\n");
    };
    let tag = tag_of(&file);
    if has(request, &tag) {
        return guarded(&mut HttpResponse::NotModified())
            .insert_header(ETag(tag))
            .finish();
    }
    guarded(&mut HttpResponse::Ok())
        .insert_header(ETag(tag))
        .content_type(HeaderValue::from_static(kind))
        .body(file.data.into_owned())
}

fn guarded(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    for pair in HEADERS {
        response.insert_header(pair);
    }
    response.insert_header((header::CACHE_CONTROL, "no-cache"))
}

fn kind_of(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "mjs" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "webmanifest" => Some("application/manifest+json"),
        _ => None,
    }
}

fn tag_of(file: &EmbeddedFile) -> EntityTag {
    let hash = file.metadata.sha256_hash();
    let text = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    EntityTag::new_strong(text)
}

fn has(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(items)) => items.iter().any(|item| item.weak_eq(tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
