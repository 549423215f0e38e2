//! The broker itself: its lines, its store, its memory, its log.

use std::sync::Arc;

use actors::broker::durable::Health;
use actors::broker::memory::Memory;
use actors::{Figures, LineFigures, StoreFigures};

use super::family::families;
use super::page::{Page, word};
use super::requests::Requests;

families! {
    "The broker";
    Gauge BUILD "strowger_build_info" ["version"] "Always 1; the label says which version runs.";
    Gauge UPTIME "strowger_uptime_seconds" [] "Since the broker started.";
    Gauge LINES "strowger_lines" [] "Lines of the broker; each is a thread.";
    Gauge ANSWERS "strowger_line_answers" ["line"] "1 if the line answered the scrape in time, 0 if it is stuck or has ended; its other figures are those of its last answer then.";
    Histogram LAG "strowger_line_lag_seconds" ["line"] "How late the line's own timer was, at each of its looks: so long everything waits that comes to the line.";
    Counter TURNS "strowger_line_turns_total" ["line"] "Turns that the line has ended: each writes the outboxes of its connections once.";
    Gauge MAILBOX "strowger_line_mailbox_messages" ["line"] "Turns' worth of messages from other lines that wait for this one.";
    Gauge INBOX "strowger_line_inbox_bytes" ["line"] "What these messages count for; beyond broker.line_inbox_bytes_max lines stop reading.";
    Gauge CONVERSATIONS "strowger_line_connections" ["line"] "Connections of the line, those being ended included.";
    Gauge TOPICS "strowger_topics_cached" ["line"] "Topics whose receivers the line remembers (broker.topics_cached_max).";
    Gauge MEMORY_USED "strowger_memory_used_bytes" [] "Memory in use, without what the allocator keeps for later.";
    Gauge MEMORY_MAX "strowger_memory_limit_bytes" [] "Memory that may be used (overload.memory_bytes_max).";
    Gauge MEMORY_STATE "strowger_memory_state" ["state"] "1 for the state that holds: ample, tight or scarce.";
    Gauge ALLOCATOR "strowger_allocator_bytes" ["kind"] "What the allocator has: allocated to the program, in active pages, its own metadata, resident.";
    Gauge OWNERS "strowger_memory_owner_bytes" ["owner"] "What is known of who holds memory: retained messages, messages that wait in sessions (as often as they wait), bytes that wait to be written to connections, messages between lines, the store's overlay and backlog, the flight recorder. Sessions are looked at in turn, 10,000 a second on each line.";
    Counter LOG "strowger_log_records_total" ["level"] "Log records written.";
    Counter LOG_DROPPED "strowger_log_records_dropped_total" [] "Log records lost: nobody read standard error in time, or log.file could not be written.";
    Counter SPANS "strowger_trace_spans_total" ["result"] "Steps of traced messages: exported, dropped because the queue was full, or failed because the collector did not take them.";
    Counter ADMIN "strowger_admin_requests_total" ["status"] "Requests of operators answered, by the class of the answer.";
    Gauge STORE_HEALTH "strowger_store_health" ["state"] "1 for the state that holds: well, full (what would have to be stored is refused) or failed (nothing more is acknowledged).";
    Gauge STORE_ENGINE "strowger_store_engine_failed" [] "1 while the store's engine has failed and is to be opened again; the journal keeps what is acknowledged.";
    Counter COMMITS "strowger_store_commits_total" ["durability"] "Commits of the store: as far as the kernel, or as far as the device.";
    Counter BATCHES "strowger_store_batches_total" [] "Batches of lines' turns that the store has taken up.";
    Gauge WAITING "strowger_store_batches_waiting" [] "Batches that wait for the store.";
    Gauge BACKLOG "strowger_store_backlog_bytes" [] "What they count for; beyond storage.backlog_bytes_max lines stop reading.";
    Gauge JOURNAL "strowger_store_journal_bytes" [] "Bytes of the journal's files.";
    Gauge OVERLAY "strowger_store_overlay_bytes" [] "Memory of what is in the journal and not yet in the engine.";
    Gauge OVERLAY_ENTRIES "strowger_store_overlay_entries" [] "Changes that are in the journal and not yet in the engine.";
    Histogram COMMIT "strowger_store_commit_seconds" [] "From taking up a group of batches that somebody waits for until its promise is good.";
    Histogram SYNC "strowger_store_sync_seconds" [] "Writing the journal and having the device keep it (fdatasync).";
}

