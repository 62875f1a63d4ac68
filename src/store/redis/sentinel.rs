//! The primary of a set of Sentinels: asked for on every new connection, and believed only when it says itself
//! that it is one.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, RedisError};

use super::address::{Node, Sentinels};
use super::config::{Config, Tls};
use super::inbox::Inbox;
use super::link::Link;
use super::reach::{Peer, Way, reach};
use super::speech::explained;
use super::trouble::Trouble;
use super::turn::Turn;
use crate::lease::Effect;

/// Connects to the primary.
pub(super) async fn primary(
    config: &Config,
    sentinels: &Sentinels,
    turn: &Turn,
    inbox: &Arc<Inbox>,
) -> Result<Link, Trouble> {
    let mut round = turn.ask(sentinels.nodes.len(), |at| {
        let (of, tls) = (sentinels.clone(), config.tls.clone());
        async move { ask(&of, at, tls.as_ref()).await }
    });
    let mut failures = Failures::default();
    let mut tried = Vec::new();
    while let Some((at, told)) = round.answer().await {
        match told {
            Ok(Some(node)) if tried.contains(&node) => {}
            Ok(Some(node)) => {
                match Link::open(config, Peer::Tcp(&node), inbox).await {
                    Ok(link) => {
                        turn.stays_with(at);
                        return Ok(link);
                    }
                    Err(trouble) => failures.of_primary(&node, trouble),
                }
                tried.push(node);
            }
            // It knows none of that name.
            Ok(None) => {}
            Err(trouble) => failures.of_sentinel(sentinels.nodes.get(at), trouble),
        }
    }
    Err(failures.in_short(sentinels))
}

/// Why nobody could be used: what a primary said is worth more than what a Sentinel did.
#[derive(Debug, Default)]
struct Failures {
    primary: Option<Trouble>,
    sentinel: Option<Trouble>,
}

impl Failures {
    fn of_primary(&mut self, node: &Node, trouble: Trouble) {
        let trouble = trouble.at(&format!("{node}, which is named as the primary"));
        trouble.keep_in(&mut self.primary);
    }

    fn of_sentinel(&mut self, node: Option<&Node>, trouble: Trouble) {
        let name = node.map_or_else(String::new, ToString::to_string);
        let trouble = trouble.at(&format!("Sentinel {name}"));
        trouble.keep_in(&mut self.sentinel);
    }

    fn in_short(self, sentinels: &Sentinels) -> Trouble {
        self.primary.or(self.sentinel).unwrap_or_else(|| {
            Trouble::Unfit(format!(
                "the Sentinels know no primary called {:?}; correct the URL, or see SENTINEL MASTERS",
                sentinels.primary
            ))
        })
    }
}

/// Where the primary is, as one Sentinel says; `None`: it knows none of that name.
async fn ask(of: &Sentinels, at: usize, tls: Option<&Tls>) -> Result<Option<Node>, Trouble> {
    let Some(node) = of.nodes.get(at) else {
        return Ok(None);
    };
    let stream = reach(Peer::Tcp(node), tls).await?;
    match ask_on(of, stream).await {
        Err(trouble) => Err(explained(trouble, Peer::Tcp(node), tls).await),
        told => told,
    }
}

async fn ask_on(of: &Sentinels, stream: Way) -> Result<Option<Node>, Trouble> {
    let how = AsyncConnectionConfig::new().set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(&sign_in(of), stream, how).await;
    let (mut connection, reader) = opened.map_err(|error| meant(&error))?;
    let mut question = redis::cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(&of.primary);
    let asked = async {
        let answer = question.query_async::<Option<(String, u16)>>(&mut connection);
        answer.await.map_err(|error| meant(&error))
    };
    tokio::select! {
        answer = asked => Ok(answer?.map(|(host, port)| Node { host, port })),
        () = reader => {
            let why = "the connection was closed".to_owned();
            Err(Trouble::Silent(Effect::None, why))
        }
    }
}

/// Sentinels of Redis 6.0 know no RESP3.
fn sign_in(of: &Sentinels) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP2)
        .set_skip_set_lib_name();
    if let Some(user) = &of.user {
        info = info.set_username(user);
    }
    if let Some(password) = &of.password {
        info = info.set_password(password.expose());
    }
    info
}

fn meant(error: &RedisError) -> Trouble {
    let said = error.to_string();
    if said.contains("unknown command") {
        let why = "it is no Sentinel; name Sentinels, or write redis:// for a server";
        return Trouble::Unfit(why.to_owned());
    }
    if error.code() == Some("NOAUTH") {
        let why = "it wants a password (NOAUTH); write sentinel-password into the URL, in a file for --store-file";
        return Trouble::Denied(why.to_owned());
    }
    Trouble::of(error, Effect::None)
}
