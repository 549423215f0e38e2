//! The law of conservation, term by term, and the time from a PUBLISH to its delivery.

use actors::Figures;
use actors::broker::counters::Counters;

use super::family::families;
use super::page::Page;

families! {
    "The law of conservation, and delivery";
    Gauge UNACCOUNTED "strowger_messages_unaccounted" ["line", "side"] "Messages that the broker cannot account for: side received has PUBLISH exchanges, side copies has what was to be delivered. 0 unless the broker has a fault.";
    Gauge OPEN "strowger_publishes_open" [] "PUBLISH exchanges of clients that await their PUBREL or the end of a rule's hold.";
    Counter MADE "strowger_copies_made_total" [] "Copies of messages made: one for each receiver and shared group that a message matched, and for each retained message that a subscription asked for.";
    Counter DELIVERED "strowger_copies_delivered_total" [] "Copies delivered: written at QoS 0, acknowledged to the end at QoS 1 and 2.";
    Counter RESTORED "strowger_copies_restored_total" [] "Copies that came back from the store, which alone knew of them.";
    Counter VANISHED "strowger_copies_vanished_total" [] "Copies that were counted as waiting in the store and turned out not to be there.";
    Counter FORWARDED_OUT "strowger_copies_forwarded_total" ["line"] "Copies that the line sent to other lines.";
    Counter FORWARDED_IN "strowger_copies_taken_over_total" ["line"] "Copies that the line took over from other lines.";
    Gauge TRANSIT "strowger_copies_in_transit" [] "Copies between lines: sent by one and not yet taken over by the other. Lines answer a scrape one after the other, so that under load it may be off, also below 0.";
    Histogram DELIVERY "strowger_delivery_seconds" ["line"] "From the read of a PUBLISH to the write of its delivery. What is written at once counts by the oldest of its write; retained messages and what the broker finds in its store at the start do not count.";
}

/// Adds them.
pub(super) fn fill(page: &mut Page, figures: &Figures, counters: &Counters) {
    for (line, of_line) in figures.lines.iter().enumerate() {
        let Some(of_line) = of_line else { continue };
        let (line, law) = (line.to_string(), of_line.counters.law());
        page.add(&UNACCOUNTED, &[&line, "received"], law.received_unaccounted() as f64);
        page.add(&UNACCOUNTED, &[&line, "copies"], law.copies_unaccounted() as f64);
        page.count(&FORWARDED_OUT, &[&line], law.copies.forwarded_out);
        page.count(&FORWARDED_IN, &[&line], law.copies.forwarded_in);
        page.durations(&DELIVERY, &[&line], &of_line.counters.delivery);
    }
    let law = counters.law();
    page.count(&OPEN, &[], law.open);
    page.count(&MADE, &[], law.copies.made);
    page.count(&DELIVERED, &[], law.delivered);
    page.count(&RESTORED, &[], law.copies.restored);
    page.count(&VANISHED, &[], law.copies.vanished);
    let transit = law.copies.forwarded_out as f64 - law.copies.forwarded_in as f64;
    page.add(&TRANSIT, &[], transit);
}
