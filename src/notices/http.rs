//! One request over HTTP/1.1 and what comes back, at most so much of it.
//!
//! A connection for each request, straight to a literal address: no proxy, whatever the environment says, no
//! name to look up, no redirect to follow. The metadata service is asked for two small things; a client
//! that can do more would have to be told not to do most of it, and pulls a TLS stack into every build.
//! The answer's head is read by `httparse`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::document::LARGEST_DOCUMENT;

/// The longest head of an answer.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// How long connecting may take. The service is this machine's own: only its first answer is slow.
const CONNECT: Duration = Duration::from_secs(5);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nobody is there, or nobody said anything in time.
    #[error("{0}")]
    Silent(String),
    /// Somebody is there and does not speak HTTP.
    #[error("the answer is not HTTP: {0}")]
    Garbled(String),
    #[error("the answer is larger than 64 KiB")]
    TooLarge,
}

/// Sends a request and reads the answer, within `limit`.
pub(super) async fn exchange(
    address: SocketAddr,
    request: &[u8],
    limit: Duration,
) -> Result<Answer, NoAnswer> {
    match tokio::time::timeout(limit, converse(address, request)).await {
        Ok(answer) => answer,
        Err(_) => Err(NoAnswer::Silent(format!(
            "no answer within {}",
            humantime::format_duration(limit)
        ))),
    }
}

async fn converse(address: SocketAddr, request: &[u8]) -> Result<Answer, NoAnswer> {
    let silent = |error: std::io::Error| NoAnswer::Silent(error.to_string());
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
    let connected = connected.map_err(|_| NoAnswer::Silent("nobody is there".to_owned()))?;
    let mut stream = connected.map_err(silent)?;
    stream.write_all(request).await.map_err(silent)?;
    let mut bytes = Vec::new();
    loop {
        let ended = stream.read_buf(&mut bytes).await.map_err(silent)? == 0;
        if ended && bytes.is_empty() {
            return Err(NoAnswer::Silent("closed without an answer".to_owned()));
        }
        if let Some(answer) = read(&bytes, ended)? {
            return Ok(answer);
        }
        if ended {
            return Err(NoAnswer::Garbled("it ends too early".to_owned()));
        }
    }
}

/// How the end of the body is known.
#[derive(Clone, Copy)]
enum Length {
    Stated(usize),
    Chunked,
    UntilClosed,
}

/// The answer, once it is there as a whole.
pub(super) fn read(bytes: &[u8], ended: bool) -> Result<Option<Answer>, NoAnswer> {
    let garbled = |error: httparse::Error| NoAnswer::Garbled(error.to_string());
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(bytes).map_err(garbled)? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial if bytes.len() > LARGEST_HEAD => return Err(NoAnswer::TooLarge),
        httparse::Status::Partial => return Ok(None),
    };
    let status = head.code.unwrap_or_default();
    let header = |name: &str| {
        let mut all = head.headers.iter();
        let found = all.find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let chunked =
        header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let stated = header("content-length").and_then(|length| length.trim().parse().ok());
    let length = match stated {
        _ if chunked => Length::Chunked,
        Some(length) => Length::Stated(length),
        None => Length::UntilClosed,
    };
    let seconds = header("retry-after").and_then(|text| text.trim().parse().ok());
    let rest = bytes.get(start..).unwrap_or_default();
    // Counted, whatever length is stated.
    if rest.len() > LARGEST_DOCUMENT * 2 {
        return Err(NoAnswer::TooLarge);
    }
    let body = match length {
        Length::Stated(length) if length > LARGEST_DOCUMENT => return Err(NoAnswer::TooLarge),
        Length::Stated(length) => rest.get(..length).map(<[u8]>::to_vec),
        Length::Chunked => unchunked(rest)?,
        Length::UntilClosed => ended.then(|| rest.to_vec()),
    };
    let body = match body {
        Some(body) if body.len() > LARGEST_DOCUMENT => return Err(NoAnswer::TooLarge),
        None if rest.len() > LARGEST_DOCUMENT && !chunked => return Err(NoAnswer::TooLarge),
        body => body,
    };
    Ok(body.map(|body| Answer {
        status,
        retry_after: seconds.map(Duration::from_secs),
        body,
    }))
}

/// The body without the lengths of its pieces; none while pieces are missing.
fn unchunked(mut rest: &[u8]) -> Result<Option<Vec<u8>>, NoAnswer> {
    let bad = || NoAnswer::Garbled("a piece of it has no length".to_owned());
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest).map_err(|_| bad())? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete((start, size)) => (start, size),
        };
        if size == 0 {
            return Ok(Some(body));
        }
        let size = usize::try_from(size).map_err(|_| bad())?;
        if size > LARGEST_DOCUMENT {
            return Err(NoAnswer::TooLarge);
        }
        let Some(piece) = rest.get(start..start + size) else {
            return Ok(None);
        };
        body.extend_from_slice(piece);
        // Each piece ends with a line end, which may still be on its way.
        match rest.get(start + size..start + size + 2) {
            Some(_) => rest = &rest[start + size + 2..],
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Option<String> {
        let answer = read(text.as_bytes(), true).unwrap();
        answer.map(|answer| String::from_utf8(answer.body).unwrap())
    }

    #[test]
    fn bodies_end_where_they_say() {
        let head = "HTTP/1.1 200 OK\r\n";
        let stated = format!("{head}Content-Length: 3\r\n\r\nabcdef");
        assert_eq!(body(&stated).as_deref(), Some("abc"));
        assert_eq!(read(&stated.as_bytes()[..40], false), Ok(None));
        let pieces =
            format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(body(&pieces).as_deref(), Some("abcde"));
        for end in 0..pieces.len() - 4 {
            assert_eq!(read(&pieces.as_bytes()[..end], false), Ok(None), "{end}");
        }
        assert_eq!(body(&format!("{head}\r\nall")).as_deref(), Some("all"));
        assert_eq!(read(format!("{head}\r\nall").as_bytes(), false), Ok(None));
    }

    #[test]
    fn what_is_too_large_is_not_waited_for() {
        for head in [
            "Content-Length: 70000\r\n\r\n",
            "\r\n",
            "Transfer-Encoding: chunked\r\n\r\n10001\r\n",
        ] {
            let text = format!(
                "HTTP/1.1 200 OK\r\n{head}{}",
                "x".repeat(LARGEST_DOCUMENT + 1)
            );
            assert_eq!(
                read(text.as_bytes(), false),
                Err(NoAnswer::TooLarge),
                "{head}"
            );
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(LARGEST_HEAD));
        assert_eq!(read(endless.as_bytes(), false), Err(NoAnswer::TooLarge));
    }

    #[test]
    fn status_and_patience_are_read() {
        let text = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
        let answer = read(text.as_bytes(), false).unwrap().unwrap();
        assert_eq!(
            (answer.status, answer.retry_after),
            (429, Some(Duration::from_secs(7)))
        );
        assert!(matches!(
            read(b"SSH-2.0-x\r\n", false),
            Err(NoAnswer::Garbled(_))
        ));
    }
}
