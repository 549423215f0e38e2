//! Many connections that mostly wait: what one of them costs in CPU to set up and in memory to keep.

use std::time::Duration;

use super::{Meter, PATIENCE, report_memory};
use crate::args::Run;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Wish};
use crate::frame::{Mark, Packet, Qos, Template};
use crate::histogram::Histogram;
use crate::report::{Report, Tally, ratio};

/// Opens `count` subscribers, lets the broker settle, then sends each its message through one further connection.
pub(super) fn play(run: &Run, count: u32) -> Result<Report, Failure> {
    const SETTLE: Duration = Duration::from_secs(1);
    let meter = Meter::new(run);
    let rss_before = meter.broker_rss_kib()?;
    let before = meter.sample(0)?;
    // The publisher comes last, as connection number `count`.
    let mut wishes: Vec<_> = (0..count)
        .map(|number| Wish::listening(name(number), Qos::AtMostOnce))
        .collect();
    wishes.push(Wish::default());
    let mut fleet = Fleet::open(run.target(), &wishes)?;
    let opened = meter.sample(0)?;
    std::thread::sleep(SETTLE);
    let rss_after = meter.broker_rss_kib()?;

    let mut latency = Histogram::new();
    let tally = send_one_each(&mut fleet, run, count, &mut latency)?;
    fleet.close();

    let per_connection = |total: u64| ratio(total, u64::from(count));
    let mut report = Report::new("connections", tally);
    report.count("connections", count);
    report.count("payload_bytes", u64::try_from(run.payload).unwrap_or(u64::MAX));
    let cpu = before
        .broker_cpu_ns
        .zip(opened.broker_cpu_ns)
        .map(|(from, upto)| per_connection(upto - from) / 1_000.0);
    report.measure("broker_cpu_us_per_connection", cpu);
    let own = opened.own_cpu_ns - before.own_cpu_ns;
    report.measure("generator_cpu_us_per_connection", Some(per_connection(own) / 1_000.0));
    report.measure("connect_seconds", Some((opened.at - before.at).as_secs_f64()));
    report_memory(&mut report, "broker_rss_before_kib", rss_before);
    report_memory(&mut report, "broker_rss_after_kib", rss_after);
    let grown = rss_before
        .zip(rss_after)
        .map(|(from, upto)| per_connection(upto.saturating_sub(from) * 1_024));
    report.measure("bytes_per_connection", grown);
    report.latency("", &latency);
    Ok(report)
}

/// Publishes to every topic in one go and waits until all has arrived, or until nothing arrives any more.
fn send_one_each(fleet: &mut Fleet, run: &Run, count: u32, latency: &mut Histogram) -> Result<Tally, Failure> {
    let clock = Clock::start();
    let total = u64::from(count);
    let mut tally = Tally {
        sent: total,
        expected: total,
        ..Tally::default()
    };
    let publisher = usize::try_from(count).unwrap_or(usize::MAX);
    if let Some(link) = fleet.link(publisher) {
        for number in 0..count {
            let message = Template::new(&name(number), Qos::AtMostOnce, run.payload, number);
            message.append(0, clock.nanos(), link.out());
        }
        link.flush()?;
    }
    let mut heard = vec![false; publisher];
    let (mut progress_at, mut stirred) = (clock.elapsed(), Vec::new());
    while tally.received < total && clock.elapsed() < progress_at + PATIENCE {
        fleet.wait(Duration::from_millis(10), &mut stirred)?;
        for event in &stirred {
            if event.writable {
                fleet.flush(event.index)?;
            }
            if event.readable {
                fleet.receive(event.index, |packet, _| {
                    let Packet::Publish { payload, .. } = packet else {
                        return;
                    };
                    let Some(mark) = Mark::read(payload) else { return };
                    match heard.get_mut(event.index) {
                        Some(seen @ false) if usize::try_from(mark.publisher) == Ok(event.index) => {
                            *seen = true;
                            tally.received += 1;
                            latency.record(clock.nanos().saturating_sub(mark.stamp_ns));
                        }
                        // A second copy, or a message for somebody else.
                        _ => tally.repeated += 1,
                    }
                })?;
                progress_at = clock.elapsed();
            }
        }
    }
    Ok(tally)
}

fn name(number: u32) -> String {
    format!("own/{number}")
}
