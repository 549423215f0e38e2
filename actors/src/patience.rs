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

/// What a line answers before `deadline`.
pub(crate) async fn answer_by<T: 'static>(
    deadline: Instant,
    asked: impl Future<Output = Result<T, MailboxError>> + 'static,
) -> Result<T, Silent> {
    // A question whose future is dropped is taken back.
    let answer = timeout(clock::until(deadline), actix_rt::spawn(asked)).await;
    match answer {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(_)) | Err(_)) => Err(Silent::Ended),
        Err(_) => Err(Silent::Late),
    }
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
            if clock::since(self.progress.0.get()) >= limit {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);

    #[actix_rt::test]
    async fn an_answer_is_waited_for_until_it_is_late() {
        let soon = || clock::deadline(LIMIT);
        assert_eq!(answer_by(soon(), ready(Ok(1))).await, Ok(1));
        let ended = ready(Err::<(), _>(MailboxError::Closed));
        assert_eq!(answer_by(soon(), ended).await, Err(Silent::Ended));
        let begun = clock::instant();
        assert_eq!(
            answer_by(soon(), pending::<Result<(), MailboxError>>()).await,
            Err(Silent::Late)
        );
        assert!(clock::since(begun) >= LIMIT);
    }

    #[actix_rt::test]
    async fn what_is_late_is_done_all_the_same() {
        let done = Rc::new(Cell::new(false));
        let late = Rc::clone(&done);
        let asked = async move {
            sleep(LIMIT * 2).await;
            late.set(true);
            Ok(())
        };
        assert_eq!(answer_by(clock::deadline(LIMIT), asked).await, Err(Silent::Late));
        assert!(!done.get());
        sleep(LIMIT * 3).await;
        assert!(done.get());
    }

    /// Many slices are not late because they are many.
    #[actix_rt::test]
    async fn work_is_followed_for_as_long_as_it_goes_on() {
        let mut long = Work::begin(|progress| async move {
            for _ in 0..20 {
                sleep(LIMIT / 10).await;
                progress.made();
            }
        });
        let mut stuck = Work::begin(|_| pending());
        assert!(long.follow(LIMIT).await && long.is_done());
        assert!(!stuck.follow(LIMIT).await && !stuck.is_done());
    }
}
