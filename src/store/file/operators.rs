//! What operators do with leases that are not theirs: look at all of them, ask, take away.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::asks;
use super::files::Files;
use super::look;
use super::store::FileStore;
use super::trouble::Trouble;
use super::wire::decoded;
use crate::lease::{Ask, Asked, Asker, FencingToken, LeaseName, LeaseState, Observation, Revoked};

impl FileStore {
    /// All leases whose names begin with `prefix`. One that cannot be looked at (a hostile file under its
    /// name) is shown by what its record tells; one without record and lock was never a lease.
    pub(super) fn all(&self, prefix: &str) -> Result<Vec<Observation>, Trouble> {
        let names = self.names()?;
        // Read afterwards: what was read out of a directory that is gone by now is of no use.
        if self.directory.is_current() == Ok(false) {
            return Err(self.directory.is_gone());
        }
        let wanted = names
            .into_iter()
            .filter(|name| name.as_str().starts_with(prefix));
        let seen = wanted.map(|name| self.look_anyway(&name));
        Ok(seen.filter(|seen| self.is_a_lease(seen)).collect())
    }

    /// What is to be seen of a lease, at least by what its record tells.
    pub(super) fn look_anyway(&self, name: &LeaseName) -> Observation {
        self.look(name).unwrap_or_else(|_| Observation {
            record: self.files(name).read_record(name),
            unsure: true,
            ..Observation::untouched(name.clone())
        })
    }

    /// Whether there is more than the empty files that an attempt leaves behind which was refused.
    pub(super) fn is_a_lease(&self, seen: &Observation) -> bool {
        let free = seen.state == LeaseState::Free && seen.record.is_none();
        !free || self.files(&seen.name).has_record()
    }

    /// The names that have files here, each once, in order.
    fn names(&self) -> Result<Vec<LeaseName>, Trouble> {
        let path = self.directory.path_of("");
        let trouble = |errno| Trouble::os("list", &path, errno);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory =
            Dir::openat(&self.directory, ".", flags, Mode::empty()).map_err(trouble)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(|errno: Errno| trouble(errno))?;
            let Ok(file) = entry.file_name().to_str() else {
                continue;
            };
            names.extend(own_of(file).and_then(|own| self.name_of(own)));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// A name that was too long to be kept in the file's name is in the record.
    pub(super) fn name_of(&self, own: &str) -> Option<LeaseName> {
        if own.starts_with('=') {
            Files::name_in_record(&self.directory, own)
        } else {
            decoded(own)
        }
    }

    pub(super) fn asked(
        &self,
        name: &LeaseName,
        what: Ask,
        asker: &Asker,
    ) -> Result<Asked, Trouble> {
        self.to_take_part()?;
        let (files, now) = (self.files(name), self.now());
        let seen = self.look(name)?;
        let change = |edit: &dyn Fn(&mut asks::Asks)| asks::change(&files, &self.directory, edit);
        match what {
            Ask::Stop => {
                if seen.state != LeaseState::Held {
                    return Ok(Asked::AlreadySo);
                }
                let Some(record) = seen.record else {
                    return Ok(Asked::NobodyToTell);
                };
                change(&|asks| asks.ask_to_stop(record.token, asker, now))?;
                Ok(Asked::Told(record.token))
            }
            Ask::Pause { lasts } => {
                change(&|asks| asks.shut(lasts, asker, &self.boot, now))?;
                Ok(Asked::Done)
            }
            Ask::Resume => {
                if seen.paused.is_none() && seen.cooldown_until.is_none() {
                    return Ok(Asked::AlreadySo);
                }
                let token = look::last_token(&files, name, &self.boot, now);
                change(&|asks| asks.open_again(token))?;
                Ok(Asked::Done)
            }
        }
    }

    /// The lock ends with the processes that carry it and with nothing else.
    pub(super) fn why_not_revoked(
        &self,
        name: &LeaseName,
        token: FencingToken,
    ) -> Result<Revoked, Trouble> {
        let seen = self.look(name)?;
        let held = seen.state == LeaseState::Held;
        let Some(record) = seen.record.filter(|_| held) else {
            return Ok(if held {
                Revoked::CannotRevoke(
                    "a hold in the file store ends with its processes, and its holder left no record; \
                     find them with lsof or fuser on its lock file"
                        .to_owned(),
                )
            } else {
                Revoked::NotHeld
            });
        };
        if record.token != token {
            return Ok(Revoked::NotHeld);
        }
        Ok(Revoked::CannotRevoke(format!(
            "a hold in the file store ends with its processes: kill {} ends it, with all of its command",
            record.holder.pid
        )))
    }
}

/// The part of a file's name that is its lease's own; `None` for files that tell people nothing.
pub(super) fn own_of(file: &str) -> Option<&str> {
    const KINDS: [&str; 3] = ["lock", "record", "ask"];
    let (own, kind) = file.rsplit_once('.')?;
    KINDS.contains(&kind).then_some(own)
}
