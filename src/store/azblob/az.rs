//! Running `az` for a token.
//!
//! Beside us somebody reaps every child of this process as soon as it has ended (`process/`), so that nobody else
//! can be sure to hear how one ended: the shell that runs it has to write that down. And it takes a second or two,
//! which may be longer than one attempt: the next attempt takes what the one before has begun.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure_identity::Executor;
use tokio::sync::{Mutex, oneshot};

/// What was begun longer ago is not waited for any more, and what it says is not used.
const TOO_OLD: Duration = Duration::from_secs(60);
/// More than any token is.
const LARGEST: u64 = 1024 * 1024;

/// Runs one at a time.
#[derive(Debug, Default)]
pub(super) struct Az {
    running: Mutex<Option<Begun>>,
}

#[derive(Debug)]
struct Begun {
    at: Instant,
    script: OsString,
    answer: oneshot::Receiver<io::Result<Output>>,
}

#[async_trait]
impl Executor for Az {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let (script, options) = args.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let mut running = self.running.lock().await;
        let of_now = |begun: &Begun| begun.at.elapsed() < TOO_OLD && begun.script == *script;
        if !running.as_ref().is_some_and(of_now) {
            *running = Some(begin(program, options, script)?);
        }
        let Some(begun) = running.as_mut() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // Whoever drops us here leaves it to the next.
        let answer = (&mut begun.answer).await;
        *running = None;
        answer.map_err(io::Error::other)?
    }
}

fn begin(program: &OsStr, options: &[&OsStr], script: &OsStr) -> io::Result<Begun> {
    let mut noted = script.to_owned();
    noted.push("\nprintf '\\n%s' \"$?\"");
    let mut command = Command::new(program);
    command.args(options).arg(noted);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (told, answer) = oneshot::channel();
    thread::Builder::new().spawn(move || {
        // Nobody may want it any more.
        told.send(output(command)).ok();
    })?;
    Ok(Begun {
        at: Instant::now(),
        script: script.to_owned(),
        answer,
    })
}

fn output(mut command: Command) -> io::Result<Output> {
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let errors = thread::Builder::new().spawn(move || all(err))?;
    let mut stdout = all(out);
    let stderr = errors.join().unwrap_or_default();
    // Somebody else may have reaped it.
    child.wait().ok();
    let end = stdout.iter().rposition(|byte| *byte == b'\n');
    let code = end.map(|end| stdout.split_off(end));
    let code = code.and_then(|code| str::from_utf8(&code).ok()?.trim().parse::<u8>().ok());
    // Without a code the shell did not come to its end.
    let status = ExitStatus::from_raw(i32::from(code.unwrap_or(1)) << 8);
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

fn all(from: Option<impl Read>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(from) = from {
        from.take(LARGEST).read_to_end(&mut text).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ran(az: &Az, script: &str) -> io::Result<Output> {
        let script = OsStr::new(script);
        az.run(OsStr::new("/bin/sh"), &[OsStr::new("-c"), script])
            .await
    }

    fn run(test: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn what_it_prints_and_how_it_ends_are_told() {
        run(async {
            let az = Az::default();
            let good = ran(&az, "echo '{}'; echo no >&2").await.unwrap();
            assert!(good.status.success(), "{good:?}");
            assert_eq!(good.stdout, b"{}\n");
            assert_eq!(good.stderr, b"no\n");
            let bad = ran(&az, "cd / && no-such-tool-anywhere").await.unwrap();
            assert_eq!(bad.status.code(), Some(127));
            let killed = ran(&az, "kill -9 $$").await.unwrap();
            assert!(!killed.status.success(), "{killed:?}");
        });
    }

    #[test]
    fn what_was_not_waited_for_is_taken_by_the_next() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let log = directory.path().join("log");
            let script = format!("echo x >>{}; sleep 0.3; echo done", log.display());
            let az = Az::default();
            let limit = Duration::from_millis(20);
            tokio::time::timeout(limit, ran(&az, &script))
                .await
                .unwrap_err();
            let second = ran(&az, &script).await.unwrap();
            assert_eq!(second.stdout, b"done\n");
            assert_eq!(std::fs::read_to_string(log).unwrap(), "x\n");
        });
    }
}
