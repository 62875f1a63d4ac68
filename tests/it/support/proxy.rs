//! Something between a client and its server that can lose an answer after the request was carried out.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// A proxy on a socket of its own. Its threads end with their connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    directory: TempDir,
    answers: Arc<Answers>,
}

impl Proxy {
    /// Between whoever connects and the server that listens on `target`.
    pub(crate) fn to(target: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("proxy-").tempdir().unwrap();
        let proxy = Self {
            directory,
            answers: Arc::default(),
        };
        let listener = UnixListener::bind(proxy.socket()).unwrap();
        let (target, answers) = (target.to_owned(), Arc::clone(&proxy.answers));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&target)) else {
                    continue;
                };
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let answers = Arc::clone(&answers);
                thread::spawn(move || pass(client, server, &Answers::default()));
                thread::spawn(move || pass(back.0, back.1, &answers));
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

    /// From now on answers arrive so much later.
    pub(crate) fn delay(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.answers.delay_ms.store(millis, Ordering::SeqCst);
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, answers: &Answers) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if answers.cut.swap(false, Ordering::SeqCst) {
            break;
        }
        thread::sleep(Duration::from_millis(
            answers.delay_ms.load(Ordering::SeqCst),
        ));
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
