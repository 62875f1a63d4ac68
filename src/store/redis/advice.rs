//! What the server says of how it is set, and what that means for leases. Changes nothing.

use std::collections::HashMap;

use redis::{RedisError, Value};

use super::address::Address;
use super::store::RedisStore;
use super::trouble::Trouble;
use crate::clock::WallTime;
use crate::lease::{Advice, Setting, Suits};

/// What only `CONFIG GET` tells. The user of examples/redis.acl may not ask: it would show passwords as well.
const CONFIGURED: [&str; 3] = [FSYNC, BUFFERS, KEEPALIVE];
const FSYNC: &str = "appendfsync";
const BUFFERS: &str = "client-output-buffer-limit";
const KEEPALIVE: &str = "tcp-keepalive";

/// Below this many bytes a listener is cut off by a few messages.
const TINY: u64 = 1 << 20;

/// The most letters of the server's own words that a line can hold.
const LONGEST: usize = 80;

/// What the server said.
#[derive(Debug, Default)]
struct Said {
    info: String,
    configured: HashMap<&'static str, String>,
    /// The code with which it refused `CONFIG GET`.
    refused: Option<String>,
    /// How many replicas a grant waits for.
    replicas: u64,
    /// Whether the URL is of servers that take over from one another.
    takes_over: bool,
}

/// Asks the server about itself, in one write; of a cluster the node that has the first slot.
pub(super) async fn ask(store: &RedisStore) -> Result<Advice, Trouble> {
    let link = store.link_to(0).await?;
    let mut pipe = redis::pipe();
    pipe.cmd("TIME").cmd("INFO");
    for name in CONFIGURED {
        pipe.cmd("CONFIG").arg("GET").arg(name);
    }
    // A refusal is an answer of its own, and hides no other.
    let mut answers = link.run_all(pipe.ignore_errors()).await?.into_iter();
    let clock = time(answers.next().unwrap_or_default())?;
    let info = redis::from_redis_value(answers.next().unwrap_or_default());
    let mut said = Said {
        info: info.map_err(|_| Trouble::Garbled("INFO is no text".to_owned()))?,
        replicas: store.config.replicas,
        takes_over: matches!(
            store.config.address,
            Address::Sentinels(_) | Address::Cluster(_)
        ),
        ..Said::default()
    };
    for (name, answer) in CONFIGURED.into_iter().zip(answers) {
        match answer {
            Value::ServerError(error) => {
                let code = RedisError::from(error).code().map(str::to_owned);
                said.refused = Some(code.unwrap_or_default());
            }
            // A name that the server does not know has no value.
            answer => {
                let values = redis::from_redis_value::<HashMap<String, String>>(answer);
                let value = values.unwrap_or_default().remove(name);
                said.configured.extend(value.map(|value| (name, value)));
            }
        }
    }
    Ok(Advice {
        clock: Some(clock),
        settings: said.settings(),
    })
}

fn time(answer: Value) -> Result<WallTime, Trouble> {
    let time = redis::from_redis_value::<(u64, u64)>(answer);
    let (seconds, micros) = time.map_err(|_| Trouble::Garbled("TIME is no time".to_owned()))?;
    let millis = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
    Ok(WallTime::from_unix_millis(millis))
}

