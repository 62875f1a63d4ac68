//! `watch --exec`: a shell command for each change, one after the other, in the order in which they came. A
//! thread of its own, so that nothing that a command does keeps anybody from hearing of the next event.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use crate::notices::Update;

/// One change, as a command gets it.
struct Order {
    line: String,
    environment: [(&'static str, String); 5],
}

/// Runs the commands.
#[derive(Debug)]
pub struct Execution {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

impl Execution {
    /// `failed` is told when a command does not start or does not end well.
    ///
    /// # Errors
    /// The kernel's, when there is no thread to be had.
    pub fn start(command: String, failed: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let (orders, received) = channel::<Order>();
        let thread = std::thread::Builder::new().name("exec".to_owned());
        let thread = thread.spawn(move || {
            for order in received {
                match run(&command, &order) {
                    Ok(status) if status.success() => {}
                    Ok(status) => failed(&format!("the command of --exec ended with {status}")),
                    Err(error) => failed(&format!("the command of --exec cannot be run: {error}")),
                }
            }
        })?;
        Ok(Self { orders, thread })
    }

    /// Has the command run for a change, whose line this is.
    pub fn tell(&self, line: &str, update: &Update) {
        let notice = &update.notice;
        let date = notice
            .not_before
            .map(|at| at.to_string())
            .unwrap_or_default();
        let order = Order {
            line: line.to_owned(),
            environment: [
                ("LEASECTL_EVENT_ID", notice.id.clone()),
                ("LEASECTL_EVENT_TYPE", notice.event_type.clone()),
                ("LEASECTL_EVENT_STATUS", notice.status.clone()),
                ("LEASECTL_EVENT_NOT_BEFORE", date),
                ("LEASECTL_EVENT_CHANGE", update.change.word().to_owned()),
            ],
        };
        // The thread ends only after this value.
        self.orders.send(order).ok();
    }

    /// Waits for the commands that are still to run.
    pub fn finish(self) {
        drop(self.orders);
        self.thread.join().ok();
    }
}

fn run(command: &str, order: &Order) -> io::Result<std::process::ExitStatus> {
    // What it prints is not one of the lines that somebody reads.
    let stdout = io::stderr();
    let stdout = std::os::fd::AsFd::as_fd(&stdout).try_clone_to_owned()?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .envs(order.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(stdout)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read what it is told is no failure.
        stdin.write_all(order.line.as_bytes()).ok();
    }
    child.wait()
}
