//! What a decision costs with books of 1,000 lines, and what a book takes to read.
//!
//! `cargo bench -p strowger-broker --bench rights`

use std::fmt::Write;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use broker::acl::{Action, Rights, Subject};
use broker::identity::Identity;
use criterion::Criterion;
use mqtt_codec::QoS;

const LINES: u32 = 1_000;
const TOPIC: &str = "plant/7/line/3/temperature";

/// A book, with its name.
struct Case {
    name: &'static str,
    book: String,
}

fn book(name: &'static str, line: impl Fn(u32, &mut String)) -> Case {
    let mut book = String::new();
    (0..LINES).for_each(|number| line(number, &mut book));
    Case { name, book }
}

fn line(book: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _infallible = writeln!(book, "{text}");
}

/// In each, the last line that a look can find is the one that allows.
fn cases() -> [Case; 4] {
    [
        book("a section for each of 500 users", |number, book| match number % 2 {
            0 => line(book, format_args!("user device{}", number / 2)),
            _ => line(book, format_args!("topic readwrite plant/7/#")),
        }),
        book("1,000 topics of one user", |number, book| match number {
            0 => line(book, format_args!("user device7")),
            999 => line(book, format_args!("topic readwrite plant/+/line/+/temperature")),
            _ => line(book, format_args!("topic readwrite plant/{number}/line/+/pressure")),
        }),
        book(
            "1,000 lines for everyone, wildcards in front",
            |number, book| match number {
                999 => line(book, format_args!("allow all plant/#")),
                _ => line(book, format_args!("deny all +/+/row/{number}/#")),
            },
        ),
        book("groups, listeners, addresses, patterns", |number, book| {
            match number % 8 {
                0 => line(book, format_args!("group crew{number}")),
                2 => line(book, format_args!("listener tls{number}")),
                4 => line(book, format_args!("address 10.{}.{}.0/24", number / 256, number % 256)),
                6 => line(
                    book,
                    format_args!("pattern readwrite plant/7/line/3/temperature/%c/{number}"),
                ),
                _ if number == 999 => line(book, format_args!("pattern readwrite plant/7/#")),
                _ => line(book, format_args!("allow all plant/{number}/#")),
            }
        }),
    ]
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    let mut identity = Identity::named(Some("device7"), Arc::from("tls6"));
    identity.groups = vec!["crew8".into(), "crew16".into()];
    let subject = Subject {
        identity: &identity,
        client_id: "client7",
        address: Some(IpAddr::from([10, 0, 4, 1])),
    };
    let mut group = criterion.benchmark_group("rights");
    for Case { name, book } in cases() {
        let rights = Rights::parse("bench", &book).expect("a book without faults");
        let decide = |action, asked| rights.decide(&subject, action, asked, QoS::AtLeastOnce, false);
        assert!(decide(Action::Publish, TOPIC).allowed, "{name}");
        group.bench_function(format!("publish, {name}"), |bencher| {
            bencher.iter(|| decide(Action::Publish, black_box(TOPIC)));
        });
        group.bench_function(format!("subscribe to #, {name}"), |bencher| {
            bencher.iter(|| decide(Action::Subscribe, black_box("#")));
        });
        group.bench_function(format!("read, {name}"), |bencher| {
            bencher.iter(|| Rights::parse("bench", black_box(&book)));
        });
    }
    group.finish();
    criterion.final_summary();
}
