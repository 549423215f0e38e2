//! Bytes that wait behind gates.

use bytes::Bytes;

use crate::durable::{Durability, Gate, Progress};
use crate::session::Outbox;

fn gate(number: u64, durability: Durability) -> Gate {
    Gate { number, durability }
}

fn progress(written: u64, synced: u64) -> Progress {
    Progress { written, synced }
}

fn append(out: &mut Outbox, bytes: &[u8]) {
    out.append(|buffer| buffer.extend_from_slice(bytes));
}

fn written_out(out: &mut Outbox, step: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while out.open_len() > 0 {
        let mut slices = [std::io::IoSlice::new(&[]); 2];
        let filled = out.gather(&mut slices);
        let all: Vec<u8> = slices[..filled]
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        assert!(all.len() <= out.open_len(), "bytes from behind a gate");
        let taken = step.min(all.len());
        bytes.extend_from_slice(&all[..taken]);
        out.advance(taken);
    }
    bytes
}

#[test]
fn what_is_behind_a_gate_waits_for_it_and_what_is_in_front_does_not() {
    for step in [1, 2, 5, 100] {
        let mut out = Outbox::default();
        append(&mut out, b"front");
        assert!(out.gate(gate(3, Durability::Disk)));
        append(&mut out, b"behind");
        out.share(Bytes::from_static(b"shared"));
        assert!(out.gate(gate(4, Durability::Os)));
        append(&mut out, b"last");
        assert_eq!((out.open_len(), out.len()), (5, 21));
        assert_eq!(written_out(&mut out, step), b"front");

        out.pass(progress(9, 2));
        assert_eq!(
            written_out(&mut out, step),
            b"",
            "the kernel has it, the device has not"
        );
        out.pass(progress(3, 3));
        assert_eq!(written_out(&mut out, step), b"behindshared");
        assert!(out.is_gated() && out.release().is_none());
        out.pass(progress(4, 3));
        assert_eq!(written_out(&mut out, step), b"last");
        assert!(!out.is_gated() && out.release().is_some());
    }
}

#[test]
fn a_gate_behind_one_that_opens_no_earlier_adds_nothing() {
    let mut out = Outbox::default();
    assert!(out.gate(gate(3, Durability::Disk)));
    assert!(!out.gate(gate(3, Durability::Disk)));
    assert!(!out.gate(gate(2, Durability::Os)));
    assert!(out.gate(gate(4, Durability::Os)), "a later batch");
    let mut out = Outbox::default();
    assert!(out.gate(gate(3, Durability::Os)));
    assert!(out.gate(gate(3, Durability::Disk)), "more is asked of the same batch");
}

/// A gate that opens does not open those in front of it.
#[test]
fn gates_open_in_their_order() {
    let mut out = Outbox::default();
    out.gate(gate(3, Durability::Disk));
    append(&mut out, b"a");
    out.gate(gate(4, Durability::Os));
    append(&mut out, b"b");
    out.pass(progress(4, 0));
    assert_eq!(written_out(&mut out, 9), b"");
    out.pass(progress(4, 3));
    assert_eq!(written_out(&mut out, 9), b"ab");
}

#[test]
fn a_cut_throws_away_what_is_behind_gates_and_nothing_else() {
    let mut out = Outbox::default();
    append(&mut out, b"one");
    out.share(Bytes::from_static(b"two"));
    append(&mut out, b"three");
    out.gate(gate(1, Durability::Disk));
    append(&mut out, b"gone");
    out.share(Bytes::from_static(b"gone"));
    out.advance(1);
    out.cut_gated();
    append(&mut out, b"end");
    assert_eq!(written_out(&mut out, 4), b"netwothreeend");
    out.cut_gated();
    assert!(out.is_empty());
}

#[test]
fn a_cut_within_shared_pieces_finds_its_place() {
    let mut out = Outbox::default();
    for piece in [&b"aa"[..], b"bb", b"cc"] {
        out.share(Bytes::from_static(piece));
    }
    out.gate(gate(1, Durability::Disk));
    out.share(Bytes::from_static(b"dd"));
    out.advance(3);
    out.cut_gated();
    assert_eq!(written_out(&mut out, 1), b"bcc");
}
