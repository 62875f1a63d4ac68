//! Where the servers are, as the URL says it. Pure.

use std::fmt;
use std::path::PathBuf;

use crate::secret::Secret;
use crate::store::url::{Options, StoreUrl, UrlError, encode};

/// The port of a server whose URL names none.
const DEFAULT_PORT: u16 = 6379;
/// The port of a Sentinel whose URL names none.
const SENTINEL_PORT: u16 = 26379;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Where the server is, or who knows.
#[derive(Clone, Debug)]
pub enum Address {
    /// A host and a port.
    Tcp(Node),
    /// A socket in the file system.
    Unix(PathBuf),
    /// The primary that Sentinels name.
    Sentinels(Sentinels),
    /// A cluster, by some of its nodes.
    Cluster(Vec<Node>),
}

/// Those who know where a primary is.
#[derive(Clone, Debug)]
pub struct Sentinels {
    /// Where they are.
    pub nodes: Vec<Node>,
    /// What they call the primary.
    pub primary: String,
    /// The user that the Sentinels know us as; `None`: their default user.
    pub user: Option<String>,
    /// That user's password, for the Sentinels alone.
    pub password: Option<Secret>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Address {
    /// The address in the URL, and what it says of the database.
    pub(super) fn of(url: &StoreUrl, options: &mut Options) -> Result<(Self, String), UrlError> {
        let path = url.path();
        let below = path.strip_prefix('/').unwrap_or(path);
        match url.scheme() {
            "redis+unix" => {
                let database = options.take_param("db")?;
                let database = database.as_ref().map_or("", Secret::expose).to_owned();
                Ok((Self::Unix(socket(url)?), database))
            }
            "redis-sentinel" | "rediss-sentinel" => {
                let (primary, database) = below.split_once('/').unwrap_or((below, ""));
                let sentinels = Sentinels::of(url, primary, options)?;
                Ok((Self::Sentinels(sentinels), database.to_owned()))
            }
            "redis-cluster" | "rediss-cluster" => {
                if !matches!(below, "" | "0") {
                    return Err(unfit(
                        "a Redis cluster has no database but 0; leave it out of the store URL",
                    ));
                }
                let wanted = "write redis-cluster://HOST:PORT,HOST:PORT";
                let nodes = several(url.host(), DEFAULT_PORT, wanted)?;
                Ok((Self::Cluster(nodes), String::new()))
            }
            _ => Ok((Self::Tcp(one(url.host())?), below.to_owned())),
        }
    }

    /// As it stands in a label; the scheme's `s` is that of TLS.
    pub(super) fn label(&self, secure: &str, database: u32) -> String {
        match self {
            Self::Tcp(node) => format!("redis{secure}://{}/{database}", written(node)),
            Self::Unix(path) => {
                let path = encode(&path.to_string_lossy());
                let database = match database {
                    0 => String::new(),
                    number => format!("?db={number}"),
                };
                format!("redis+unix://{path}{database}")
            }
            Self::Sentinels(of) => format!(
                "redis{secure}-sentinel://{}/{}/{database}",
                all_written(&of.nodes),
                encode(&of.primary),
            ),
            Self::Cluster(nodes) => format!("redis{secure}-cluster://{}", all_written(nodes)),
        }
    }
}

impl Sentinels {
    fn of(url: &StoreUrl, primary: &str, options: &mut Options) -> Result<Self, UrlError> {
        let wanted = "write redis-sentinel://HOST:PORT,HOST:PORT/PRIMARY/DATABASE";
        if primary.is_empty() {
            let why =
                format!("the store URL does not say what the Sentinels call the primary; {wanted}");
            return Err(UrlError::Unfit(why));
        }
        let user = options.take_param("sentinel-user")?;
        let password = options.take_param("sentinel-password")?;
        if user.is_some() && password.is_none() {
            return Err(unfit(
                "sentinel-user in the store URL needs sentinel-password; write both, or neither",
            ));
        }
        Ok(Self {
            nodes: several(url.host(), SENTINEL_PORT, wanted)?,
            primary: primary.to_owned(),
            user: user.map(|user| user.expose().to_owned()),
            password,
        })
    }
}

/// In one order, whatever the URL's: the same servers are the same store.
fn all_written(nodes: &[Node]) -> String {
    let mut all: Vec<String> = nodes.iter().map(written).collect();
    all.sort();
    all.dedup();
    all.join(",")
}

fn written(node: &Node) -> String {
    encode(&node.to_string())
}

pub(super) fn unfit(why: &str) -> UrlError {
    UrlError::Unfit(why.to_owned())
}

fn socket(url: &StoreUrl) -> Result<PathBuf, UrlError> {
    if !url.host().is_empty() || !url.path().starts_with('/') || url.path() == "/" {
        return Err(unfit(
            "a Redis server's socket is named by its whole path; write redis+unix:///PATH",
        ));
    }
    Ok(PathBuf::from(url.path()))
}

fn one(text: &str) -> Result<Node, UrlError> {
    if text.contains(',') {
        return Err(unfit(
            "the store URL names several hosts, and a redis:// store is one server; several are \
             redis-sentinel:// or redis-cluster://",
        ));
    }
    node(text, DEFAULT_PORT, "write redis://HOST:PORT/DATABASE")
}

fn several(text: &str, port: u16, wanted: &str) -> Result<Vec<Node>, UrlError> {
    let parts = text.split(',');
    parts.map(|part| node(part, port, wanted)).collect()
}

fn node(text: &str, port: u16, wanted: &str) -> Result<Node, UrlError> {
    let nobody = || UrlError::Unfit(format!("the store URL names no host; {wanted}"));
    if text.is_empty() {
        return Err(nobody());
    }
    let (host, named) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, rest.strip_prefix(':').or(Some(""))),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match named {
        None => port,
        Some(text) => text
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| unfit("the port in the store URL is no number from 1 to 65535"))?,
    };
    if host.is_empty() {
        return Err(nobody());
    }
    Ok(Node {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_host_and_a_port() {
        for (text, shown) in [
            ("db1", "db1:7"),
            ("db1:8", "db1:8"),
            ("[::1]", "[::1]:7"),
            ("[::1]:8", "[::1]:8"),
        ] {
            assert_eq!(node(text, 7, "").unwrap().to_string(), shown);
        }
        for text in [
            "",
            ":8",
            "[]",
            "[::1]8",
            "db1:",
            "db1:0",
            "db1:x",
            "db1:65536",
        ] {
            assert!(node(text, 7, "").is_err(), "{text}");
        }
        assert!(several("a,,b", 7, "").is_err());
    }
}
