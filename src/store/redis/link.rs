//! One connection to one server process: opened, asked, and given up after the first request whose answer
//! did not come.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, Value,
};
use tokio::task::JoinHandle;

use super::address::Address;
use super::config::Config;
use super::inbox::Inbox;
use super::reach::{Peer, reach};
use super::trouble::Trouble;
use super::who;
use super::wire::{Request, ServerRun, millis};
use crate::lease::Effect;

/// An open connection.
#[derive(Debug)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    pub(super) server: ServerRun,
    /// The channels whose confirmation has come.
    channels: Mutex<HashSet<Vec<u8>>>,
    broken: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

/// A request on its way. Dropped without an answer it takes the connection along: the answer that still
/// comes would otherwise be taken for that to the next request.
struct OnItsWay<'a>(Option<&'a Link>);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            link.give_up();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Link {
    /// Connects, signs in and asks who answers.
    pub(super) async fn open(
        config: &Config,
        peer: Peer<'_>,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, Trouble> {
        let stream = reach(peer, config.tls.as_ref()).await?;
        let broken = Arc::new(AtomicBool::new(false));
        let (pushes, ended) = (Arc::clone(inbox), Arc::clone(&broken));
        let how = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_push_sender(move |info: redis::PushInfo| {
                if info.kind == redis::PushKind::Disconnection {
                    ended.store(true, Ordering::SeqCst);
                }
                pushes.push(info);
                Ok::<(), redis::aio::SendError>(())
            });
        let opened = MultiplexedConnection::new_with_config(&sign_in(config), stream, how).await;
        let (connection, reader) = opened.map_err(|error| Trouble::of(&error, Effect::None))?;
        let mut link = Self {
            connection,
            server: ServerRun {
                id: String::new(),
                started_ms: 0,
            },
            channels: Mutex::default(),
            broken,
            reader: tokio::spawn(reader),
        };
        link.server = link.ask_who(config).await?;
        Ok(link)
    }

    async fn ask_who(&self, config: &Config) -> Result<ServerRun, Trouble> {
        let mut pipe = redis::pipe();
        pipe.cmd("INFO").arg("server").cmd("TIME");
        let named_by_others = matches!(config.address, Address::Sentinels(_));
        if named_by_others {
            pipe.cmd("ROLE");
        }
        let mut connection = self.connection.clone();
        let asked = pipe.query_async::<Vec<Value>>(&mut connection).await;
        let mut answers = asked
            .map_err(|error| Trouble::of(&error, Effect::None))?
            .into_iter();
        let mut next = || answers.next().unwrap_or(Value::Nil);
        let run = who::who(next(), next())?;
        if named_by_others {
            who::is_primary(next())?;
        }
        Ok(run)
    }

    /// Whether a new request would be in vain.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst) || self.reader.is_finished()
    }

    /// Ends the connection: no later request may be mistaken about whose answer it reads.
    pub(super) fn give_up(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.reader.abort();
    }

    /// Runs a script, by its hash where the server has seen it.
    pub(super) async fn run(&self, request: &Request) -> Result<Value, Trouble> {
        self.guarded(
            async |connection| match request.by_hash().query_async(connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    request.by_text().query_async(connection).await
                }
                answer => answer,
            },
        )
        .await
    }

    /// Runs commands that belong together, in one write.
    pub(super) async fn run_all(&self, pipe: &redis::Pipeline) -> Result<Vec<Value>, Trouble> {
        self.guarded(async |connection| pipe.query_async(connection).await)
            .await
    }

    /// How many replicas have what this connection wrote, counted when they are `enough` or `at_most` is over.
    pub(super) async fn replicas_with_it(
        &self,
        enough: u64,
        at_most: Duration,
    ) -> Result<u64, Trouble> {
        let mut command = redis::cmd("WAIT");
        // Zero would have no end.
        command.arg(enough).arg(millis(at_most).max(1));
        self.guarded(async |connection| command.query_async(connection).await)
            .await
    }

    /// Listens on a channel, from the return on.
    pub(super) async fn subscribe(&self, channel: &[u8]) -> Result<(), Trouble> {
        if self.channels().contains(channel) {
            return Ok(());
        }
        self.guarded(async |connection| connection.subscribe(channel).await)
            .await?;
        self.channels().insert(channel.to_vec());
        Ok(())
    }

    /// Listens no longer.
    pub(super) async fn unsubscribe(&self, channel: &[u8]) -> Result<(), Trouble> {
        if !self.channels().remove(channel) {
            return Ok(());
        }
        self.guarded(async |connection| connection.unsubscribe(channel).await)
            .await
    }

    /// Whether the server sends us what is said on a channel.
    pub(super) fn hears(&self, channel: &[u8]) -> bool {
        !self.is_broken() && self.channels().contains(channel)
    }

    fn channels(&self) -> std::sync::MutexGuard<'_, HashSet<Vec<u8>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn guarded<T>(
        &self,
        ask: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Trouble> {
        let mut on_its_way = OnItsWay(Some(self));
        let answer = ask(&mut self.connection.clone()).await;
        // An error reply is an answer; anything else leaves the connection in doubt.
        let answered = answer.as_ref().map_or_else(is_a_reply, |_| true);
        let a_replica = answer.as_ref().is_err_and(is_of_a_replica);
        // A replica that was our primary is left for the primary of today.
        if answered && !a_replica {
            on_its_way.0 = None;
        }
        answer.map_err(|error| Trouble::of(&error, Effect::Unknown))
    }
}

fn is_a_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

fn is_of_a_replica(error: &RedisError) -> bool {
    matches!(error.code(), Some("READONLY" | "MASTERDOWN"))
}

fn sign_in(config: &Config) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(i64::from(config.database))
        .set_skip_set_lib_name();
    if let Some(user) = &config.user {
        info = info.set_username(user);
    }
    if let Some(password) = &config.password {
        info = info.set_password(password.expose());
    }
    info
}
