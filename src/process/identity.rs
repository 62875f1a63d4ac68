//! Which process of which boot of which machine: what a record says of its holder, and whether that
//! process still lives.
//!
//! A process id alone names nobody: it is used again, and it means something else on the next boot.
//! Boot id, pid and start time together name one process for ever. Only reads `/proc` and `/etc`;
//! nothing here decides who holds a lease (P6).

use std::fs;
use std::io;

use nix::unistd::{Uid, User, gethostname, getuid};
use sha2::{Digest, Sha256};

use crate::lease::Holder;

/// The kernel's random name for this boot: 36 characters of hexadecimal digits and dashes.
///
/// # Errors
/// When `/proc` is not mounted or shows something else.
pub fn boot_id() -> io::Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let id = text.trim();
    let fits = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if fits {
        Ok(id.to_owned())
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the kernel's boot id has an unknown form",
        ))
    }
}

/// When process `pid` started, in clock ticks since boot (proc(5), stat field 22).
///
/// # Errors
/// When there is no such process, or `/proc` hides it.
pub fn start_ticks(pid: u32) -> io::Result<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat"))?;
    ticks_in(&stat).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the process's stat file has an unknown form",
        )
    })
}

fn ticks_in(stat: &[u8]) -> Option<u64> {
    // Field 2 is the program's name in parentheses, which may itself hold blanks and parentheses:
    // the fields are counted from the last closing one.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = str::from_utf8(stat.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Whether the process that was `pid` in boot `boot` and started at `start_ticks` still runs, as
/// far as this process can see (another PID namespace is out of sight).
#[must_use]
pub fn is_alive(boot: &str, pid: u32, start_ticks: u64) -> bool {
    boot_id().is_ok_and(|now| now == boot)
        && self::start_ticks(pid).is_ok_and(|ticks| ticks == start_ticks)
}

/// A hash of the machine id, equal for all processes of this machine: 16 hexadecimal digits, or
/// empty where the machine has no id. The id itself is meant to stay on the machine
/// (machine-id(5)).
#[must_use]
pub fn machine_hash() -> String {
    fs::read_to_string("/etc/machine-id").map_or_else(|_| String::new(), |id| hash_of(id.trim()))
}

fn hash_of(machine_id: &str) -> String {
    if machine_id.is_empty() {
        return String::new();
    }
    let mut hash = Sha256::new();
    hash.update(b"leasectl machine ");
    hash.update(machine_id.as_bytes());
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The name of the user this process runs as, or its number: a container's user has often no
/// passwd entry.
#[must_use]
pub fn user_name() -> String {
    name_of(getuid())
}

fn name_of(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

/// This process as the holder of a lease; `label` defaults to the host name.
#[must_use]
pub fn holder(label: Option<String>) -> Holder {
    let host = gethostname().map_or_else(
        |_| "localhost".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let pid = std::process::id();
    Holder {
        label: label.unwrap_or_else(|| host.clone()),
        host,
        machine: machine_hash(),
        boot: boot_id().unwrap_or_default(),
        pid,
        start_ticks: start_ticks(pid).unwrap_or_default(),
        user: user_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_namesakes_are_not() {
        let me = holder(None);
        assert!(is_alive(&me.boot, me.pid, me.start_ticks));
        assert!(!is_alive(&me.boot, me.pid, me.start_ticks + 1));
        assert!(!is_alive("", me.pid, me.start_ticks));
        assert!(!is_alive(&me.boot, u32::MAX, me.start_ticks));
        assert_eq!(me.label, me.host);
        assert_eq!(holder(Some("blue".to_owned())).label, "blue");
    }

    #[test]
    fn a_program_called_like_a_stat_line_fools_nobody() {
        let stat = b"7 (a) R 1 2) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(ticks_in(stat), Some(4711));
        assert_eq!(ticks_in(b"7 (a) S 1"), None);
        assert_eq!(ticks_in(b""), None);
    }

    #[test]
    fn the_machine_id_is_hashed() {
        assert_eq!(hash_of(""), "");
        let hash = hash_of("b08dfa6083e7567a1921a715000001fb");
        assert_eq!(hash.len(), 16);
        assert!(!"b08dfa6083e7567a1921a715000001fb".contains(&hash));
    }

    #[test]
    fn a_user_without_a_name_has_a_number() {
        assert_eq!(name_of(Uid::from_raw(3_999_999_999)), "3999999999");
    }
}
