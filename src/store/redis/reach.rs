//! The way to a server: a socket, or TCP with or without TLS.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio_rustls::client::TlsStream;

use super::address::Node;
use super::bounded::Bounded;
use super::config::Tls;
use super::trouble::Trouble;
use super::{speech, tls};
use crate::lease::Effect;

/// Bytes in both directions.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytes for S {}

/// A way that is open.
pub(super) type Way = Bounded<Box<dyn Bytes>>;

/// Where one server is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer<'a> {
    Tcp(&'a Node),
    Unix(&'a Path),
}

/// Opens the way to `peer`.
pub(super) async fn reach(peer: Peer<'_>, how: Option<&Tls>) -> Result<Way, Trouble> {
    let stream: Box<dyn Bytes> = match peer {
        Peer::Tcp(node) => {
            let stream = connect(node).await.map_err(|error| silent(&error))?;
            match how {
                Some(how) => Box::new(secured(stream, peer, node, how).await?),
                None => Box::new(stream),
            }
        }
        Peer::Unix(path) => {
            let stream = UnixStream::connect(path).await;
            Box::new(stream.map_err(|error| silent(&error))?)
        }
    };
    Ok(Bounded::new(stream))
}

/// The same stream with TLS. While nobody has ever shaken hands there, a slow one is asked whether it speaks TLS at
/// all: over a connection of its own, which a server that is only far away need not bear each time.
async fn secured(
    stream: TcpStream,
    peer: Peer<'_>,
    node: &Node,
    how: &Tls,
) -> Result<TlsStream<TcpStream>, Trouble> {
    // The files are read first. Meanwhile the question would come due, and no server is slow for that.
    let handshake = tls::Handshake::new(&node.host, how)?;
    let in_question = !how.spoken.load(Ordering::Relaxed);
    let shaken = tokio::select! {
        shaken = handshake.shake(stream) => shaken?,
        wrong = speech::speaks_clearly(peer), if in_question => return Err(wrong),
    };
    how.spoken.store(true, Ordering::Relaxed);
    Ok(shaken)
}

fn silent(error: &io::Error) -> Trouble {
    let why = match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    };
    Trouble::Silent(Effect::None, why)
}

pub(super) async fn connect(node: &Node) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the host has no address");
    for address in addresses(node.host.clone(), node.port).await? {
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
