//! With or without TLS: what a port speaks that does not answer as it should. Only what it says itself counts:
//! a slow server says nothing, and is not mistaken for another one.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::config::Tls;
use super::reach::{Peer, connect};
use super::trouble::Trouble;

/// A handshake that is not over by then makes us ask in clear words. A server without TLS takes it for the
/// beginning of a line, and waits for the end. Too short, and a slow server is asked in vain each time.
const SLOW: Duration = Duration::from_millis(100);
/// So long the other question may take, so that the reason for it is not forgotten over it.
const QUESTION: Duration = Duration::from_secs(1);

/// How a record of TLS begins: with an alert or a handshake, of version 3.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const VERSION: u8 = 3;

pub(super) const NO_TLS: &str =
    "it does not speak TLS on this port; begin the URL with redis in the place of rediss";
const TLS: &str = "it speaks TLS on this port; begin the URL with rediss in the place of redis";

/// Returns, with what is wrong, when the port turns out to answer without TLS.
pub(super) async fn speaks_clearly(peer: Peer<'_>) -> Trouble {
    sleep(SLOW).await;
    // The type of an answer in Redis' protocol: a word or an error. Nothing else answers PING.
    if let Some([b'+' | b'-', _]) = first_of_answer(peer, b"PING\r\n").await {
        return Trouble::Unfit(NO_TLS.to_owned());
    }
    std::future::pending().await
}

/// Why the first question on a new connection failed: `trouble`, unless the port speaks TLS and we do not.
pub(super) async fn explained(trouble: Trouble, peer: Peer<'_>, tls: Option<&Tls>) -> Trouble {
    let asked = tls.is_none() && matches!(trouble, Trouble::Silent(..) | Trouble::Garbled(_));
    let Some(hello) = asked.then(hello).flatten() else {
        return trouble;
    };
    match timeout(QUESTION, first_of_answer(peer, &hello)).await {
        Ok(Some([ALERT | HANDSHAKE, VERSION])) => Trouble::Unfit(TLS.to_owned()),
        _ => trouble,
    }
}

/// The first two bytes that are answered on a connection of its own.
async fn first_of_answer(peer: Peer<'_>, question: &[u8]) -> Option<[u8; 2]> {
    let Peer::Tcp(node) = peer else {
        return None;
    };
    let mut stream: TcpStream = connect(node).await.ok()?;
    stream.write_all(question).await.ok()?;
    let mut first = [0; 2];
    stream.read_exact(&mut first).await.ok()?;
    Some(first)
}

/// How a client that speaks TLS begins. It trusts nobody: what is answered is not used.
fn hello() -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut client = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello).ok()?;
    Some(hello)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_tls_begins_with_a_handshake() {
        let hello = hello().unwrap();
        assert_eq!(hello[..2], [HANDSHAKE, VERSION]);
    }
}
