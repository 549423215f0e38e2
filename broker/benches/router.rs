//! What a search, a subscription and its end cost, and how much memory a subscription takes.
//!
//! `cargo bench -p strowger-broker --bench router`. The memory figure comes first and needs Linux: it is what the
//! process grew by, so run it without a filter that hides it.

use std::hint::black_box;
use std::time::Duration;

use broker::key::SessionKey;
use broker::router::{Matches, Router, RouterLimits, SubscriptionOptions};
use criterion::{BatchSize, Criterion};
use mqtt_codec::{QoS, TopicFilter};

const SESSIONS: u32 = 1_000;
const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];
const PAGE_BYTES: usize = 4_096;
/// What the design allows a subscription in the router.
const BYTES_PER_SUBSCRIPTION_MAX: usize = 150;

fn filter(text: String) -> TopicFilter {
    TopicFilter::new(text).expect("a valid filter")
}

fn options() -> SubscriptionOptions {
    SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        id: None,
    }
}

fn session(number: u32) -> SessionKey {
    SessionKey::new(0, number % SESSIONS, 1)
}

fn empty() -> Router {
    Router::new(RouterLimits {
        subscriptions_per_session_max: u32::MAX,
        topic_levels_max: 128,
        seed: 42,
    })
}

fn subscribe(router: &mut Router, number: u32) {
    let filter = filter(format!("device/{number}/cmd"));
    router
        .subscribe(session(number), &filter, options())
        .expect("within limits");
}

/// `count` subscriptions with `device/<n>/cmd`, evenly spread over the sessions.
fn fleet(count: u32) -> Router {
    let mut router = empty();
    (0..count).for_each(|number| subscribe(&mut router, number));
    router
}

/// Bytes that the process has in memory; 0 where there is no `/proc`.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<usize> = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}

/// Must run before anything else has made holes in the heap.
fn memory() {
    let before = resident_bytes();
    let mut router = empty();
    let mut taken = 0;
    for count in [100_000_u32, 1_000_000] {
        (taken..count).for_each(|number| subscribe(&mut router, number));
        taken = count;
        let each = (resident_bytes() - before) / count as usize;
        println!("memory: {each} bytes per subscription at {count}");
        assert!(
            each <= BYTES_PER_SUBSCRIPTION_MAX,
            "more than {BYTES_PER_SUBSCRIPTION_MAX}: look at Node and Edges"
        );
    }
    black_box(&router);
}

/// `device/<n>/cmd` for all `n` below `count`, in an order that meets cold memory with each search, as a broker's do.
fn topics(count: u32) -> Vec<String> {
    (0..count.min(100_000))
        .map(|number| format!("device/{}/cmd", u64::from(number) * 7_919 % u64::from(count)))
        .collect()
}

fn find_each(criterion: &mut Criterion, name: &str, router: &Router, topics: &[String]) {
    let mut found = Matches::default();
    let mut next = topics.iter().cycle();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            router.find(next.next().map_or("", String::as_str), &mut found);
            black_box(found.receivers.len())
        });
    });
}

/// Searches among exact filters, then among as many wildcards, one for each topic; then what it takes to change them.
fn by_size(criterion: &mut Criterion) {
    for count in SIZES {
        let topics = topics(count);
        let mut router = fleet(count);
        find_each(criterion, &format!("find/exact/{count}"), &router, &topics);
        change(criterion, &mut router, count);
        drop(router);
        let mut router = empty();
        for number in 0..count {
            let filter = filter(format!("device/{number}/+"));
            router
                .subscribe(session(number), &filter, options())
                .expect("within limits");
        }
        find_each(criterion, &format!("find/wildcard/{count}"), &router, &topics);
    }
}

fn find_wildcards(criterion: &mut Criterion) {
    let mut found = Matches::default();
    let mut router = fleet(100_000);
    for (number, text) in (0..).zip(["#", "device/#", "device/+/cmd", "+/+/cmd", "device/77/+", "+/77/#"]) {
        router
            .subscribe(session(number), &filter(text.to_owned()), options())
            .expect("within limits");
    }
    criterion.bench_function("find/overlapping/7", |bencher| {
        bencher.iter(|| {
            router.find("device/77/cmd", &mut found);
            black_box(found.receivers.len())
        });
    });
    let news = filter("news".to_owned());
    for number in 0..500 {
        router
            .subscribe(SessionKey::new(0, number, 1), &news, options())
            .expect("within limits");
    }
    criterion.bench_function("find/one-topic-for-500", |bencher| {
        bencher.iter(|| {
            router.find("news", &mut found);
            black_box(found.receivers.len())
        });
    });
}

fn change(criterion: &mut Criterion, router: &mut Router, count: u32) {
    let mut number = count;
    let mut next = || {
        number += 1;
        (session(number), filter(format!("device/{number}/cmd")))
    };
    criterion.bench_function(&format!("subscribe+unsubscribe/{count}"), |bencher| {
        bencher.iter_batched(
            &mut next,
            |(session, filter)| {
                router.subscribe(session, &filter, options()).expect("within limits");
                router.unsubscribe(session, &filter)
            },
            BatchSize::SmallInput,
        );
    });
}

fn remove_session(criterion: &mut Criterion) {
    let mut router = fleet(100_000);
    let mut leaving = 0;
    criterion.bench_function("a session of 1000 comes and leaves/100000", |bencher| {
        bencher.iter(|| {
            leaving += 1;
            let who = SessionKey::new(1, leaving, 1);
            for number in 0..1_000 {
                let filter = filter(format!("own/{leaving}/{number}"));
                router.subscribe(who, &filter, options()).expect("within limits");
            }
            router.remove_session(who)
        });
    });
}

fn main() {
    memory();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    by_size(&mut criterion);
    find_wildcards(&mut criterion);
    remove_session(&mut criterion);
    criterion.final_summary();
}
