//! The mistake [`ConnectionKept`](crate::mutant::Mutant::ConnectionKept): answers are taken as they come. In no
//! build but one with the feature `mutants`.
//!
//! The client that we use matches answers to requests by itself, also after one was given up, so that a kept
//! connection alone would change nothing. This is how a client without that behaves.

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::wire::Request;

type Answer = RedisResult<Value>;

/// The answers that have come on a connection, in order.
#[derive(Debug)]
pub(super) struct Unmatched {
    arrives: UnboundedSender<Answer>,
    next: Mutex<UnboundedReceiver<Answer>>,
}

impl Default for Unmatched {
    fn default() -> Self {
        let (arrives, next) = unbounded_channel();
        Self {
            arrives,
            next: Mutex::new(next),
        }
    }
}

impl Unmatched {
    /// Sends a request, and takes the next answer that comes, to whichever.
    pub(super) async fn run(&self, to: &MultiplexedConnection, request: &Request) -> Answer {
        let (mut to, arrives) = (to.clone(), self.arrives.clone());
        let (by_hash, by_text) = (request.by_hash(), request.by_text());
        // Goes on when the caller has given up: its answer is the next caller's.
        tokio::spawn(async move {
            let answer = match by_hash.query_async(&mut to).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    by_text.query_async(&mut to).await
                }
                answer => answer,
            };
            drop(arrives.send(answer));
        });
        match self.next.lock().await.recv().await {
            Some(answer) => answer,
            None => unreachable!("we have a sender ourselves"),
        }
    }
}
