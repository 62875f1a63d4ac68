//! Who is compared: the words that guard a command, without waiting and with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::peers::Peers;
use crate::servers::Server;
use crate::{LEASECTL, Outcome, target};

/// The names that goals and ratios refer to.
pub(crate) const BARE: &str = "no wrapper";
pub(crate) const FILE: &str = "leasectl, file";
pub(crate) const REDIS: &str = "leasectl, Redis";
pub(crate) const STATIC_FILE: &str = "leasectl static, file";
pub(crate) const STATIC_REDIS: &str = "leasectl static, Redis";
pub(crate) const FLOCK: &str = "flock";
pub(crate) const ETCDCTL: &str = "etcdctl lock";

/// One that guards a command.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) program: Option<PathBuf>,
    /// Before the lock's name: once for one attempt, once for as long as it takes.
    words: (Vec<String>, Vec<String>),
    lock: Vec<String>,
    home: PathBuf,
}

impl Subject {
    /// It around `command`.
    pub(crate) fn guarded(&self, wait: bool, command: &[&str]) -> Command {
        let mut all: Vec<&str> = Vec::new();
        all.extend(
            if wait { &self.words.1 } else { &self.words.0 }
                .iter()
                .map(String::as_str),
        );
        all.extend(self.lock.iter().map(String::as_str));
        all.extend(command);
        let mut guarded = match &self.program {
            Some(program) => Command::new(program),
            None => Command::new(all.remove(0)),
        };
        guarded
            .args(all)
            .env("ETCDCTL_API", "3")
            .env("HOME", &self.home);
        guarded
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        guarded
    }

    /// Whether it is leasectl.
    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with("leasectl")
    }

    /// Whether it keeps exclusion after a SIGKILL because the command dies with it, as one process.
    pub(crate) fn becomes_the_command(&self) -> bool {
        ["setlock", "chpst -l", "with-lock-ex"].contains(&self.name)
    }

    /// The same with other options before the lock's name.
    pub(crate) fn with(&self, name: &'static str, words: &[&str]) -> Self {
        let mut other = self.clone();
        other.name = name;
        for list in [&mut other.words.0, &mut other.words.1] {
            list.extend(words.iter().map(|&word| word.to_owned()));
        }
        other
    }
}

/// A directory with all that locks need, the servers, and everyone who is compared.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) place: TempDir,
    pub(crate) redis: Option<Server>,
    _etcd: Option<Server>,
    pub(crate) subjects: Vec<Subject>,
}

impl Field {
    /// Starts what is needed.
    pub(crate) fn new(peers: &mut Peers) -> Outcome<Self> {
        let place = tempfile::Builder::new()
            .prefix("leasectl-bench-")
            .tempdir()?;
        fs::create_dir(place.path().join("store"))?;
        let mut field = Self {
            redis: start(peers, "redis-server", Server::redis),
            _etcd: None,
            subjects: Vec::new(),
            place,
        };
        field.add(BARE, None, (&[], &[]), &[]);
        field.add_ours(FILE, REDIS, Path::new(LEASECTL));
        let built = target().join(format!(
            "{}-unknown-linux-musl/release/leasectl",
            std::env::consts::ARCH
        ));
        if built.is_file() {
            field.add_ours(STATIC_FILE, STATIC_REDIS, &built);
        } else {
            peers.without("the static build", "scripts/build-static was not run");
        }
        field.add_peers(peers);
        Ok(field)
    }

    fn add(
        &mut self,
        name: &'static str,
        program: Option<&Path>,
        words: (&[&str], &[&str]),
        lock: &[&str],
    ) {
        let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        self.subjects.push(Subject {
            name,
            program: program.map(Path::to_owned),
            words: (own(words.0), own(words.1)),
            lock: own(lock),
            home: self.place.path().to_owned(),
        });
    }

    fn add_ours(&mut self, file: &'static str, redis: &'static str, program: &Path) {
        let once = ["run", "-q"];
        let wait = ["run", "-q", "--wait", "forever"];
        let store = format!("file://{}/store", self.place.path().display());
        let lease = |store: &str| -> Vec<String> {
            let words = ["--store", store, "--lease", "x", "--"];
            words.map(str::to_owned).into()
        };
        let mut places = vec![(file, lease(&store))];
        if let Some(server) = &self.redis {
            // A server that has just started would make the first claim wait for one ttl.
            let url = format!("redis://127.0.0.1:{}/0?restart-guard=off", server.port);
            places.push((redis, lease(&url)));
        }
        for (name, words) in places {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            self.add(name, Some(program), (&once, &wait), &words);
        }
    }

    fn add_peers(&mut self, peers: &mut Peers) {
        let lock = self.place.path().join("lock").display().to_string();
        let locks: &[(&str, &str, &[&str], &[&str])] = &[
            (FLOCK, "flock", &["-n"], &[]),
            ("setlock", "setlock", &["-n"], &[]),
            ("chpst -l", "chpst", &["-L"], &["-l"]),
            ("with-lock-ex", "with-lock-ex", &["-f"], &["-w"]),
            (
                "sem --fg",
                "sem",
                &["--fg", "--id", "x"],
                &["--fg", "--id", "x"],
            ),
        ];
        for (name, program, once, wait) in locks {
            let lock: &[&str] = if *program == "sem" { &[] } else { &[&lock] };
            if let Some(path) = peers.path(program) {
                self.add(name, Some(path), (once, wait), lock);
            }
        }
        let Some(etcdctl) = peers.path("etcdctl").map(Path::to_owned) else {
            return;
        };
        self._etcd = start(peers, "etcd", Server::etcd);
        if let Some(etcd) = &self._etcd {
            let words = format!("--endpoints=http://127.0.0.1:{}", etcd.port);
            let words = [words.as_str(), "lock"];
            self.add(ETCDCTL, Some(&etcdctl), (&words, &words), &["x"]);
        }
    }

    /// The one of this name, if it is measured.
    pub(crate) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }
}

fn start(
    peers: &mut Peers,
    program: &str,
    start: impl Fn(&Path) -> Outcome<Server>,
) -> Option<Server> {
    let path = peers.path(program)?.to_owned();
    match start(&path) {
        Ok(server) => Some(server),
        Err(why) => {
            peers.without(program, why);
            None
        }
    }
}
