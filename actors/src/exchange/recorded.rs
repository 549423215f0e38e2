//! What the flight recorder is told of a connection before its client is in.

use mqtt_codec::{Connect, Version};

use super::Opening;
use crate::recorder::{Kind, strange};

impl Opening {
    /// The tape begins: where the connection came from, and its CONNECT.
    pub(super) fn record_connect(&mut self, connect: &Connect, packet: &[u8]) {
        let now = self.desk.clock.now();
        let recorder = &self.desk.recorder;
        let listener = &*self.permit.listener().settings.name;
        let mut tape = recorder.begin(&connect.client_id, connect.version);
        let connected = format!("{}\t{listener}\t{}", self.peer, connect.version);
        tape.note((Kind::Connected, 1, &connected), now, recorder);
        tape.aside(false, packet, now, recorder);
        self.tape = Some(tape);
    }

    /// What came was no CONNECT.
    pub(super) fn record_strange(&mut self, first: &[u8]) {
        let now = self.desk.clock.now();
        let recorder = &self.desk.recorder;
        let mut tape = recorder.begin("", Version::V311);
        tape.aside(false, strange(first), now, recorder);
        self.tape = Some(tape);
    }

    /// One packet that was said between CONNECT and CONNACK.
    pub(super) fn record_aside(&mut self, out: bool, packet: &[u8]) {
        if let Some(tape) = &mut self.tape {
            tape.aside(out, packet, self.desk.clock.now(), &self.desk.recorder);
        }
    }

    /// The client is in: what was recorded of its earlier connections comes before.
    pub(super) fn record_admitted(&mut self, client_id: &str) {
        if self.desk.events.are_heard() {
            let (peer, listener) = (self.peer.to_string(), &*self.permit.listener().settings.name);
            let told = || format!("connected on listener {listener}");
            self.desk.events.tell_of("connected", (client_id, &peer), told);
        }
        if let Some(fresh) = self.tape.take_if(|_| !client_id.is_empty()) {
            self.tape = Some(self.desk.recorder.resume(client_id, fresh));
        }
    }

    /// The client was not let in, and was told so with `answer`.
    pub(super) fn record_refused(&mut self, client_id: &str, why: &str, answer: &[u8]) {
        if self.desk.events.are_heard() {
            let peer = self.peer.to_string();
            self.desk
                .events
                .tell_of("refused", (client_id, &peer), || why.to_owned());
        }
        let now = self.desk.clock.now();
        let recorder = &self.desk.recorder;
        let begun = self.tape.take();
        let mut tape = begun.unwrap_or_else(|| recorder.begin(client_id, Version::V311));
        tape.aside(true, answer, now, recorder);
        tape.note((Kind::Refused, 1, why), now, recorder);
        recorder.refuse(client_id, &self.peer, tape);
    }
}