/// Adds them.
pub(super) fn fill(page: &mut Page, figures: &Figures, requests: &Arc<Requests>) {
    page.count(&BUILD, &[&figures.version], 1);
    page.add(&UPTIME, &[], figures.uptime.as_secs_f64());
    page.count(&LINES, &[], figures.lines.len() as u64);
    for (line, (known, is_answering)) in figures.lines.iter().zip(&figures.answering).enumerate() {
        let line = line.to_string();
        page.count(&ANSWERS, &[&line], u64::from(*is_answering));
        if let Some(of_line) = known {
            fill_line(page, &line, of_line);
        }
    }
    fill_memory(page, figures);
    for (level, count) in &figures.log_records {
        page.count(&LOG, &[level], *count);
    }
    page.count(&LOG_DROPPED, &[], figures.log_dropped);
    for (result, count) in &figures.spans {
        page.count(&SPANS, &[result], *count);
    }
    for (status, count) in requests.counts() {
        page.count(&ADMIN, &[status], count);
    }
    if let Some(store) = &figures.store {
        fill_store(page, store);
    }
}

fn fill_line(page: &mut Page, line: &str, figures: &LineFigures) {
    page.durations(&LAG, &[line], &figures.lag);
    page.count(&TURNS, &[line], figures.turns);
    page.count(&MAILBOX, &[line], figures.mailbox as u64);
    page.count(&INBOX, &[line], figures.inbox_bytes as u64);
    page.count(&CONVERSATIONS, &[line], figures.conversations as u64);
    page.count(&TOPICS, &[line], figures.topics_cached as u64);
}

fn fill_memory(page: &mut Page, figures: &Figures) {
    page.count(&MEMORY_USED, &[], figures.memory_bytes);
    page.count(&MEMORY_MAX, &[], figures.memory_bytes_max);
    for state in Memory::ALL {
        page.count(&MEMORY_STATE, &[state.name()], u64::from(state == figures.memory));
    }
    if let Some(allocator) = figures.allocator {
        let kinds = [
            ("allocated", allocator.allocated),
            ("active", allocator.active),
            ("metadata", allocator.metadata),
            ("resident", allocator.resident),
        ];
        kinds
            .iter()
            .for_each(|(kind, bytes)| page.count(&ALLOCATOR, &[kind], *bytes));
    }
    let of_lines = |bytes: fn(&LineFigures) -> usize| figures.lines.iter().flatten().map(bytes).sum::<usize>() as u64;
    page.count(&OWNERS, &["retained"], figures.retained_bytes as u64);
    page.count(&OWNERS, &["queues"], of_lines(|line| line.holdings.queue_bytes));
    page.count(&OWNERS, &["outboxes"], of_lines(|line| line.holdings.outbox_bytes));
    page.count(&OWNERS, &["between_lines"], of_lines(|line| line.inbox_bytes));
    page.count(&OWNERS, &["recorder"], of_lines(|line| line.recorder_bytes));
    if let Some(store) = &figures.store {
        page.count(&OWNERS, &["store_overlay"], store.overlay_bytes as u64);
        page.count(&OWNERS, &["store_backlog"], store.backlog_bytes as u64);
    }
}

fn fill_store(page: &mut Page, store: &StoreFigures) {
    for state in [Health::Well, Health::Full, Health::Failed] {
        page.count(&STORE_HEALTH, &[&word(&state)], u64::from(state == store.health));
    }
    page.count(&COMMITS, &["device"], store.commits_synced);
    page.count(
        &COMMITS,
        &["kernel"],
        store.commits.saturating_sub(store.commits_synced),
    );
    let figures = [
        (&STORE_ENGINE, u64::from(store.engine_failed)),
        (&BATCHES, store.batches),
        (&WAITING, store.batches_waiting as u64),
        (&BACKLOG, store.backlog_bytes as u64),
        (&JOURNAL, store.journal_bytes),
        (&OVERLAY, store.overlay_bytes as u64),
        (&OVERLAY_ENTRIES, store.overlay_entries as u64),
    ];
    for (family, value) in figures {
        page.count(family, &[], value);
    }
    page.durations(&COMMIT, &[], &store.commit);
    page.durations(&SYNC, &[], &store.sync);
}
