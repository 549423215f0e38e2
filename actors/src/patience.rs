//! Lines that are asked something and may not answer: nobody waits for them for ever.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::MailboxError;
use actix_rt::task::JoinHandle;
use tokio::time::timeout;

use crate::clock;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silent {
    /// The line has ended.
    Ended,
    /// Time is over. What the line was told waits in its mailbox, and is done when the line goes on.
    Late,
}

/// What is said of a line that is late.
pub(crate) fn not_answered(line: usize, within: Duration) -> String {
    let secs = within.as_secs();
    format!("line {line} has not answered for {secs} s (broker.line_timeout_secs)")
}

/// What lines answer that are asked at once, in their order; none waits for another.
pub(crate) async fn answers_within<T: 'static>(
    limit: Duration,
    asked: impl Iterator<Item = impl Future<Output = Result<T, MailboxError>> + 'static>,
) -> Vec<Result<T, Silent>> {
    let deadline = clock::deadline(limit);
    // A question whose future is dropped is taken back.
    let asked: Vec<_> = asked.map(actix_rt::spawn).collect();
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        answers.push(match timeout(clock::until(deadline), answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(_)) | Err(_)) => Err(Silent::Ended),
            Err(_) => Err(Silent::Late),
        });
    }
    answers
}

/// Work with one line, of several questions, that goes on when nobody waits for it any more.
pub(crate) struct Work {
    task: JoinHandle<()>,
    progress: Progress,
}

/// When the line answered last.
#[derive(Clone)]
pub(crate) struct Progress(Rc<Cell<Instant>>);

impl Progress {
    /// Whether the line has not answered for so long.
    pub(crate) fn is_late(&self, limit: Duration) -> bool {
        clock::since(self.0.get()) >= limit
    }

    /// The line has answered.
    pub(crate) fn made(&self) {
        self.0.set(clock::instant());
    }
}

impl Work {
    pub(crate) fn begin<W: Future<Output = ()> + 'static>(work: impl FnOnce(Progress) -> W) -> Self {
        let progress = Progress(Rc::new(Cell::new(clock::instant())));
        Self {
            task: actix_rt::spawn(work(progress.clone())),
            progress,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until it is done, for as long as no answer takes longer than `limit`. Says whether it is.
    pub(crate) async fn follow(&mut self, limit: Duration) -> bool {
        loop {
            let left = limit.saturating_sub(clock::since(self.progress.0.get()));
            if timeout(left, &mut self.task).await.is_ok() {
                return true;
            }
            if self.progress.is_late(limit) {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::Pin;

    use tokio::sync::{Notify, oneshot};
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);
    /// Only a fault takes as long.
    const LONG: Duration = Duration::from_secs(60);

    type Asked = Pin<Box<dyn Future<Output = Result<u8, MailboxError>>>>;

    /// A line that answers, one that has ended, one that is stuck, and another that answers.
    #[actix_rt::test]
    async fn a_line_that_is_late_makes_no_other_late() {
        let begun = clock::instant();
        let asked: [Asked; 4] = [
            Box::pin(ready(Ok(1))),
            Box::pin(ready(Err(MailboxError::Closed))),
            Box::pin(pending()),
            Box::pin(ready(Ok(4))),
        ];
        let answers = answers_within(LIMIT, asked.into_iter()).await;
        assert_eq!(answers, [Ok(1), Err(Silent::Ended), Err(Silent::Late), Ok(4)]);
        assert!(clock::since(begun) >= LIMIT);
    }

    #[actix_rt::test]
    async fn what_is_late_is_done_all_the_same() {
        let (told, hears) = oneshot::channel();
        let done = Rc::new(Notify::new());
        let late = Rc::clone(&done);
        let asked = async move {
            hears.await.map_err(|_| MailboxError::Closed)?;
            late.notify_one();
            Ok(())
        };
        assert_eq!(answers_within(LIMIT, [asked].into_iter()).await, [Err(Silent::Late)]);
        told.send(()).unwrap();
        timeout(LONG, done.notified()).await.unwrap();
    }

    /// Many slices are not late because they are many.
    #[actix_rt::test]
    async fn work_is_followed_for_as_long_as_it_goes_on() {
        let begun = clock::instant();
        let mut long = Work::begin(|progress| async move {
            while clock::since(begun) < LIMIT * 3 {
                sleep(LIMIT / 100).await;
                progress.made();
            }
        });
        assert!(long.follow(LIMIT).await && long.is_done());
        let mut stuck = Work::begin(|_| pending());
        assert!(!stuck.follow(LIMIT).await && !stuck.is_done());
    }
}
