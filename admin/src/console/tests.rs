use actix_web::test::TestRequest;

use super::*;

fn from(origin: Option<&str>) -> HttpRequest {
    let request = TestRequest::get().insert_header((header::HOST, "broker.example.com:18083"));
    let request = match origin {
        Some(origin) => request.insert_header((header::ORIGIN, origin)),
        None => request,
    };
    request.to_http_request()
}

#[test]
fn a_page_of_another_origin_opens_no_console() {
    for origin in [
        None,
        Some("http://broker.example.com:18083"),
        Some("https://broker.example.com:18083"),
    ] {
        assert!(is_of_our_page(&from(origin)), "{origin:?}");
    }
    for origin in [
        "http://broker.example.com",
        "http://broker.example.com:8080",
        "http://broker.example.com:18083.evil.example",
        "http://evil.example",
        "null",
        "",
    ] {
        assert!(!is_of_our_page(&from(Some(origin))), "{origin}");
    }
}

#[test]
fn a_console_speaks_mqtt_and_says_so() {
    let asks = |protocols: &str| {
        let request = TestRequest::get().insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocols.to_owned()));
        asks_for_mqtt(&request.to_http_request())
    };
    assert!(asks("mqtt") && asks("mqttv3.1, mqtt"));
    assert!(!asks("mqttv3.1") && !asks("") && !asks("notmqtt"));
    assert!(!asks_for_mqtt(&TestRequest::get().to_http_request()));
}
