//! The service manager's notification socket: sd_notify(3) and sd_watchdog_enabled(3), in datagrams.
//!
//! Ours and not the `sd-notify` crate's, because that one (0.5) sends on a blocking socket: a service
//! manager that has stopped reading would hold up the loop that renews. What is said here is
//! information, never safety: nothing waits for it, and no failure of it stops anything.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use super::sys::Pid;

const SOCKET: &str = "NOTIFY_SOCKET";
const USEC: &str = "WATCHDOG_USEC";
const PID: &str = "WATCHDOG_PID";

/// What the service manager left in our environment, judged and not yet used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServiceManager {
    socket: Option<OsString>,
    /// How long its watchdog waits for a sign of life; `None`: it does not watch this process.
    pub watchdog: Option<Duration>,
}

/// A wish of the service manager that cannot be met. The command runs all the same: the variables are
/// no options, and nobody typed them.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// The socket cannot be reached.
    #[error("cannot be reached")]
    Unreachable(#[source] io::Error),
    /// It is named in a way that we do not know, `vsock:` for example.
    #[error("is neither an absolute path nor an abstract name (@NAME)")]
    UnknownAddress,
    /// A variable of the watchdog is not a number that it could be.
    #[error("{0} is not a number that sd_watchdog_enabled(3) knows")]
    Malformed(&'static str),
}

impl ServiceManager {
    /// Reads the variables, through `variable`, for the process `own`. The second part says what is
    /// wrong with those of the watchdog, which is then not fed.
    pub fn read(
        variable: impl Fn(&'static str) -> Option<OsString>,
        own: Pid,
    ) -> (Self, Option<NotTold>) {
        // Set and empty is how an environment file takes a variable away.
        let socket = variable(SOCKET).filter(|name| !name.is_empty());
        let watched = if socket.is_some() {
            watchdog(variable, own)
        } else {
            Ok(None)
        };
        let (watchdog, wrong) = match watched {
            Ok(watchdog) => (watchdog, None),
            Err(name) => (None, Some(NotTold::Malformed(name))),
        };
        (Self { socket, watchdog }, wrong)
    }

    /// Connects to the socket; `None` when there is no service manager to tell.
    ///
    /// # Errors
    /// [`NotTold`], when it is named in an unknown way or nobody listens.
    pub fn connect(&self) -> Result<Option<NotifySocket>, NotTold> {
        let Some(name) = &self.socket else {
            return Ok(None);
        };
        let address = address(name)?;
        let connected = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            // Once and now, while nothing is held: resolving a path may take its time.
            socket.connect_addr(&address)?;
            Ok(socket)
        });
        connected
            .map(|socket| Some(NotifySocket(socket)))
            .map_err(NotTold::Unreachable)
    }
}

fn address(name: &OsStr) -> Result<SocketAddr, NotTold> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => return Err(NotTold::UnknownAddress),
    }
    .map_err(NotTold::Unreachable)
}

/// How long the watchdog waits, when it is us that it watches; else the variable that is wrong.
fn watchdog(
    variable: impl Fn(&'static str) -> Option<OsString>,
    own: Pid,
) -> Result<Option<Duration>, &'static str> {
    let number = |name| -> Option<Result<u64, &'static str>> {
        let text = variable(name)?;
        // Digits only: "+5" is a number to Rust and not to sd_watchdog_enabled(3).
        let number = text
            .to_str()
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        Some(number.and_then(|text| text.parse().ok()).ok_or(name))
    };
    let Some(limit) = number(USEC) else {
        return Ok(None);
    };
    // It was meant for whoever started us, and inherited.
    if let Some(watched) = number(PID)
        && u64::try_from(own) != Ok(watched?)
    {
        return Ok(None);
    }
    match limit? {
        0 | u64::MAX => Err(USEC),
        micros => Ok(Some(Duration::from_micros(micros))),
    }
}

