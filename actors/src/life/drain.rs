//! Clients on their way to another server, at the pace that the operator set.

use std::time::{Duration, Instant};

use actix::{Addr, MailboxError};
use actix_rt::task::JoinHandle;
use broker::line::Elsewhere;
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::message::{Count, Lingering, SendAway};
use crate::operations::life::DrainOrder;
use crate::session::SessionActor;

/// Between two portions of clients.
const BEAT: Duration = Duration::from_millis(100);
/// Between two looks for clients that were on their way in when the drain began.
const LOOK: Duration = Duration::from_secs(1);
/// Clients that one line sends away in one turn.
const TURN: usize = 500;

/// A drain that is under way, or done; it ends when this is dropped.
pub(super) struct Draining(JoinHandle<()>);

impl Draining {
    /// A line that does not answer `within` is passed over until the next look.
    pub(super) fn begin(lines: Vec<Addr<SessionActor>>, order: DrainOrder, within: Duration) -> Self {
        Self(actix_rt::spawn(send_away_forever(lines, order, within)))
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn send_away_forever(lines: Vec<Addr<SessionActor>>, order: DrainOrder, within: Duration) {
    let to = Elsewhere {
        for_good: order.for_good,
        reference: order.reference,
    };
    let mut pace = Pace::new(order.clients_per_sec);
    let mut lines: Vec<Emptied> = lines.into_iter().map(Emptied::new).collect();
    let mut is_told = false;
    loop {
        pass(&mut lines, &to, &mut pace, within).await;
        let is_done = connected(&mut lines, within).await == Some(0);
        if is_done && !is_told {
            tracing::info!("drained: all clients have been sent away");
        }
        is_told = is_done;
        sleep(LOOK).await;
    }
}

/// A line that is drained.
struct Emptied {
    line: Addr<SessionActor>,
    /// A question that it has not answered in time. Until then it is asked nothing, so that others do not wait for it again.
    owed: Option<JoinHandle<()>>,
}

impl Emptied {
    fn new(line: Addr<SessionActor>) -> Self {
        Self { line, owed: None }
    }

    fn is_stuck(&self) -> bool {
        self.owed.as_ref().is_some_and(|owed| !owed.is_finished())
    }

    /// What it answers; `None`: it does not answer, or has ended.
    async fn answer<T>(&mut self, asked: impl Future<Output = Result<T, MailboxError>>, within: Duration) -> Option<T> {
        let answer = timeout(within, asked).await;
        if answer.is_err() {
            let line = self.line.clone();
            self.owed = Some(actix_rt::spawn(async move {
                // When this is answered, or the line has ended, it can be asked again.
                let _answered = line.send(Lingering).await;
            }));
        }
        answer.ok()?.ok()
    }
}

/// Once through all sessions of all lines, which take turns.
async fn pass(lines: &mut [Emptied], to: &Elsewhere, pace: &mut Pace, within: Duration) {
    let mut under_way: Vec<(&mut Emptied, u32)> = lines.iter_mut().map(|line| (line, 0)).collect();
    while !under_way.is_empty() {
        let mut further = Vec::new();
        for (line, from) in under_way {
            if line.is_stuck() {
                continue;
            }
            let max = pace.allowance().await.min(TURN);
            let to = to.clone();
            let asked = line.line.send(SendAway { to, from, max });
            let Some(slice) = line.answer(asked, within).await else {
                continue;
            };
            pace.spend(slice.ended);
            further.extend(slice.next.map(|next| (line, next)));
        }
        under_way = further;
    }
}

/// `None`: not all lines say it. One that has ended has no clients.
async fn connected(lines: &mut [Emptied], within: Duration) -> Option<u64> {
    let mut total = 0;
    for line in lines {
        if line.is_stuck() {
            return None;
        }
        let counters = line.answer(line.line.send(Count), within).await;
        if line.is_stuck() {
            return None;
        }
        total += counters.map_or(0, |counters| counters.connected);
    }
    Some(total)
}

/// So many clients per second. What is not used in a second is not kept for later.
struct Pace {
    clients_per_sec: Option<u32>,
    /// In thousandths of a client.
    left: u64,
    seen: Instant,
}

impl Pace {
    fn new(clients_per_sec: Option<u32>) -> Self {
        Self {
            clients_per_sec: clients_per_sec.map(|clients| clients.max(1)),
            left: 0,
            seen: clock::instant(),
        }
    }

    /// Waits until one client may go, and says how many may.
    async fn allowance(&mut self) -> usize {
        let Some(rate) = self.clients_per_sec.map(u64::from) else {
            return usize::MAX;
        };
        while self.left < 1000 {
            sleep(BEAT).await;
            let passed = clock::since(self.seen);
            self.seen = clock::instant();
            let gained = rate.saturating_mul(u64::try_from(passed.as_millis()).unwrap_or(1));
            self.left = self.left.saturating_add(gained).min(rate.saturating_mul(1000));
        }
        usize::try_from(self.left / 1000).unwrap_or(usize::MAX)
    }

    fn spend(&mut self, clients: usize) {
        let clients = u64::try_from(clients).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(clients.saturating_mul(1000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_gives_its_rate_and_saves_nothing_up() {
        actix::System::new().block_on(async {
            let mut pace = Pace::new(Some(50));
            let begun = clock::instant();
            for _ in 0..20 {
                assert!(pace.allowance().await >= 1);
                pace.spend(1);
            }
            assert!(clock::since(begun) >= Duration::from_millis(390));
            assert_eq!(Pace::new(None).allowance().await, usize::MAX);
        });
    }
}
