//! Messages by the topic filters and by the groups of clients that the operator has named.

use actors::broker::classes::ClassCount;
use actors::broker::counters::Counters;
use actors::{Figures, LineFigures};

use super::family::families;
use super::page::Page;

families! {
    "Messages by filter and group";
    Counter FILTER_MESSAGES "strowger_filter_messages_total" ["name", "direction"] "Messages received and sent whose topics match a filter of metrics.filters. A message counts in each that it matches.";
    Counter FILTER_BYTES "strowger_filter_bytes_total" ["name", "direction"] "Payload of these messages.";
    Counter GROUP_MESSAGES "strowger_group_messages_total" ["name", "direction"] "Messages received from and sent to the clients of a group of metrics.groups. A message counts in each that its client is in.";
    Counter GROUP_BYTES "strowger_group_bytes_total" ["name", "direction"] "Payload of these messages.";
}

const DIRECTIONS: [&str; 2] = ["received", "sent"];

/// Adds them, those that nothing was counted of as well.
pub(super) fn fill(page: &mut Page, figures: &Figures, counters: &Counters) {
    let Some(LineFigures { filters, groups, .. }) = figures.lines.iter().flatten().next() else {
        return;
    };
    let kinds = [
        (filters, &counters.of_filters, [&FILTER_MESSAGES, &FILTER_BYTES]),
        (groups, &counters.of_groups, [&GROUP_MESSAGES, &GROUP_BYTES]),
    ];
    for (names, counts, [messages, bytes]) in kinds {
        for (place, name) in names.iter().enumerate() {
            let ClassCount {
                messages: of_messages,
                bytes: of_bytes,
            } = counts.get(place).copied().unwrap_or_default();
            for ((direction, in_messages), in_bytes) in DIRECTIONS.iter().zip(of_messages).zip(of_bytes) {
                page.count(messages, &[name, direction], in_messages);
                page.count(bytes, &[name, direction], in_bytes);
            }
        }
    }
}
