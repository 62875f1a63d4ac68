//! Whoever waits for a hold: a reader of standard output, of a descriptor, of a file, or the process in the
//! foreground. All are told in the same moment, when the guardian has been armed and guards (P4).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::cli::args::HoldArgs;
use crate::cli::plan::Refused;
use crate::cli::{named, os_error, quoted};
use crate::clock::{BootClock, Clock, WallTime};
use crate::commands::run::News;
use crate::process::{Outlet, Parting, end_ourselves};

/// `leasectl.hold/1` (INTERFACES).
#[derive(Debug, Serialize)]
struct Held {
    schema: &'static str,
    at: WallTime,
    lease: String,
    store: String,
    token: u64,
    slot: u32,
    pid: u32,
    ttl_s: Option<f64>,
}

/// Tells them once.
#[derive(Debug)]
pub(in crate::cli) struct Announcer {
    json: bool,
    output: Option<Outlet>,
    descriptor: Option<Outlet>,
    file: Option<ReadyFile>,
    parent: Option<Parting>,
    held: Option<Held>,
}

impl Announcer {
    /// Checks that all of them can be told: what cannot be kept fails the start (P12).
    pub(super) fn new(typed: &HoldArgs, parent: Option<Parting>) -> Result<Self, Refused> {
        let descriptor = typed.ready_fd.map(|number| {
            Outlet::taken(number).map_err(|error| {
                let why = match error.raw_os_error() {
                    Some(libc::EBADF) => "it is not open".to_owned(),
                    Some(libc::EINVAL) => "it is not open for writing".to_owned(),
                    _ => os_error(&error),
                };
                format!("--ready-fd {number} cannot be used: {why}; open it, as in {number}>FILE")
            })
        });
        let output = match &parent {
            Some(_) => None,
            None => Some(Outlet::stdout().map_err(|error| {
                format!(
                    "standard output cannot be used: {}; write it elsewhere",
                    os_error(&error)
                )
            })?),
        };
        Ok(Self {
            json: typed.json,
            output,
            descriptor: descriptor.transpose()?,
            file: typed
                .ready_file
                .as_deref()
                .map(ReadyFile::new)
                .transpose()?,
            parent,
            held: None,
        })
    }

    /// What is open only until it is held.
    pub(in crate::cli) fn descriptors(&self) -> Vec<RawFd> {
        let descriptor = self.descriptor.as_ref().map(AsFd::as_fd);
        let parent = self.parent.as_ref().map(AsFd::as_fd);
        let both = descriptor.into_iter().chain(parent);
        both.map(|fd| fd.as_raw_fd()).collect()
    }

    /// Takes the news; what people have to be told of it.
    pub(in crate::cli) fn hear(&mut self, news: &News<'_>) -> Vec<String> {
        match news {
            News::Acquired {
                lease,
                store,
                token,
                ttl,
                ..
            } => {
                self.held = Some(Held {
                    schema: "leasectl.hold/1",
                    at: BootClock.wall(),
                    lease: lease.as_str().to_owned(),
                    store: store.as_str().to_owned(),
                    token: token.get(),
                    slot: 0,
                    pid: std::process::id(),
                    ttl_s: ttl.as_ref().map(Duration::as_secs_f64),
                });
                Vec::new()
            }
            News::Guarding { .. } => self.tell(),
            // From here on it is not ours any more, or soon not.
            News::Stopping { .. } | News::Killing { .. } | News::Released { .. } => {
                self.file = None;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn tell(&mut self) -> Vec<String> {
        let Some(held) = &self.held else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        let line = if self.json {
            as_json(held)
        } else {
            in_words(held)
        };
        for (outlet, what) in [
            (&mut self.output, "standard output"),
            (&mut self.descriptor, "--ready-fd"),
        ] {
            if outlet
                .as_mut()
                .is_some_and(|outlet| outlet.put(&line).is_err())
            {
                warnings.push(format!(
                    "nobody reads {what}: {} is held all the same",
                    held.lease
                ));
            }
        }
        // Its reader waits for the end.
        self.descriptor = None;
        let assignments = assignments(held);
        if let Some(file) = &mut self.file
            && let Err(why) = file.write(&assignments)
        {
            warnings.push(why);
        }
        if self
            .parent
            .take()
            .is_some_and(|parent| !parent.say(&assignments))
        {
            // Who asked for it has gone meanwhile.
            end_ourselves();
        }
        warnings
    }
}

fn in_words(held: &Held) -> String {
    let lease = named(&held.lease);
    format!("holding {lease}, token {}, pid {}\n", held.token, held.pid)
}

fn as_json(held: &Held) -> String {
    // Plain data: cannot fail.
    serde_json::to_string(held).unwrap_or_default() + "\n"
}

/// For `eval`, and for `.` of a ready file.
fn assignments(held: &Held) -> String {
    let lease = held.lease.replace('\'', r"'\''");
    format!(
        "{FIRST}'{lease}'\nLEASECTL_TOKEN={}\nLEASECTL_HOLD_PID={}\n",
        held.token, held.pid
    )
}

const FIRST: &str = "LEASECTL_LEASE=";

/// A file that is there while the lease is held, and gone with the value.
#[derive(Debug)]
struct ReadyFile {
    path: PathBuf,
    spare: PathBuf,
    written: Option<String>,
}

impl ReadyFile {
    /// Takes away what an earlier hold left, and makes sure that it can be written.
    fn new(path: &Path) -> Result<Self, Refused> {
        let refuse = |why: String| {
            let shown = quoted(&path.to_string_lossy());
            format!("--ready-file {shown} cannot be used: {why}")
        };
        match fs::read(path) {
            Ok(text) if text.starts_with(FIRST.as_bytes()) => {
                fs::remove_file(path).map_err(|error| refuse(os_error(&error)))?;
            }
            Ok(_) => {
                return Err(refuse(
                    "there is a file of another kind; remove it or name another".to_owned(),
                ));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(refuse(os_error(&error))),
        }
        let mut spare = path.as_os_str().to_owned();
        spare.push(format!(".{}~", std::process::id()));
        let spare = PathBuf::from(spare);
        let file = Self {
            path: path.to_owned(),
            spare,
            written: None,
        };
        file.prepare("").map_err(|error| refuse(os_error(&error)))?;
        Ok(file)
    }

    fn prepare(&self, text: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&self.spare)?;
        file.write_all(text.as_bytes())
    }

    /// It appears whole.
    fn write(&mut self, text: &str) -> Result<(), String> {
        let written = self
            .prepare(text)
            .and_then(|()| fs::rename(&self.spare, &self.path));
        written.map_err(|error| {
            let shown = quoted(&self.path.to_string_lossy());
            format!("--ready-file {shown} was not written: {}", os_error(&error))
        })?;
        self.written = Some(text.to_owned());
        Ok(())
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        fs::remove_file(&self.spare).ok();
        // Another hold may have written its own since.
        if let Some(written) = &self.written
            && fs::read_to_string(&self.path).is_ok_and(|text| text == *written)
        {
            fs::remove_file(&self.path).ok();
        }
    }
}