impl Said {
    fn settings(&self) -> Vec<Setting> {
        [
            self.version(),
            self.role(),
            self.replicas(),
            self.eviction(),
            self.persistence(),
            self.fsync(),
            self.buffers(),
            self.keepalive(),
            self.unread(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A line of `INFO`.
    fn info(&self, key: &str) -> Option<&str> {
        let mut lines = self.info.lines();
        let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        found.map(|text| shown(text.trim()))
    }

    fn configured(&self, name: &str) -> Option<&str> {
        self.configured.get(name).map(|text| shown(text))
    }

    fn version(&self) -> Option<Setting> {
        const WHAT: &str = "version";
        if let Some(version) = self.info("valkey_version") {
            return Some(well(WHAT, format!("Valkey {version}")));
        }
        let version = self.info("redis_version")?;
        let major = version.split('.').next()?.parse::<u32>().ok()?;
        Some(if major >= 7 {
            well(WHAT, format!("Redis {version}"))
        } else {
            badly(
                WHAT,
                format!(
                    "Redis {version}: before 7.0 a user's rights are coarser (see examples/redis.acl), and leases \
                     cannot be kept in a cluster; 7.0 or newer is better"
                ),
            )
        })
    }

    fn role(&self) -> Option<Setting> {
        const WHAT: &str = "role";
        Some(match self.info("role")? {
            "master" => well(WHAT, "primary".to_owned()),
            _ => {
                let primary = self.info("master_host").unwrap_or("another server");
                let seen = format!("it is a replica of {primary}, and grants nothing; name that");
                badly(WHAT, seen)
            }
        })
    }

    /// What a replica that takes over may not have.
    fn replicas(&self) -> Option<Setting> {
        const WHAT: &str = "replicas";
        if self.info("role") != Some("master") {
            return None;
        }
        let there: u64 = self.info("connected_slaves")?.parse().ok()?;
        let wanted = self.replicas;
        if wanted > there {
            let seen = format!("replicas={wanted}, and {there} connected: no lease is granted");
            return Some(badly(WHAT, seen));
        }
        if wanted > 0 {
            return Some(well(
                WHAT,
                format!("replicas={wanted} of {there} connected"),
            ));
        }
        (there > 0 || self.takes_over).then(|| {
            let also = if there == 0 { " once one is connected" } else { "" };
            badly(
                WHAT,
                format!(
                    "{there} connected, and a grant waits for none: a replica that takes over may not know a lease \
                     that was granted, and a second holder runs; add replicas=1 to the URL{also}"
                ),
            )
        })
    }

    fn eviction(&self) -> Option<Setting> {
        const WHAT: &str = "eviction";
        let policy = self.info("maxmemory_policy")?;
        let seen = format!("maxmemory-policy {policy}");
        Some(match policy {
            "noeviction" => well(WHAT, seen),
            _ if policy.starts_with("volatile-") => badly(
                WHAT,
                format!(
                    "{seen}: when memory is full the server deletes lines of waiters, who then come back late; set \
                     noeviction"
                ),
            ),
            _ => badly(
                WHAT,
                format!(
                    "{seen}: when memory is full the server deletes leases that are held, whose commands are then \
                     stopped; set noeviction"
                ),
            ),
        })
    }

    fn persistence(&self) -> Option<Setting> {
        const WHAT: &str = "persistence";
        Some(match self.info("aof_enabled")? {
            "1" => well(WHAT, "appendonly yes".to_owned()),
            _ => badly(
                WHAT,
                "appendonly no: a restart of the server forgets leases and records, or falls back to its last \
                 snapshot, commands that hold a lease are stopped, and nobody gets one for the time of the \
                 restart guard; set appendonly yes"
                    .to_owned(),
            ),
        })
    }

    fn fsync(&self) -> Option<Setting> {
        const WHAT: &str = "fsync";
        if self.info("aof_enabled") != Some("1") {
            return None;
        }
        let when = self.configured(FSYNC)?;
        let seen = format!("{FSYNC} {when}");
        Some(match when {
            "always" => well(WHAT, seen),
            _ => badly(
                WHAT,
                format!(
                    "{seen}: a power cut takes what was granted and paused last with it; never turn off \
                     restart-guard here, or set always"
                ),
            ),
        })
    }

    fn buffers(&self) -> Option<Setting> {
        const WHAT: &str = "buffers";
        let (hard, soft) = pubsub(self.configured.get(BUFFERS)?)?;
        let seen = format!("{BUFFERS} pubsub {hard} {soft}");
        let least = [hard, soft].into_iter().filter(|limit| *limit > 0).min();
        Some(match least {
            None => badly(
                WHAT,
                format!(
                    "{seen}: a client that has stopped reading takes the server's memory without end; set 32mb 8mb 60"
                ),
            ),
            Some(least) if least < TINY => badly(
                WHAT,
                format!(
                    "{seen} (bytes): holders and waiters are cut off when they are told much at once; set 32mb 8mb 60"
                ),
            ),
            Some(_) => well(WHAT, seen),
        })
    }

    fn keepalive(&self) -> Option<Setting> {
        const WHAT: &str = "keepalive";
        let seconds = self.configured(KEEPALIVE)?;
        let seen = format!("{KEEPALIVE} {seconds}");
        Some(match seconds {
            "0" => badly(
                WHAT,
                format!(
                    "{seen}: the server never notices that a machine is gone, and keeps a free lease for its waiters \
                     first, a second for each; set 60"
                ),
            ),
            _ => well(WHAT, seen),
        })
    }

    /// What could not be read, and how to look oneself.
    fn unread(&self) -> Option<Setting> {
        let missing: Vec<&str> = CONFIGURED
            .into_iter()
            .filter(|name| !self.configured.contains_key(name))
            .collect();
        if missing.is_empty() {
            return None;
        }
        let why = match self.refused.as_deref() {
            Some("NOPERM") => "this user may not ask (CONFIG GET would show it passwords, too)",
            Some(_) => "the server does not answer CONFIG GET",
            None => "the server does not know them",
        };
        let names = missing.join(", ");
        Some(Setting {
            what: "not read",
            seen: format!("{names}: {why}; ask the server's administrator"),
            suits: Suits::Unread,
        })
    }
}

/// Foreign words at a length that a line can hold.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The hard and the soft limit of those who listen, in bytes.
fn pubsub(limits: &str) -> Option<(u64, u64)> {
    let mut words = limits.split(' ').skip_while(|word| *word != "pubsub");
    let (_, hard, soft) = (words.next()?, words.next()?, words.next()?);
    Some((hard.parse().ok()?, soft.parse().ok()?))
}

const fn well(what: &'static str, seen: String) -> Setting {
    Setting {
        what,
        seen,
        suits: Suits::Well,
    }
}

const fn badly(what: &'static str, seen: String) -> Setting {
    Setting {
        what,
        seen,
        suits: Suits::Badly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a server is rated that says this, and else is as it should be.
    fn rated(what: &str, info: &str, limits: &str) -> Suits {
        let said = Said {
            info: format!(
                "{info}\r\nredis_version:7.2.1\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
            ),
            configured: HashMap::from([
                (FSYNC, "always".to_owned()),
                (BUFFERS, format!("normal 0 0 0 {limits} 60")),
                (KEEPALIVE, "300".to_owned()),
            ]),
            ..Said::default()
        };
        let settings = said.settings();
        assert_eq!(settings.len(), 7, "{settings:?}");
        let badly = settings.iter().filter(|one| one.suits != Suits::Well);
        assert!(badly.clone().all(|one| one.what == what), "{settings:?}");
        badly.map(|one| one.suits).next().unwrap_or(Suits::Well)
    }

    #[test]
    fn one_thing_that_is_wrong_is_the_only_one_that_is_said() {
        const USUAL: &str = "pubsub 33554432 8388608";
        assert_eq!(rated("", "", USUAL), Suits::Well);
        assert_eq!(rated("", "valkey_version:9.1.2", USUAL), Suits::Well);
        assert_eq!(rated("", "", "pubsub 33554432 0"), Suits::Well);
        for (what, info) in [
            ("version", "redis_version:6.2.5"),
            ("role", "role:slave"),
            ("eviction", "maxmemory_policy:allkeys-lru"),
            ("eviction", "maxmemory_policy:volatile-ttl"),
        ] {
            assert_eq!(rated(what, info, USUAL), Suits::Badly, "{info}");
        }
        for limits in ["pubsub 0 0", "pubsub 1000 0", "pubsub 33554432 1000"] {
            assert_eq!(rated("buffers", "", limits), Suits::Badly, "{limits}");
        }
    }

    #[test]
    fn replicas_that_no_grant_waits_for_are_named() {
        let rated = |replicas, there, takes_over| {
            let said = Said {
                info: format!("role:master\r\nconnected_slaves:{there}\r\n"),
                replicas,
                takes_over,
                ..Said::default()
            };
            said.replicas().map(|one| one.suits)
        };
        assert_eq!(rated(0, 0, false), None);
        assert_eq!(rated(0, 1, false), Some(Suits::Badly));
        assert_eq!(rated(0, 0, true), Some(Suits::Badly));
        assert_eq!(rated(1, 1, true), Some(Suits::Well));
        assert_eq!(rated(2, 1, false), Some(Suits::Badly));
    }

    #[test]
    fn what_a_server_says_is_cut_to_a_line() {
        let said = Said {
            info: format!("role:slave\r\nmaster_host:{}\r\n", "\u{e9}".repeat(500)),
            ..Said::default()
        };
        let role = said.role().unwrap().seen;
        assert!(role.chars().count() < 200, "{role}");
    }

    #[test]
    fn what_is_not_said_is_not_rated() {
        let settings = Said::default().settings();
        assert_eq!(settings.len(), 1, "{settings:?}");
        assert_eq!(settings[0].suits, Suits::Unread);
    }
}
