use bytes::Bytes;
use mqtt_codec::{PacketId, Publish, PublishProperties, QoS, SubscriptionId, TopicName};

use super::Format;

fn formatted(format: &str, properties: Option<PublishProperties>) -> String {
    let message = Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: TopicName::new("home/lamp").unwrap(),
        packet_id: PacketId::new(9),
        properties: properties.map(Box::new),
        payload: Bytes::from_static(b"on\xff"),
    };
    let mut out = Vec::new();
    Format::parse(format).unwrap().write(&message, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn every_letter_stands_for_its_field() {
    assert_eq!(
        formatted("%t|%l|%q|%r|%m|%x|%X|%%|\\n", None),
        "home/lamp|3|1|1|9|6f6eff|6F6EFF|%|\n"
    );
    assert_eq!(formatted("%p", None), "on\u{fffd}");
    let properties = PublishProperties {
        payload_format: Some(true),
        message_expiry_secs: Some(60),
        topic_alias: None,
        response_topic: Some(TopicName::new("r").unwrap()),
        correlation_data: Some(Bytes::from_static(b"42")),
        user_properties: vec![("a".into(), "b".into()), ("c".into(), "d".into())],
        subscription_ids: SubscriptionId::new(7).into_iter().collect(),
        content_type: Some("text/plain".into()),
    };
    assert_eq!(
        formatted("%C %D %E %F %P %R %S", Some(properties)),
        "text/plain 42 60 1 a:b c:d r 7"
    );
    assert_eq!(formatted("[%C%D%E%F%P%R%S]", None), "[]");
}

#[test]
fn an_unknown_letter_is_refused() {
    assert_eq!(Format::parse("%t %Z").unwrap_err(), "`%Z` is no part of a format");
    assert_eq!(Format::parse("100%").unwrap_err(), "`%` stands at the end");
    assert_eq!(Format::parse("\\q").unwrap_err(), "`\\q` is no part of a format");
}
