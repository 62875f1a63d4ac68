//! One that wants a lease: leasectl or a peer, around the probe.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::options::{Options, Store, Subject};
use crate::probe::{MANNERS, PROBE};
use crate::processes::{CONTENDER, child_named};
use crate::random::Random;
use crate::schedule::Fault;

/// Where contenders run.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The directory of this run.
    pub(crate) directory: String,
    /// What marks its processes.
    pub(crate) run: String,
    /// In the store's URL, and nowhere that anybody can see.
    pub(crate) canary: String,
}

impl Place {
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// A command with nothing of our own environment in it but the path.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", &self.directory)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command
    }
}

/// What a lease is called.
pub(crate) fn lease_name(lease: u64) -> String {
    format!("torture-{lease}")
}

/// A running one.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) number: u64,
    pub(crate) lease: u64,
    child: Child,
    slot: usize,
    /// What took away one of those who stop its command.
    pub(crate) wound: Option<Fault>,
    /// The same, or anything else that may change how it ends.
    pub(crate) faults: Vec<Fault>,
}

/// How one ended, and what it told of itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// How often each kind of event came, with its reason where it has one.
    pub(crate) events: BTreeMap<String, u64>,
    pub(crate) said: String,
}

impl Ended {
    /// The code as a shell has it.
    pub(crate) fn code(&self) -> i32 {
        let signal = self.status.signal().map(|signal| 128 + signal);
        self.status.code().or(signal).unwrap_or(-1)
    }
}

impl Contender {
    pub(crate) fn start(
        place: &Place,
        options: &Options,
        slot: usize,
        number: u64,
        port: Option<u16>,
    ) -> Outcome<Self> {
        let contenders = usize::try_from(options.contenders)?;
        let lease = u64::try_from(slot / contenders)?;
        let mut command = subject(place, options, lease, slot, port);
        let mut random = Random::new(options.seed, 1_000 + number);
        let long = random.once_in(2);
        let (least, most) = if long { (1, 2) } else { (0, 1) };
        let lasts = random.span(options.ttl * least, options.ttl * most);
        let manner = random.below(u64::try_from(MANNERS.len())?);
        let said = File::create(place.path(&format!("said-{slot}")))?;
        command
            .arg(std::env::current_exe()?)
            .args([PROBE, &place.directory, &lease.to_string()])
            .args([manner.to_string(), lasts.as_millis().to_string()])
            .env(CONTENDER, format!("{}:{number}", place.run))
            .stdout(said.try_clone()?)
            .stderr(said);
        Ok(Self {
            number,
            lease,
            child: command.spawn()?,
            slot,
            wound: None,
            faults: Vec::new(),
        })
    }

    pub(crate) fn front(&self) -> u32 {
        self.child.id()
    }

    /// Whether what this fault does to it can be told apart from what others did.
    pub(crate) fn may_be_hit_by(&self, fault: Fault) -> bool {
        // The guardian continues the front of a command that is continued (job control): of a front that was
        // stopped beside its command nobody can say when it goes on.
        let beside = match fault {
            Fault::StopCommand => self.wound == Some(Fault::StopFront),
            Fault::StopFront => self.faults.contains(&Fault::StopCommand),
            _ => false,
        };
        !(beside || fault.is_local() && self.wound.is_some())
    }

    /// Its guardian, once it has its name.
    pub(crate) fn guardian(&self) -> Option<u32> {
        child_named(self.front(), "lease-guard")
    }

    /// Reaps it if it has ended.
    pub(crate) fn ended(&mut self, place: &Place) -> Outcome<Option<Ended>> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(None);
        };
        let told = place.path(&format!("events-{}", self.slot));
        let text = fs::read_to_string(&told).unwrap_or_default();
        drop(fs::remove_file(told));
        let said = fs::read(place.path(&format!("said-{}", self.slot)))?;
        let mut said = String::from_utf8_lossy(&said).into_owned();
        if text.contains(&place.canary) {
            said.push_str(&place.canary);
        }
        Ok(Some(Ended {
            status,
            events: count(&text),
            said,
        }))
    }
}

/// Counts the events by kind and reason.
fn count(text: &str) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for event in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let word = |key: &str| event.get(key).and_then(Value::as_str);
        let kind = word("kind").unwrap_or_default();
        let why = word("why").or(word("reason")).or(word("outcome"));
        let certain = event.get("certain").and_then(Value::as_bool);
        let name = match (why, certain) {
            (Some(why), _) => format!("{kind} {why}"),
            (None, Some(false)) => format!("{kind} in doubt"),
            (None, _) => kind.to_owned(),
        };
        *counted.entry(name).or_default() += 1;
    }
    counted
}

/// The words before the command.
fn subject(
    place: &Place,
    options: &Options,
    lease: u64,
    slot: usize,
    port: Option<u16>,
) -> Command {
    let name = lease_name(lease);
    let ttl = options.ttl.as_secs_f64();
    let port = port.unwrap_or_default();
    match options.subject {
        Subject::Leasectl => leasectl(place, options, &name, slot),
        Subject::Flock => {
            let mut command = place.command("flock");
            command.args(["-o", &place.path(&format!("lock-{lease}"))]);
            command
        }
        Subject::Setnx => {
            let script = format!(
                "until [ \"$(redis-cli -p {port} set {name} 1 nx px {})\" = OK ]; do sleep 0.2; done; \
                 \"$@\"; redis-cli -p {port} del {name}",
                options.ttl.as_millis()
            );
            let mut command = place.command("sh");
            command
                .args(["-c", &script, "sh"])
                .env("REDISCLI_AUTH", &place.canary);
            command
        }
        Subject::Etcdctl => {
            let mut command = place.command("etcdctl");
            let url = format!("127.0.0.1:{port}");
            command
                .env("ETCDCTL_API", "3")
                .args(["--endpoints", &url, "lock"]);
            command.args(["--ttl", &format!("{ttl:.0}"), "--", &name]);
            command
        }
    }
}

/// With `--cgroups half` every second one finds no cgroup and keeps the tree together by descent. Needs root.
fn program(place: &Place, options: &Options, slot: usize) -> Command {
    const HIDE: &str = "umount -a -t cgroup2 && exec \"$@\"";
    let mut command = if options.hides && slot.is_multiple_of(2) {
        let mut command = place.command("unshare");
        command.args(["--mount", "sh", "-c", HIDE, "sh", &options.binary]);
        command
    } else {
        place.command(&options.binary)
    };
    if let Some(mutant) = &options.mutant {
        command.env("MUTANT_OF_LEASECTL", mutant);
    }
    command
}

fn leasectl(place: &Place, options: &Options, name: &str, slot: usize) -> Command {
    let mut command = program(place, options, slot);
    let ttl = format!("{}ms", options.ttl.as_millis());
    let events = place.path(&format!("events-{slot}"));
    command
        .args(["run", "-q", "--lease", name, "--wait", "forever"])
        .args([
            "--events",
            &events,
            "--leftovers-settle",
            "100ms",
            "--grace",
            "300ms",
        ])
        .args(["--ttl", &ttl]);
    match options.store {
        Store::File => command.args(["--store", &format!("file://{}", place.path("store"))]),
        Store::Redis | Store::Etcd => {
            command.args(["--store-file", &place.path(&format!("url-{slot}"))])
        }
    };
    command.arg("--");
    command
}
