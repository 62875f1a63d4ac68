//! One connection to one server process: opened, asked, and given up after the first request whose answer
//! did not come.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, Value,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::bounded::Bounded;
use super::config::{Address, Config};
use super::inbox::Inbox;
use super::tls;
use super::trouble::{CLUSTER, TOO_OLD, Trouble};
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
    pub(super) async fn open(config: &Config, inbox: &Arc<Inbox>) -> Result<Self, Trouble> {
        match &config.address {
            Address::Tcp(host, port) => {
                let stream = connect(host, *port).await.map_err(|error| silent(&error))?;
                match &config.tls {
                    Some(how) => {
                        let stream = tls::shake_hands(stream, host, how).await?;
                        Self::over(stream, config, inbox).await
                    }
                    None => Self::over(stream, config, inbox).await,
                }
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                Self::over(stream.map_err(|error| silent(&error))?, config, inbox).await
            }
        }
    }

    async fn over<S>(stream: S, config: &Config, inbox: &Arc<Inbox>) -> Result<Self, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
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
        let stream = Bounded::new(stream);
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
        link.server = link.ask_who().await?;
        Ok(link)
    }

    async fn ask_who(&self) -> Result<ServerRun, Trouble> {
        let mut pipe = redis::pipe();
        pipe.cmd("INFO").arg("server").cmd("TIME");
        let mut connection = self.connection.clone();
        let asked = pipe
            .query_async::<(String, (u64, u64))>(&mut connection)
            .await;
        let (info, (seconds, _)) = asked.map_err(|error| Trouble::of(&error, Effect::None))?;
        who(&info, seconds)
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
        if answered {
            on_its_way.0 = None;
        }
        answer.map_err(|error| Trouble::of(&error, Effect::Unknown))
    }
}

fn is_a_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
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

/// Which server process it is, and since when at the latest. Both numbers are whole seconds: without the one
/// more, a guard could end a second early.
fn who(info: &str, seconds: u64) -> Result<ServerRun, Trouble> {
    let of = |key: &str| {
        let mut lines = info.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
    };
    let version = of("redis_version").unwrap_or("");
    let major = version
        .split('.')
        .next()
        .and_then(|text| text.parse::<u32>().ok());
    if major.is_none_or(|major| major < 6) {
        return Err(Trouble::Unfit(TOO_OLD.to_owned()));
    }
    // Valkey calls it otherwise.
    match of("redis_mode").or_else(|| of("server_mode")) {
        Some("cluster") => return Err(Trouble::Unfit(CLUSTER.to_owned())),
        Some("sentinel") => {
            let why = "it is a Sentinel, which holds no leases; name the primary that it watches";
            return Err(Trouble::Unfit(why.to_owned()));
        }
        _ => {}
    }
    let uptime = of("uptime_in_seconds").and_then(|text| text.parse::<u64>().ok());
    let (Some(id), Some(uptime)) = (of("run_id").filter(|id| !id.is_empty()), uptime) else {
        let why =
            "it does not say which server process it is (INFO server: run_id, uptime_in_seconds)";
        return Err(Trouble::Unfit(why.to_owned()));
    };
    Ok(ServerRun {
        id: id.to_owned(),
        started_ms: (seconds + 1).saturating_sub(uptime).saturating_mul(1_000),
    })
}

fn silent(error: &io::Error) -> Trouble {
    let why = match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    };
    Trouble::Silent(Effect::None, why)
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the host has no address");
    for address in addresses(host.to_owned(), port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks the resolver on a thread of its own, which may be left behind: it knows no time limit, and the
/// runtime would wait for one of its own threads at the end.
async fn addresses(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new().spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // Nobody waits any more: nothing to do.
        tell.send(found.map(Iterator::collect)).ok();
    })?;
    told.await
        .unwrap_or_else(|_| Err(io::Error::other("the host's name was not resolved")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\
                        run_id:abc\r\nuptime_in_seconds:10\r\n";

    #[test]
    fn a_server_says_which_process_it_is() {
        let run = who(INFO, 1_000).unwrap();
        assert_eq!((run.id.as_str(), run.started_ms), ("abc", 991_000));
    }

    #[test]
    fn what_is_no_fit_server_is_refused() {
        for (from, to) in [
            ("7.0.15", "5.0.14"),
            ("7.0.15", ""),
            ("standalone", "cluster"),
            ("standalone", "sentinel"),
            ("run_id:abc", "run_id:"),
            ("uptime_in_seconds:10", "uptime_in_seconds:x"),
        ] {
            let info = INFO.replace(from, to);
            assert!(matches!(who(&info, 1_000), Err(Trouble::Unfit(_))), "{to}");
        }
    }
}
