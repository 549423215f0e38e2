//! Any packet that can be sent, for the property tests.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::*;

pub(crate) fn version() -> impl Strategy<Value = Version> + Clone {
    select(&Version::ALL[..])
}

fn text() -> impl Strategy<Value = ByteString> + Clone {
    prop_oneof![4 => "[a-zé€😀 ]{0,9}", 1 => "\u{FEFF}[ -~]{0,200}"].prop_map(ByteString::from)
}

fn data() -> impl Strategy<Value = Bytes> + Clone {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn topic() -> impl Strategy<Value = TopicName> + Clone {
    "[a-z/$é ]{1,20}".prop_map(|text| TopicName::new(text).expect("no wildcard in it"))
}

pub(crate) fn filter() -> impl Strategy<Value = TopicFilter> + Clone {
    ("(\\$share/[a-z]{1,3}/)?", vec("\\+|[a-z$]{0,4}", 1..5), "(/#)?")
        .prop_filter_map("an empty filter", |(share, levels, tail)| {
            TopicFilter::new(format!("{share}{}{tail}", levels.join("/"))).ok()
        })
}

fn qos() -> impl Strategy<Value = QoS> + Clone {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn packet_id() -> impl Strategy<Value = PacketId> + Clone {
    (1..=u16::MAX).prop_map(|number| PacketId::new(number).expect("above 0"))
}

fn subscription_id() -> impl Strategy<Value = SubscriptionId> + Clone {
    prop_oneof![1..300_u32, 1..=SubscriptionId::MAX].prop_map(|number| SubscriptionId::new(number).expect("in range"))
}

fn user_properties() -> impl Strategy<Value = UserProperties> + Clone {
    vec((text(), text()), 0..3)
}

fn number_16() -> impl Strategy<Value = NonZeroU16> + Clone {
    any::<NonZeroU16>()
}

pub(crate) fn publish_properties() -> impl Strategy<Value = PublishProperties> {
    let first = (of(any::<bool>()), of(any::<u32>()), of(number_16()), of(topic()));
    let second = (of(data()), user_properties(), vec(subscription_id(), 0..4), of(text()));
    (first, second).prop_map(|(first, second)| PublishProperties {
        payload_format: first.0,
        message_expiry_secs: first.1,
        topic_alias: first.2,
        response_topic: first.3,
        correlation_data: second.0,
        user_properties: second.1,
        subscription_ids: second.2,
        content_type: second.3,
    })
}

/// Boxed properties; `None` stands for those that say nothing, as the decoder has it.
fn boxed<P: Default + PartialEq>(properties: Option<P>) -> Option<Box<P>> {
    properties
        .filter(|properties| *properties != P::default())
        .map(Box::new)
}

fn publish(version: Version) -> impl Strategy<Value = Publish> {
    let head = (any::<bool>(), qos(), any::<bool>(), any::<bool>(), packet_id());
    (head, topic(), of(publish_properties()), data()).prop_map(move |(head, topic, properties, payload)| {
        let (dup, qos, retain, by_alias, packet_id) = head;
        let properties = boxed(properties.filter(|_| version == Version::V5));
        let has_alias = properties
            .as_ref()
            .is_some_and(|properties| properties.topic_alias.is_some());
        Publish {
            dup: dup && qos > QoS::AtMostOnce,
            qos,
            retain,
            topic: if by_alias && has_alias {
                TopicName::empty()
            } else {
                topic
            },
            packet_id: (qos > QoS::AtMostOnce).then_some(packet_id),
            properties,
            payload,
        }
    })
}

fn will(version: Version) -> impl Strategy<Value = Will> {
    (
        topic(),
        data(),
        qos(),
        any::<bool>(),
        any::<u32>(),
        of(publish_properties()),
    )
        .prop_map(move |(topic, payload, qos, retain, delay_secs, properties)| {
            let properties = properties
                .filter(|_| version == Version::V5)
                .map(|properties| PublishProperties {
                    topic_alias: None,
                    subscription_ids: Vec::new(),
                    ..properties
                });
            let delay_secs = if version == Version::V5 { delay_secs } else { 0 };
            Will {
                topic,
                payload,
                qos,
                retain,
                delay_secs,
                properties: boxed(properties),
            }
        })
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    let first = (of(any::<u32>()), of(number_16()), of(any::<NonZeroU32>()), any::<u16>());
    let second = (
        any::<bool>(),
        any::<bool>(),
        user_properties(),
        of((text(), of(data()))),
    );
    (first, second).prop_map(|(first, second)| {
        let (authentication_method, authentication_data) = second.3.unzip();
        ConnectProperties {
            session_expiry_secs: first.0,
            receive_maximum: first.1,
            packet_size_max: first.2,
            topic_alias_max: first.3,
            request_response_information: second.0,
            request_problem_information: second.1,
            user_properties: second.2,
            authentication_method,
            authentication_data: authentication_data.flatten(),
        }
    })
}

pub(crate) fn connect(version: Version) -> impl Strategy<Value = Connect> {
    let head = (any::<bool>(), any::<bool>(), any::<u16>(), text());
    (head, of(will(version)), of(text()), of(data()), connect_properties()).prop_map(
        move |(head, will, username, password, properties)| {
            let is_v5 = version == Version::V5;
            Connect {
                version,
                bridge: head.0 && !is_v5,
                clean_start: head.1,
                keep_alive_secs: head.2,
                client_id: ClientId::new(head.3).expect("no U+0000 in it"),
                will,
                password: password.filter(|_| is_v5 || username.is_some()),
                username,
                properties: if is_v5 {
                    properties
                } else {
                    ConnectProperties::default()
                },
            }
        },
    )
}

fn connack_properties() -> impl Strategy<Value = ConnackProperties> {
    let limits = (
        of(any::<u32>()),
        of(number_16()),
        of(any::<bool>()),
        of(any::<NonZeroU32>()),
        of(any::<u16>()),
    );
    let available = (
        of(any::<bool>()),
        of(any::<bool>()),
        of(any::<bool>()),
        of(any::<bool>()),
    );
    let texts = (of(text()), of(text()), of(text()), of(text()), of((text(), of(data()))));
    (limits, available, texts, user_properties(), of(any::<u16>())).prop_map(
        |(limits, available, texts, user_properties, server_keep_alive_secs)| {
            let (authentication_method, authentication_data) = texts.4.unzip();
            ConnackProperties {
                session_expiry_secs: limits.0,
                receive_maximum: limits.1,
                qos_max: limits.2.map(|one| if one { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
                retain_available: available.0,
                packet_size_max: limits.3,
                assigned_client_id: texts.0.map(|text| ClientId::new(text).expect("no U+0000 in it")),
                topic_alias_max: limits.4,
                reason_string: texts.1,
                user_properties,
                wildcard_subscription_available: available.1,
                subscription_ids_available: available.2,
                shared_subscription_available: available.3,
                server_keep_alive_secs,
                response_information: texts.2,
                server_reference: texts.3,
                authentication_method,
                authentication_data: authentication_data.flatten(),
            }
        },
    )
}

fn connack(version: Version) -> impl Strategy<Value = Connack> {
    let reasons: Vec<_> = match version {
        Version::V31 | Version::V311 => (0..6).filter_map(ConnackReason::from_v3_code).collect(),
        Version::V5 => ConnackReason::ALL.to_vec(),
    };
    (any::<bool>(), select(reasons), connack_properties()).prop_map(move |(present, reason, properties)| Connack {
        session_present: present && reason == ConnackReason::Success && version != Version::V31,
        reason,
        properties: if version == Version::V5 {
            properties
        } else {
            ConnackProperties::default()
        },
    })
}

fn ack_properties(version: Version) -> impl Strategy<Value = AckProperties> {
    (of(text()), user_properties()).prop_map(move |(reason_string, user_properties)| match version {
        Version::V31 | Version::V311 => AckProperties::default(),
        Version::V5 => AckProperties {
            reason_string,
            user_properties,
        },
    })
}

/// The reasons that the wire of a version can carry.
fn reason<R: Copy + std::fmt::Debug + 'static>(all: &'static [R], version: Version) -> impl Strategy<Value = R> {
    select(if version == Version::V5 { all } else { &all[..1] })
}

macro_rules! acknowledgement {
    ($packet:ident, $reason:ident, $version:expr) => {
        (packet_id(), reason($reason::ALL, $version), ack_properties($version)).prop_map(
            |(packet_id, reason, properties)| {
                Packet::$packet($packet {
                    packet_id,
                    reason,
                    properties: boxed(Some(properties)),
                })
            },
        )
    };
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe> {
    let options = (qos(), any::<bool>(), any::<bool>(), 0..3_u8);
    let one = (filter(), options).prop_map(move |(filter, (qos, no_local, retain_as_published, handling))| {
        let is_v5 = version == Version::V5;
        SubscribeFilter {
            no_local: no_local && is_v5 && filter.share().is_none(),
            filter,
            qos,
            retain_as_published: retain_as_published && is_v5,
            retain_handling: match handling {
                1 if is_v5 => RetainHandling::SendIfNew,
                2 if is_v5 => RetainHandling::DoNotSend,
                _ => RetainHandling::Send,
            },
        }
    });
    (packet_id(), of(subscription_id()), user_properties(), vec(one, 1..5)).prop_map(
        move |(packet_id, subscription_id, user_properties, filters)| match version {
            Version::V31 | Version::V311 => Subscribe {
                packet_id,
                subscription_id: None,
                user_properties: UserProperties::new(),
                filters,
            },
            Version::V5 => Subscribe {
                packet_id,
                subscription_id,
                user_properties,
                filters,
            },
        },
    )
}

fn suback(version: Version) -> impl Strategy<Value = Suback> {
    // The first four are those that 3.x has.
    let reasons = if version == Version::V5 {
        SubackReason::ALL
    } else {
        &SubackReason::ALL[..4]
    };
    (packet_id(), ack_properties(version), vec(select(reasons), 1..5)).prop_map(|(packet_id, properties, reasons)| {
        Suback {
            packet_id,
            properties,
            reasons,
        }
    })
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), user_properties(), vec(filter(), 1..5)).prop_map(move |(packet_id, user_properties, filters)| {
        let user_properties = if version == Version::V5 {
            user_properties
        } else {
            UserProperties::new()
        };
        Unsubscribe {
            packet_id,
            user_properties,
            filters,
        }
    })
}

fn unsuback(version: Version) -> impl Strategy<Value = Unsuback> {
    (
        packet_id(),
        ack_properties(version),
        vec(select(UnsubackReason::ALL), 1..5),
    )
        .prop_map(move |(packet_id, properties, reasons)| {
            let reasons = if version == Version::V5 { reasons } else { Vec::new() };
            Unsuback {
                packet_id,
                properties,
                reasons,
            }
        })
}

fn disconnect(version: Version) -> impl Strategy<Value = Disconnect> {
    let reason = reason(DisconnectReason::ALL, version);
    (reason, of(any::<u32>()), of(text()), user_properties(), of(text())).prop_map(
        move |(reason, session_expiry_secs, reason_string, user_properties, server_reference)| match version {
            Version::V31 | Version::V311 => Disconnect::new(DisconnectReason::NormalDisconnection),
            Version::V5 => Disconnect {
                reason,
                session_expiry_secs,
                reason_string,
                user_properties,
                server_reference,
            },
        },
    )
}

fn auth() -> impl Strategy<Value = Auth> {
    (
        select(AuthReason::ALL),
        text(),
        of(data()),
        of(text()),
        user_properties(),
    )
        .prop_map(|(reason, method, data, reason_string, user_properties)| Auth {
            reason,
            method: Some(method),
            data,
            reason_string,
            user_properties,
        })
}

/// A packet that `version` has.
pub(crate) fn packet(version: Version) -> BoxedStrategy<Packet> {
    let old = prop_oneof![
        connect(version).prop_map(|packet| Packet::Connect(Box::new(packet))),
        connack(version).prop_map(|packet| Packet::Connack(Box::new(packet))),
        publish(version).prop_map(Packet::Publish),
        acknowledgement!(Puback, PubackReason, version),
        acknowledgement!(Pubrec, PubrecReason, version),
        acknowledgement!(Pubrel, PubrelReason, version),
        acknowledgement!(Pubcomp, PubcompReason, version),
        subscribe(version).prop_map(Packet::Subscribe),
        suback(version).prop_map(Packet::Suback),
    ];
    let small = prop_oneof![
        unsubscribe(version).prop_map(Packet::Unsubscribe),
        unsuback(version).prop_map(Packet::Unsuback),
        Just(Packet::Pingreq),
        Just(Packet::Pingresp),
        disconnect(version).prop_map(Packet::Disconnect),
    ];
    match version {
        Version::V31 | Version::V311 => prop_oneof![9 => old, 5 => small].boxed(),
        Version::V5 => {
            prop_oneof![9 => old, 5 => small, 1 => auth().prop_map(|packet| Packet::Auth(Box::new(packet)))].boxed()
        }
    }
}

pub(crate) fn packet_of_any_version() -> impl Strategy<Value = (Version, Packet)> {
    version().prop_flat_map(|version| (Just(version), packet(version)))
}
