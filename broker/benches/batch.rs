//! What one batch through the line costs, for each path: 64 PUBLISH packets from one read, decoded, judged, matched,
//! written into outboxes, taken out, and acknowledged to the end.
//!
//! `cargo bench -p strowger-broker --bench batch`. The throughput counts delivered messages.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use rig::{PATHS, Rig};

mod rig;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group("batch");
    for path in PATHS {
        let mut rig = Rig::new(path);
        group.throughput(Throughput::Elements(path.deliveries() as u64));
        group.bench_function(path.name, |bencher| bencher.iter(|| rig.round()));
        rig.delivered();
    }
    group.finish();
    criterion.final_summary();
}
