use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, body::MessageBody, dev::ServiceResponse};

use super::*;

async fn ask(request: TestRequest) -> ServiceResponse<impl MessageBody> {
    let app = init_service(App::new().configure(routes)).await;
    call_service(&app, request.to_request()).await
}

#[actix_web::test]
async fn the_page_is_at_the_root_and_forbids_itself_everything_foreign() {
    let answer = ask(TestRequest::get().uri("/")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let policy = answer.headers().get("content-security-policy").expect("a policy");
    let policy = policy.to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    for (name, _) in HEADERS {
        assert!(answer.headers().contains_key(name.to_lowercase()), "{name}");
    }
    let body = read_body(answer).await;
    assert!(body.starts_with(b"<!doctype html>"));
}

#[actix_web::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let first = ask(TestRequest::get().uri("/page/main.mjs")).await;
    let tag = first.headers().get(header::ETAG).expect("a tag").clone();
    let again = ask(TestRequest::get()
        .uri("/page/main.mjs")
        .insert_header((header::IF_NONE_MATCH, tag)))
    .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(read_body(again).await.is_empty());
    let other = TestRequest::get().uri("/page/main.mjs");
    let other = ask(other.insert_header((header::IF_NONE_MATCH, "\"another\""))).await;
    assert_eq!(other.status(), StatusCode::OK);
}

#[actix_web::test]
async fn what_is_not_of_the_page_is_not_found() {
    for path in [
        "/page/",
        "/page/nothing.mjs",
        "/page/../src/lib.rs",
        "/page/%2e%2e/Cargo.toml",
        "/page//etc/passwd",
    ] {
        assert_eq!(
            ask(TestRequest::get().uri(path)).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

/// A module that is named and not there would be a white page; one with markup or code in a string would not run.
#[test]
fn the_files_name_each_other_and_nothing_foreign() {
    let files: BTreeSet<String> = Page::iter().map(String::from).collect();
    for path in &files {
        assert!(kind_of(path).is_some(), "{path} has no type");
        let file = Page::get(path).expect("a file of the page");
        let text = String::from_utf8(file.data.into_owned()).expect("text");
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=\"",
            "://",
        ] {
            let is_namespace =
                word == "://" && text.matches("://").count() == text.matches("http://www.w3.org/").count();
            assert!(!text.contains(word) || is_namespace, "{path} has {word}");
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for line in text.lines().filter(|line| line.contains(" from \"")) {
            let named = line
                .rsplit(" from \"")
                .next()
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default();
            let target = match named.strip_prefix("../") {
                Some(above) => above.to_owned(),
                None if folder.is_empty() => named.trim_start_matches("./").to_owned(),
                None => format!("{folder}/{}", named.trim_start_matches("./")),
            };
            assert!(files.contains(&target), "{path} imports {named}");
        }
    }
}