/// What became of a message.
#[derive(Debug)]
#[must_use]
pub enum Told {
    /// The service manager has it in its queue.
    Done,
    /// The queue is full: it was not sent, and may be later.
    Full,
    /// Nobody listens any more.
    Failed(io::Error),
}

/// The socket, connected. Sending never waits. It is not open in the command.
#[derive(Debug)]
pub struct NotifySocket(UnixDatagram);

impl NotifySocket {
    /// Sends these assignments (`READY=1`) as one message. A line break inside one is sent as a blank:
    /// foreign text must not become an assignment of its own.
    pub fn tell(&self, assignments: &[String]) -> Told {
        let lines: Vec<String> = assignments
            .iter()
            .map(|line| line.replace(['\n', '\r', '\0'], " "))
            .collect();
        match self.0.send(lines.join("\n").as_bytes()) {
            Ok(_) => Told::Done,
            Err(error) if is_full(&error) => Told::Full,
            Err(error) => Told::Failed(error),
        }
    }
}

/// The kernel's words for a queue without room, and for no memory for a message right now.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Pid = 7;

    fn read(variables: &[(&'static str, &str)]) -> (Option<Duration>, Option<String>) {
        let (found, wrong) = ServiceManager::read(
            |name| {
                let mut all = [(SOCKET, "/run/notify")].iter().chain(variables);
                all.rfind(|(key, _)| *key == name)
                    .map(|(_, value)| OsString::from(value))
            },
            OWN,
        );
        (found.watchdog, wrong.map(|wrong| wrong.to_string()))
    }

    #[test]
    fn the_watchdog_is_ours_unless_it_names_another() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(read(&[]), (None, None));
        assert_eq!(read(&[(USEC, "1000000")]), (second, None));
        assert_eq!(read(&[(USEC, "1000000"), (PID, "7")]), (second, None));
        assert_eq!(read(&[(USEC, "1000000"), (PID, "8")]), (None, None));
        assert_eq!(read(&[(USEC, "soon"), (PID, "8")]), (None, None));
        assert_eq!(read(&[(SOCKET, ""), (USEC, "soon")]), (None, None));
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (name, value) in [
            (USEC, ""),
            (USEC, "0"),
            (USEC, "-1"),
            (USEC, "+5"),
            (USEC, "1s"),
            (USEC, "18446744073709551615"),
            (USEC, "99999999999999999999999"),
            (PID, ""),
            (PID, "us"),
        ] {
            let (watchdog, wrong) = read(&[(USEC, "5"), (name, value)]);
            assert_eq!(watchdog, None, "{name}={value:?}");
            assert!(
                wrong.is_some_and(|wrong| wrong.starts_with(name)),
                "{value:?}"
            );
        }
    }

    #[test]
    fn an_address_is_a_path_or_an_abstract_name() {
        assert!(address(OsStr::new("/run/notify")).is_ok());
        assert!(address(OsStr::new("@notify")).is_ok());
        for name in ["vsock:2:1", "notify", "./notify"] {
            let refused = address(OsStr::new(name));
            assert!(matches!(refused, Err(NotTold::UnknownAddress)), "{name}");
        }
        let long = format!("/{}", "x".repeat(108));
        let refused = address(OsStr::new(&long));
        assert!(matches!(refused, Err(NotTold::Unreachable(_))));
    }

    #[test]
    fn a_full_queue_is_told_and_never_waited_for() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = NotifySocket(ours);
        let text = ["STATUS=a\nREADY=1".to_owned(), "WATCHDOG=1".to_owned()];
        let mut sent = 0;
        while let Told::Done = socket.tell(&text) {
            sent += 1;
        }
        assert!(sent > 0 && matches!(socket.tell(&text), Told::Full));
        let mut found = [0; 100];
        let length = theirs.recv(&mut found).unwrap();
        assert_eq!(&found[..length], b"STATUS=a READY=1\nWATCHDOG=1");
        drop(theirs);
        assert!(matches!(socket.tell(&text), Told::Failed(_)));
    }
}
