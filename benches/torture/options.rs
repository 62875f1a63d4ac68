//! What was typed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Outcome;

/// How it is used.
pub(crate) const USAGE: &str = "usage: cargo bench --bench torture -- [OPTION VALUE]...
  --subject leasectl|flock|setnx|etcdctl   who is tortured (leasectl)
  --store file|redis                       leasectl's store (file)
  --profile mixed|pauses|guardian          all faults, pauses longer than the lease, or guardians killed (mixed)
  --injections N   faults that hit (1000)       --seed N        which schedule (from the clock)
  --leases N       leases at once (20)          --contenders N  for each lease (3)
  --ttl SECONDS    time to live (4)             --gap MS        between two faults, on average (60)
  --hogs N         busy loops beside it (0)     --limit SECONDS gives up as invalid (3600)
  --binary PATH    another leasectl than the one built for this
  --cgroups all|half  whether every second leasectl is kept from using one (all)
  --mutant NAME    a mistake of src/mutant.rs, with --features mutants (none)
or: --kill-time N [--hogs N] [--ttl SECONDS]    N kills at the deadline, timed";

/// Who holds the leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Leasectl,
    Flock,
    Setnx,
    Etcdctl,
}

impl Subject {
    pub(crate) fn is_leasectl(self) -> bool {
        self == Self::Leasectl
    }
}

/// What decides who holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    File,
    Redis,
    Etcd,
}

/// Which faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Mixed,
    Pauses,
    Guardian,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) subject: Subject,
    pub(crate) store: Store,
    pub(crate) profile: Profile,
    pub(crate) injections: u64,
    pub(crate) seed: u64,
    pub(crate) leases: u64,
    pub(crate) contenders: u64,
    pub(crate) ttl: Duration,
    pub(crate) gap: Duration,
    pub(crate) hogs: u64,
    pub(crate) limit: Duration,
    pub(crate) kill_time: Option<u64>,
    pub(crate) binary: String,
    pub(crate) mutant: Option<String>,
    pub(crate) hides: bool,
}

impl Options {
    pub(crate) fn parse(words: &[String]) -> Outcome<Self> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let mut options = Self {
            subject: Subject::Leasectl,
            store: Store::File,
            profile: Profile::Mixed,
            injections: 1_000,
            seed: u64::from(seed.subsec_nanos()) ^ seed.as_secs(),
            leases: 20,
            contenders: 3,
            ttl: Duration::from_secs(4),
            gap: Duration::from_millis(60),
            hogs: 0,
            limit: Duration::from_secs(3_600),
            kill_time: None,
            binary: env!("CARGO_BIN_EXE_leasectl").to_owned(),
            mutant: None,
            hides: false,
        };
        // cargo adds `--bench`.
        let mut words = words.iter().filter(|word| *word != "--bench");
        while let Some(word) = words.next() {
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            options.set(word, value)?;
        }
        options.store = match options.subject {
            Subject::Leasectl => options.store,
            Subject::Flock => Store::File,
            Subject::Setnx => Store::Redis,
            Subject::Etcdctl => Store::Etcd,
        };
        Ok(options)
    }

    fn set(&mut self, word: &str, value: &str) -> Outcome<()> {
        match (word, value) {
            ("--subject", "leasectl") => self.subject = Subject::Leasectl,
            ("--subject", "flock") => self.subject = Subject::Flock,
            ("--subject", "setnx") => self.subject = Subject::Setnx,
            ("--subject", "etcdctl") => self.subject = Subject::Etcdctl,
            ("--store", "file") => self.store = Store::File,
            ("--store", "redis") => self.store = Store::Redis,
            ("--profile", "mixed") => self.profile = Profile::Mixed,
            ("--profile", "pauses") => self.profile = Profile::Pauses,
            ("--profile", "guardian") => self.profile = Profile::Guardian,
            ("--injections", number) => self.injections = number.parse()?,
            ("--seed", number) => self.seed = number.parse()?,
            ("--leases", number) => self.leases = number.parse()?,
            ("--contenders", number) => self.contenders = number.parse()?,
            ("--ttl", number) => self.ttl = Duration::from_secs_f64(number.parse()?),
            ("--gap", number) => self.gap = Duration::from_millis(number.parse()?),
            ("--hogs", number) => self.hogs = number.parse()?,
            ("--limit", number) => self.limit = Duration::from_secs(number.parse()?),
            ("--mutant", _) if !cfg!(feature = "mutants") => {
                return Err("--mutant needs a build with --features mutants".into());
            }
            ("--mutant", name) => self.mutant = Some(name.to_owned()),
            ("--cgroups", "all") => self.hides = false,
            ("--cgroups", "half") => self.hides = true,
            ("--binary", path) => self.binary = path.to_owned(),
            ("--kill-time", number) => self.kill_time = Some(number.parse()?),
            _ => return Err(format!("{word} {value} is not understood\n{USAGE}").into()),
        }
        Ok(())
    }
}
