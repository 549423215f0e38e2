//! What the life of an exchange costs: the table as a value, and the phases as types, which should cost next to nothing
//! because the compiler has asked the table already.
//!
//! `cargo bench -p strowger-broker --bench exchange`

use std::hint::black_box;
use std::time::Duration;

use broker::exchange::{DeliverEvent, DeliverStep, Ended, Event, Exchange, Kind, Refusal, Status};
use criterion::{Criterion, Throughput};

/// All 36 cells of the table.
fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange");
    group.throughput(Throughput::Elements((Status::ALL.len() * Event::ALL.len()) as u64));
    group.bench_function("Status::next", |bencher| {
        bencher.iter(|| {
            for status in Status::ALL {
                for event in Event::ALL {
                    black_box(black_box(status).next(black_box(event)));
                }
            }
        });
    });
    group.finish();
}

fn phases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange");
    group.bench_function("start, finish", |bencher| {
        bencher.iter(|| Ended::from(Exchange::open(black_box(Kind::Publish)).start().finish()));
    });
    group.bench_function("start, block, resume, stop", |bencher| {
        bencher.iter(|| {
            let exchange = Exchange::open(black_box(Kind::Publish)).start().block().resume();
            Ended::from(exchange.stop(black_box(Refusal::NotAuthorized)))
        });
    });
    group.bench_function("deliver QoS 2", |bencher| {
        bencher.iter(|| {
            let released = black_box(DeliverStep::AwaitPubrec).next(black_box(DeliverEvent::Pubrec));
            released.and_then(|step| step.next(black_box(DeliverEvent::Pubcomp)))
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    table(&mut criterion);
    phases(&mut criterion);
    criterion.final_summary();
}
