use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::tests::arbitrary::{publish_properties, version};
use crate::tests::support::ANY_SIZE;
use crate::{Packet, Publish, TopicName, decode};

fn written(template: &Template, patch: &Patch<'_>) -> Bytes {
    let mut out = BytesMut::from(&b"before"[..]);
    template.write(patch, &mut out);
    assert_eq!(out.len(), 6 + template.len(patch));
    out.freeze().split_off(6)
}

fn publish(bytes: &Bytes, version: Version) -> Publish {
    match decode(&mut bytes.clone(), version, ANY_SIZE) {
        Ok(Some(Packet::Publish(publish))) => publish,
        other => panic!("{other:?}"),
    }
}

#[derive(Clone, Debug)]
struct OwnedPatch {
    packet_id: u16,
    dup: bool,
    subscription_ids: Vec<SubscriptionId>,
    alias: Option<(NonZeroU16, bool)>,
    message_expiry_secs: Option<u32>,
}

fn patch() -> impl Strategy<Value = OwnedPatch> {
    let subscription_ids = vec(
        (1..=SubscriptionId::MAX).prop_filter_map("0", SubscriptionId::new),
        0..3,
    );
    let alias = of((any::<NonZeroU16>(), any::<bool>()));
    (1..=u16::MAX, any::<bool>(), subscription_ids, alias, of(any::<u32>())).prop_map(
        |(packet_id, dup, subscription_ids, alias, message_expiry_secs)| OwnedPatch {
            packet_id,
            dup,
            subscription_ids,
            alias,
            message_expiry_secs,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever a receiver wishes, the patched template says the same as a PUBLISH encoded for it alone.
    #[test]
    fn a_patched_template_is_the_packet_encoded_anew(
        version in version(),
        qos in select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]),
        retain in any::<bool>(),
        properties in of(publish_properties()),
        payload in vec(any::<u8>(), 0..300),
        patch in patch(),
    ) {
        let payload = Bytes::from(payload);
        let template =
            Template::new(version, qos, retain, "a/b", properties.as_ref(), &payload).expect("it fits");
        let numbered = qos > QoS::AtMostOnce;
        let alias = patch.alias.map(|(number, known)| Alias { number, known });
        let wire = written(&template, &Patch {
            packet_id: PacketId::new(patch.packet_id).filter(|_| numbered),
            dup: patch.dup && numbered,
            subscription_ids: &patch.subscription_ids,
            alias,
            message_expiry_secs: patch.message_expiry_secs,
        });

        let is_v5 = version == Version::V5;
        let mut expected = properties.unwrap_or_default();
        expected.message_expiry_secs = patch.message_expiry_secs.or(expected.message_expiry_secs);
        expected.topic_alias = alias.map(|alias| alias.number);
        expected.subscription_ids = patch.subscription_ids.clone();
        let says_something = is_v5 && expected != PublishProperties::default();
        let by_alias = is_v5 && alias.is_some_and(|alias| alias.known);
        prop_assert_eq!(publish(&wire, version), Publish {
            dup: patch.dup && numbered,
            qos,
            retain,
            topic: if by_alias { TopicName::empty() } else { TopicName::new("a/b").expect("good") },
            packet_id: PacketId::new(patch.packet_id).filter(|_| numbered),
            properties: says_something.then(|| Box::new(expected)),
            payload,
        });
    }
}

#[test]
fn the_head_and_the_payload_make_the_packet() {
    for len in [0, 10, JOINED_PAYLOAD_BYTES_MAX, JOINED_PAYLOAD_BYTES_MAX + 1] {
        let payload = Bytes::from(vec![7; len]);
        let template = Template::new(Version::V5, QoS::AtLeastOnce, false, "a", None, &payload).expect("it fits");
        for alias in [
            None,
            Some(Alias {
                number: NonZeroU16::MIN,
                known: false,
            }),
        ] {
            let patch = Patch {
                packet_id: Some(PacketId::MAX),
                alias,
                ..Patch::default()
            };
            let mut head = BytesMut::new();
            template.write_head(&patch, &mut head);
            head.extend_from_slice(template.payload());
            assert_eq!(head, written(&template, &patch));
        }
    }
}

#[test]
fn a_rebuilt_template_keeps_nothing_of_the_message_before() {
    let properties = PublishProperties {
        message_expiry_secs: Some(9),
        ..PublishProperties::default()
    };
    let mut template = Template::new(
        Version::V5,
        QoS::ExactlyOnce,
        true,
        "long/topic",
        Some(&properties),
        &Bytes::from_static(b"old"),
    )
    .expect("it fits");
    template
        .rebuild(
            Version::V311,
            QoS::AtMostOnce,
            false,
            "t",
            None,
            &Bytes::from_static(b"p"),
        )
        .expect("it fits");
    assert_eq!(
        written(&template, &Patch::default()),
        Bytes::from_static(b"\x30\x04\0\x01tp")
    );
}

/// [MQTT-2.2.2-1] in 5.0: without properties there is a length of zero.
#[test]
fn v5_2_2_2_1_a_template_without_properties_says_so() {
    let template = Template::new(
        Version::V5,
        QoS::AtMostOnce,
        false,
        "t",
        None,
        &Bytes::from_static(b"p"),
    )
    .expect("it fits");
    assert_eq!(
        written(&template, &Patch::default()),
        Bytes::from_static(b"\x30\x05\0\x01t\0p")
    );
}

#[test]
fn what_cannot_be_represented_is_refused() {
    let nothing = Bytes::new();
    let long = "x".repeat(65_536);
    let build = |topic: &str, properties: Option<&PublishProperties>, payload: &Bytes| {
        Template::new(Version::V5, QoS::AtMostOnce, false, topic, properties, payload).map(drop)
    };
    assert_eq!(build(&long, None, &nothing), Err(EncodeError::TextTooLong));
    let properties = PublishProperties {
        content_type: Some(ByteString::from(long)),
        ..PublishProperties::default()
    };
    assert_eq!(build("t", Some(&properties), &nothing), Err(EncodeError::TextTooLong));
    let huge = Bytes::from(vec![0; REMAINING_LENGTH_MAX as usize]);
    assert_eq!(build("t", None, &huge), Err(EncodeError::PacketTooLarge));
}
