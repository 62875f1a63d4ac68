//! Asking several for the same: one after the other, the next as soon as one is silent for a moment or fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// The next one is asked when the one before has said nothing for so long. Nobody is cut short: a slow answer
/// counts while there is none better. Too short burdens them all; too long, and a dead one uses an attempt up.
const NEXT: Duration = Duration::from_millis(150);

/// Whom to ask first. Moves on before each question, so that an attempt that ran out of time over a dead one
/// is not followed by another over the same.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicUsize);

/// Questions on their way. Dropped, it ends them.
pub(super) struct Round<'a, T, A> {
    turn: &'a Turn,
    left: Vec<usize>,
    asked: JoinSet<(usize, T)>,
    ask: A,
}

impl Turn {
    /// Asks all of 0 to `count` until somebody stops asking for answers.
    pub(super) fn ask<T, F, A>(&self, count: usize, ask: A) -> Round<'_, T, A>
    where
        F: Future<Output = T> + Send + 'static,
        A: Fn(usize) -> F,
    {
        let first = self.0.load(Ordering::Relaxed);
        Round {
            turn: self,
            left: (0..count)
                .rev()
                .map(|step| (first + step) % count)
                .collect(),
            asked: JoinSet::new(),
            ask,
        }
    }

    /// This one was good, and is the first to be asked the next time.
    pub(super) fn stays_with(&self, at: usize) {
        self.0.store(at, Ordering::Relaxed);
    }
}

impl<T, F, A> Round<'_, T, A>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    A: Fn(usize) -> F,
{
    /// The next answer, and whose it is; `None`: there are no more.
    pub(super) async fn answer(&mut self) -> Option<(usize, T)> {
        while let Some(at) = self.left.pop() {
            self.turn.stays_with(at + 1);
            let question = (self.ask)(at);
            self.asked.spawn(async move { (at, question.await) });
            if let Ok(Some(Ok(answer))) = timeout(NEXT, self.asked.join_next()).await {
                return Some(answer);
            }
        }
        loop {
            // One that ended otherwise has said nothing.
            if let Ok(answer) = self.asked.join_next().await? {
                return Some(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_silent_one_keeps_nobody_waiting_and_is_asked_last_the_next_time() {
        let turn = Turn::default();
        let ask = |at| async move { if at == 0 { pending().await } else { at * 10 } };
        let began = tokio::time::Instant::now();
        let mut round = turn.ask(3, ask);
        assert_eq!(round.answer().await, Some((1, 10)));
        assert!(began.elapsed() >= NEXT);
        assert_eq!(round.answer().await, Some((2, 20)));
        drop(round);
        turn.stays_with(1);
        let began = tokio::time::Instant::now();
        assert_eq!(turn.ask(3, ask).answer().await, Some((1, 10)));
        assert!(began.elapsed() < NEXT);
    }

    #[tokio::test]
    async fn it_ends_when_all_have_answered() {
        let turn = Turn::default();
        let mut round = turn.ask(2, |at| async move { at });
        assert_eq!(round.answer().await, Some((0, 0)));
        assert_eq!(round.answer().await, Some((1, 1)));
        assert_eq!(round.answer().await, None);
        assert_eq!(turn.ask(0, |at| async move { at }).answer().await, None);
    }
}
