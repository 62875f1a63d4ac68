//! One connection to one server process: opened, asked, and given up after the first request whose answer
//! did not come.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, Value,
};
use tokio::task::JoinHandle;

use super::address::{Address, Node};
use super::cluster::{self, Map};
use super::config::Config;
use super::inbox::Inbox;
use super::reach::{Peer, reach};
use super::speech::explained;
use super::trouble::{CLUSTER, Trouble, redirection};
use super::who;
use super::wire::{Request, ServerRun, millis};
use crate::lease::Effect;
use crate::mutant::{self, Mutant};

/// An open connection.
#[derive(Debug)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    pub(super) server: ServerRun,
    /// The channels whose confirmation has come.
    channels: Mutex<HashSet<Vec<u8>>>,
    broken: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    /// Whether it is a node of a cluster.
    in_cluster: bool,
    /// Where it is; `None`: on a socket.
    node: Option<Node>,
    /// Whether each request has to say that we know that the slot has not moved here yet.
    asking: bool,
    /// What the server may confirm that we listen to no more. A confirmation of anything else is its own
    /// doing, and no answer to any request.
    leaving: Arc<Mutex<HashSet<Vec<u8>>>>,
    out_of_step: Arc<AtomicBool>,
    #[cfg(feature = "mutants")]
    unmatched: super::unmatched::Unmatched,
}

/// A request on its way. Dropped without an answer it takes the connection along: the answer that still
/// comes would otherwise be taken for that to the next request.
struct OnItsWay<'a>(Option<&'a Link>);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0
            && !mutant::is(Mutant::ConnectionKept)
        {
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
        let node = match peer {
            Peer::Tcp(node) => Some(node.clone()),
            Peer::Unix(_) => None,
        };
        let broken = Arc::new(AtomicBool::new(false));
        let leaving: Arc<Mutex<HashSet<Vec<u8>>>> = Arc::default();
        let out_of_step = Arc::new(AtomicBool::new(false));
        let how = listening(inbox, &broken, &leaving, &out_of_step);
        let opened = MultiplexedConnection::new_with_config(&sign_in(config), stream, how).await;
        let (connection, reader) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let trouble = Trouble::of(&error, Effect::None);
                return Err(explained(trouble, peer, config.tls.as_ref()).await);
            }
        };
        let mut link = Self {
            connection,
            server: ServerRun {
                id: String::new(),
                started_ms: 0,
            },
            channels: Mutex::default(),
            broken,
            reader: tokio::spawn(reader),
            in_cluster: matches!(config.address, Address::Cluster(_)),
            node,
            asking: false,
            leaving,
            out_of_step,
            #[cfg(feature = "mutants")]
            unmatched: super::unmatched::Unmatched::default(),
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
        let run = who::who(next(), next(), self.in_cluster)?;
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

    /// The same, for requests about a slot that has not moved here yet.
    pub(super) fn asking(mut self) -> Self {
        self.asking = true;
        self
    }

    /// Who serves which slot, as this node says.
    pub(super) async fn slots(&self, node: &Node) -> Result<Map, Trouble> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        Map::read(self.send(&command).await?, node)
    }

    /// Runs a script, by its hash where the server has seen it.
    pub(super) async fn run(&self, request: &Request) -> Result<Value, Trouble> {
        #[cfg(feature = "mutants")]
        if mutant::is(Mutant::ConnectionKept) {
            let answer = async |connection: &mut _| self.unmatched.run(connection, request).await;
            return self.guarded(answer).await;
        }
        self.guarded(async |connection| {
            self.ask_first(connection).await?;
            match request.by_hash().query_async(connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    self.ask_first(connection).await?;
                    request.by_text().query_async(connection).await
                }
                answer => answer,
            }
        })
        .await
    }

    async fn send(&self, command: &redis::Cmd) -> Result<Value, Trouble> {
        self.guarded(async |connection| {
            self.ask_first(connection).await?;
            command.query_async(connection).await
        })
        .await
    }

    async fn ask_first(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.asking {
            redis::cmd("ASKING").query_async::<()>(connection).await?;
        }
        Ok(())
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
        if self.in_cluster {
            let mut command = redis::cmd("SSUBSCRIBE");
            self.send(command.arg(channel)).await?;
        } else {
            self.guarded(async |connection| connection.subscribe(channel).await)
                .await?;
        }
        self.channels().insert(channel.to_vec());
        Ok(())
    }

    /// Listens no longer.
    pub(super) async fn unsubscribe(&self, channel: &[u8]) -> Result<(), Trouble> {
        if !self.channels().remove(channel) {
            return Ok(());
        }
        if self.in_cluster {
            locked(&self.leaving).insert(channel.to_vec());
            let mut command = redis::cmd("SUNSUBSCRIBE");
            return self.send(command.arg(channel)).await.map(drop);
        }
        self.guarded(async |connection| connection.unsubscribe(channel).await)
            .await
    }

    /// Whether the server sends us what is said on a channel.
    pub(super) fn hears(&self, channel: &[u8]) -> bool {
        !self.is_broken() && self.channels().contains(channel)
    }

    fn channels(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        locked(&self.channels)
    }

    async fn guarded<T>(
        &self,
        ask: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Trouble> {
        let mut on_its_way = OnItsWay(Some(self));
        let answer = ask(&mut self.connection.clone()).await;
        // An error reply is an answer; anything else leaves the connection in doubt.
        let answered = answer.as_ref().map_or_else(is_a_reply, |_| true);
        if self.out_of_step.load(Ordering::SeqCst) {
            // What the server said unasked may have been taken for this answer, or for one before it.
            let why = "a slot has moved to another node".to_owned();
            return Err(Trouble::Silent(Effect::Unknown, why));
        }
        let leave = answer.as_ref().is_err_and(is_no_place_to_stay);
        // A replica that was our primary is left for the primary of today, and a node that is cut off from its
        // cluster for the others.
        if answered && !leave {
            on_its_way.0 = None;
        }
        answer.map_err(|error| match redirection(&error) {
            Some((words, ask)) => self.elsewhere(&words, ask),
            None => Trouble::of(&error, Effect::Unknown),
        })
    }

    /// Who is to be asked instead, as this node says.
    fn elsewhere(&self, words: &str, ask: bool) -> Trouble {
        let node = self.node.as_ref().filter(|_| self.in_cluster);
        match node.map(|node| cluster::elsewhere(words, node)) {
            None => Trouble::Unfit(CLUSTER.to_owned()),
            Some(None) => Trouble::Garbled("it sends us to no other node".to_owned()),
            Some(Some((slot, node))) => Trouble::Elsewhere { slot, node, ask },
        }
    }
}

