//! Something between a client and its server that can lose an answer after the request was carried out, and
//! carry out a request twice.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// What happens to the bytes that the server answers.
#[derive(Debug, Default)]
struct Answers {
    /// The next are swallowed, and the connection is cut.
    cut: AtomicBool,
    /// So long after they came.
    delay_ms: AtomicU64,
}

/// What happens to the requests.
#[derive(Debug, Default)]
struct Requests {
    /// The next is carried out once more before it is passed on.
    twice: AtomicBool,
    /// A copy of the next is made.
    copy: AtomicBool,
    /// The copy.
    copied: Mutex<Vec<u8>>,
    /// None is passed on, and its connection is cut.
    lose: AtomicBool,
    /// So many were not.
    lost: AtomicU64,
}

/// A proxy on a socket of its own. Its threads end with their connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    directory: TempDir,
    target: PathBuf,
    answers: Arc<Answers>,
    requests: Arc<Requests>,
}

impl Proxy {
    /// Between whoever connects and the server that listens on `target`.
    pub(crate) fn to(target: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("proxy-").tempdir().unwrap();
        let proxy = Self {
            directory,
            target: target.to_owned(),
            answers: Arc::default(),
            requests: Arc::default(),
        };
        let listener = UnixListener::bind(proxy.socket()).unwrap();
        let target = target.to_owned();
        let (answers, requests) = (Arc::clone(&proxy.answers), Arc::clone(&proxy.requests));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&target)) else {
                    continue;
                };
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (answers, requests) = (Arc::clone(&answers), Arc::clone(&requests));
                let target = target.clone();
                thread::spawn(move || {
                    pass(client, server, |request| requests.pass(request, &target));
                });
                thread::spawn(move || pass(back.0, back.1, |_| answers.pass()));
            }
        });
        proxy
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// The next answer does not arrive, and the connection that it was for is cut.
    pub(crate) fn cut_the_next_answer(&self) {
        self.answers.cut.store(true, Ordering::SeqCst);
    }

    /// The next request is carried out twice. The answer is that to the second.
    pub(crate) fn send_the_next_request_twice(&self) {
        self.requests.twice.store(true, Ordering::SeqCst);
    }

    /// A copy of the next request stays on the way, for [`Self::deliver_the_copy`].
    pub(crate) fn copy_the_next_request(&self) {
        self.requests.copy.store(true, Ordering::SeqCst);
    }

    /// The copy arrives; returns when it has been carried out.
    pub(crate) fn deliver_the_copy(&self) {
        let copied = std::mem::take(&mut *self.requests.copied.lock().unwrap());
        assert!(!copied.is_empty(), "no request was copied");
        carry_out(&copied, &self.target);
    }

    /// From now on no request arrives, and the connection that it came over is cut; or they arrive again.
    pub(crate) fn lose_requests(&self, lose: bool) {
        self.requests.lose.store(lose, Ordering::SeqCst);
    }

    /// How many have not arrived.
    pub(crate) fn lost(&self) -> u64 {
        self.requests.lost.load(Ordering::SeqCst)
    }

    /// From now on answers arrive so much later.
    pub(crate) fn delay(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.answers.delay_ms.store(millis, Ordering::SeqCst);
    }
}

impl Answers {
    /// Whether an answer arrives.
    fn pass(&self) -> bool {
        if self.cut.swap(false, Ordering::SeqCst) {
            return false;
        }
        thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst)));
        true
    }
}

impl Requests {
    fn pass(&self, request: &[u8], target: &Path) -> bool {
        if self.lose.load(Ordering::SeqCst) {
            self.lost.fetch_add(1, Ordering::SeqCst);
            return false;
        }
        if self.copy.swap(false, Ordering::SeqCst) {
            *self.copied.lock().unwrap() = request.to_vec();
        }
        if self.twice.swap(false, Ordering::SeqCst) {
            carry_out(request, target);
        }
        true
    }
}

/// Sends a request over a connection of its own, and swallows the answer.
fn carry_out(request: &[u8], target: &Path) {
    let mut server = UnixStream::connect(target).unwrap();
    server.write_all(request).unwrap();
    let mut answer = [0; 64 * 1024];
    let read = server.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(!answer.starts_with('-'), "{answer}");
}

/// Hands on what comes, until something is not to be handed on.
fn pass(mut from: UnixStream, mut to: UnixStream, passes: impl Fn(&[u8]) -> bool) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let bytes = &bytes[..read];
        if !passes(bytes) || to.write_all(bytes).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
