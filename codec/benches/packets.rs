//! What each packet costs to read and to write, in 3.1.1 and in 5.0. PUBLISH has a bench of its own.
//!
//! `cargo bench -p mqtt-codec --bench packets`. A sample reads or writes 64 packets that stand in one buffer, as they
//! come with one read of a socket; the throughput counts packets.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use mqtt_codec::{
    AckProperties, Auth, AuthReason, ClientId, Connack, ConnackReason, Connect, Disconnect, DisconnectReason, Packet,
    PacketId, Puback, PubackReason, Pubcomp, PubcompReason, Pubrec, PubrecReason, Pubrel, PubrelReason, QoS, Suback,
    SubackReason, Subscribe, SubscribeFilter, TopicFilter, Unsuback, UnsubackReason, Unsubscribe, Version, decode,
};

const BATCH: usize = 64;
const ID: PacketId = PacketId::MIN;

fn filter() -> TopicFilter {
    TopicFilter::new("plant/7/line/+/temperature").expect("a filter")
}

fn connect(version: Version) -> Packet {
    let mut connect = Connect::new(version, ClientId::new("sensor-000017").expect("a client id"));
    connect.keep_alive_secs = 60;
    connect.username = Some("sensor".into());
    connect.password = Some(Bytes::from_static(b"correct horse"));
    Packet::Connect(Box::new(connect))
}

fn packets(version: Version) -> Vec<Packet> {
    let wide = version == Version::V5;
    let mut packets = vec![
        connect(version),
        Packet::Connack(Box::new(Connack::refuse(ConnackReason::NotAuthorized))),
        Packet::Puback(Puback::new(ID, PubackReason::Success)),
        Packet::Pubrec(Pubrec::new(ID, PubrecReason::Success)),
        Packet::Pubrel(Pubrel::new(ID, PubrelReason::Success)),
        Packet::Pubcomp(Pubcomp::new(ID, PubcompReason::Success)),
        Packet::Subscribe(Subscribe {
            packet_id: ID,
            subscription_id: None,
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter::new(filter(), QoS::AtLeastOnce)],
        }),
        Packet::Suback(Suback {
            packet_id: ID,
            properties: AckProperties::default(),
            reasons: vec![SubackReason::granted(QoS::AtLeastOnce)],
        }),
        Packet::Unsubscribe(Unsubscribe {
            packet_id: ID,
            user_properties: Vec::new(),
            filters: vec![filter()],
        }),
        Packet::Unsuback(Unsuback {
            packet_id: ID,
            properties: AckProperties::default(),
            reasons: if wide {
                vec![UnsubackReason::Success]
            } else {
                Vec::new()
            },
        }),
        Packet::Pingreq,
        Packet::Pingresp,
        Packet::Disconnect(Disconnect::new(DisconnectReason::NormalDisconnection)),
    ];
    if wide {
        packets.push(Packet::Auth(Box::new(Auth {
            reason: AuthReason::ContinueAuthentication,
            method: Some("SCRAM-SHA-256".into()),
            data: Some(Bytes::from_static(b"r=fyko+d2lbbFgONRv9qkxdawL")),
            reason_string: None,
            user_properties: Vec::new(),
        })));
    }
    packets
}

fn read_and_write(criterion: &mut Criterion, version: Version, packet: &Packet) {
    let mut bytes = BytesMut::new();
    for _ in 0..BATCH {
        packet.encode(version, &mut bytes).expect("a packet with a wire form");
    }
    let stream = bytes.freeze();
    let (kind, mut out) = (packet.kind(), BytesMut::with_capacity(stream.len()));
    let mut group = criterion.benchmark_group(format!("{kind}/{version}"));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut rest = stream.clone();
            while let Some(packet) = decode(&mut rest, version, u32::MAX).expect("a good packet") {
                black_box(packet);
            }
        });
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            for _ in 0..BATCH {
                let written = black_box(packet).encode(version, &mut out);
                written.expect("a packet with a wire form");
            }
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .nresamples(1000)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    for version in [Version::V311, Version::V5] {
        for packet in packets(version) {
            read_and_write(&mut criterion, version, &packet);
        }
    }
    criterion.final_summary();
}
