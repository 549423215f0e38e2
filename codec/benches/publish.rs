//! What a PUBLISH costs: to read, to write, and to write once more from its template, with the receiver's numbers.
//!
//! `cargo bench -p mqtt-codec --bench publish`. A sample reads or writes 64 packets in one buffer; the throughput counts
//! packets.

use std::hint::black_box;
use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use mqtt_codec::{
    Alias, PacketId, Patch, Publish, PublishProperties, QoS, SubscriptionId, Template, TopicName, Version, decode,
};

const BATCH: usize = 64;
const SIZES: [(usize, &str); 3] = [(64, "64 B"), (1 << 10, "1 KiB"), (16 << 10, "16 KiB")];

fn publish(qos: QoS, payload_bytes: usize) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::new("plant/7/line/3/temperature").expect("a topic"),
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: None,
        payload: vec![b'x'; payload_bytes].into(),
    }
}

/// The properties of a request in 5.0.
fn properties() -> Box<PublishProperties> {
    Box::new(PublishProperties {
        message_expiry_secs: Some(60),
        response_topic: Some(TopicName::new("plant/7/answers").expect("a topic")),
        correlation_data: Some(Bytes::from_static(b"question 17")),
        content_type: Some("application/json".into()),
        ..PublishProperties::default()
    })
}

fn decode_and_encode(criterion: &mut Criterion, name: &str, version: Version, publish: &Publish) {
    let mut bytes = BytesMut::new();
    for _ in 0..BATCH {
        publish.encode(version, &mut bytes).expect("a packet with a wire form");
    }
    let stream = bytes.freeze();
    let mut out = BytesMut::with_capacity(stream.len());
    let mut group = criterion.benchmark_group(format!("PUBLISH/{version}/{name}"));
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
                let written = black_box(publish).encode(version, &mut out);
                written.expect("a packet with a wire form");
            }
        });
    });
    group.finish();
}

fn template(criterion: &mut Criterion, size: &str, payload_bytes: usize) {
    let Publish { topic, payload, .. } = publish(QoS::AtLeastOnce, payload_bytes);
    let build = || Template::new(Version::V5, QoS::AtLeastOnce, false, &topic, None, &payload);
    let mut form = build().expect("a packet with a wire form");
    let plain = Patch {
        packet_id: Some(PacketId::MIN),
        ..Patch::default()
    };
    let ids = [SubscriptionId::new(7).expect("above 0")];
    let number = NonZeroU16::MIN;
    let patched = Patch {
        subscription_ids: &ids,
        alias: Some(Alias { number, known: true }),
        ..plain
    };
    let mut out = BytesMut::with_capacity(BATCH * (payload_bytes + 64));
    let mut group = criterion.benchmark_group(format!("Template/{size}"));
    group.bench_function("rebuild", |bencher| {
        bencher.iter(|| {
            let qos = black_box(QoS::AtLeastOnce);
            form.rebuild(Version::V5, qos, false, &topic, None, &payload)
        });
    });
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, patch) in [
        ("write, packet id", plain),
        ("write, alias and subscription id", patched),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                (0..BATCH).for_each(|_| form.write(black_box(&patch), &mut out));
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .nresamples(1000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    for (payload_bytes, size) in SIZES {
        for version in [Version::V311, Version::V5] {
            decode_and_encode(&mut criterion, size, version, &publish(QoS::AtMostOnce, payload_bytes));
        }
        template(&mut criterion, size, payload_bytes);
    }
    decode_and_encode(
        &mut criterion,
        "64 B, QoS 1",
        Version::V311,
        &publish(QoS::AtLeastOnce, 64),
    );
    let mut request = publish(QoS::AtMostOnce, 64);
    request.properties = Some(properties());
    decode_and_encode(&mut criterion, "64 B, properties", Version::V5, &request);
    criterion.final_summary();
}
