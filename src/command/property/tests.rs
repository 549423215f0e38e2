use super::Properties;

const PACKETS: &[&str] = &["connect", "publish", "will", "disconnect"];

fn parse(words: &str) -> Result<Properties, String> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    Properties::parse(&words, PACKETS)
}

#[test]
fn several_properties_are_told_apart_by_their_number_of_values() {
    let properties = parse(
        "connect receive-maximum 10 publish user-property a b publish content-type text/plain \
         WILL Will-Delay-Interval 5 disconnect session-expiry-interval 7 connect user-property c d",
    )
    .unwrap();
    assert_eq!(properties.connect.receive_maximum.unwrap().get(), 10);
    assert_eq!(properties.connect.user_properties.len(), 1);
    let publish = properties.publish.unwrap();
    assert_eq!(publish.user_properties, [("a".into(), "b".into())]);
    assert_eq!(publish.content_type.as_deref(), Some("text/plain"));
    assert_eq!(
        (properties.will_delay_secs, properties.disconnect_expiry_secs),
        (5, Some(7))
    );
    assert!(properties.will.is_none());
}

#[test]
fn a_wrong_property_is_refused_with_what_is_wanted() {
    for (words, wanted) in [
        ("subscribe subscription-identifier 1", "this command sends no subscribe"),
        ("publish receive-maximum 1", "publish has content-type, "),
        ("publish user-property a", "a name and a value"),
        ("publish message-expiry-interval soon", "a number"),
        ("publish topic-alias 0", "a number"),
        ("publish payload-format-indicator 2", "0 or 1"),
        ("publish response-topic a/#", "wildcard"),
        ("connect", "unknown property"),
    ] {
        let error = parse(words).unwrap_err();
        assert!(error.starts_with("-D ") && error.contains(wanted), "{error}");
    }
}