fn locked(channels: &Mutex<HashSet<Vec<u8>>>) -> MutexGuard<'_, HashSet<Vec<u8>>> {
    // Whoever panicked left whole channels behind.
    channels.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a connection is opened whose server may say things unasked.
fn listening(
    inbox: &Arc<Inbox>,
    broken: &Arc<AtomicBool>,
    leaving: &Arc<Mutex<HashSet<Vec<u8>>>>,
    out_of_step: &Arc<AtomicBool>,
) -> AsyncConnectionConfig {
    let (pushes, ended) = (Arc::clone(inbox), Arc::clone(broken));
    let (left, moved) = (Arc::clone(leaving), Arc::clone(out_of_step));
    AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_push_sender(move |info: redis::PushInfo| {
            if info.kind == redis::PushKind::Disconnection {
                ended.store(true, Ordering::SeqCst);
            }
            if info.kind == redis::PushKind::SUnsubscribe && !was_asked_for(&info, &left) {
                moved.store(true, Ordering::SeqCst);
                ended.store(true, Ordering::SeqCst);
            }
            pushes.push(info);
            Ok::<(), redis::aio::SendError>(())
        })
}

/// Whether we have left the channel ourselves.
fn was_asked_for(info: &redis::PushInfo, leaving: &Mutex<HashSet<Vec<u8>>>) -> bool {
    match info.data.first() {
        Some(Value::BulkString(channel)) => locked(leaving).remove(channel),
        _ => false,
    }
}

fn is_a_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

fn is_no_place_to_stay(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some("READONLY" | "MASTERDOWN" | "CLUSTERDOWN")
    )
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
