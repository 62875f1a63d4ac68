//! The witness of exclusion: a second lock, of the kernel's own, that leasectl knows nothing about.
//!
//! A guarded command is run *through* this binary: `it --witness FILE -- COMMAND...` takes
//! `flock(FILE, LOCK_EX | LOCK_NB)` and becomes the command. The descriptor is inherited by all of its
//! descendants, so that the lock is held until the last of them is gone: an orphan of an earlier
//! tenure is caught by the next holder. Not getting the lock is an overlap (P1, P2): it is printed,
//! noted beside the file, and the exit code is 99.
//!
//! It works on every store alike, and no clock is involved.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode};

use libtest_mimic::Trial;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::lab::{Lab, PATIENCE};
use super::processes::wait_until;

/// What the witness exits with when it saw an overlap.
pub(crate) const OVERLAP: u8 = 99;

/// The word that makes this binary a witness.
const WORD: &str = "--witness";

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_lone_command_passes_the_witness,
        the_witness_sees_an_overlap,
        the_witness_sees_an_orphan,
    ]
}

/// The witness's file.
#[derive(Debug, Clone)]
pub(crate) struct Witness(PathBuf);

impl Witness {
    /// A witness in `file`, which need not exist.
    pub(crate) const fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// `command`, put under the witness: the words to give to leasectl after `--`.
    pub(crate) fn over<A: AsRef<OsStr>>(
        &self,
        command: impl IntoIterator<Item = A>,
    ) -> Vec<OsString> {
        let binary = env::current_exe().unwrap();
        let mut words = vec![
            binary.into(),
            WORD.into(),
            self.0.clone().into(),
            "--".into(),
        ];
        words.extend(command.into_iter().map(|word| word.as_ref().to_owned()));
        words
    }

    /// One line for each overlap seen so far. Looking only at exit codes is not enough: that of a
    /// witness that was killed right after is lost.
    pub(crate) fn overlaps(&self) -> Vec<String> {
        let noted = fs::read_to_string(notes(&self.0)).unwrap_or_default();
        noted.lines().map(ToOwned::to_owned).collect()
    }
}

/// Plays the witness when this process was started as one.
pub(crate) fn when_asked() -> Option<ExitCode> {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let [word, file, dashes, program, args @ ..] = words.as_slice() else {
        return None;
    };
    if word != WORD || dashes != "--" {
        return None;
    }
    Some(match watch(Path::new(file)) {
        Ok(Seen::Alone) => {
            let error = Command::new(program).args(args).exec();
            eprintln!("witness: {}: {error}", program.display());
            ExitCode::from(127)
        }
        Ok(Seen::Overlap) => ExitCode::from(OVERLAP),
        Err(error) => {
            eprintln!("witness: {}: {error}", file.display());
            ExitCode::from(98)
        }
    })
}

enum Seen {
    Alone,
    Overlap,
}

/// Takes the lock, for this process and all that will come of it.
fn watch(path: &Path) -> io::Result<Seen> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::Error(error)) => return Err(error),
        Err(fs::TryLockError::WouldBlock) => return overlap(path, &mut file),
    }
    file.set_len(0)?;
    write!(file, "{}", introduction())?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    // Open for good: the lock must live as long as the last copy of the descriptor.
    std::mem::forget(file);
    Ok(Seen::Alone)
}

fn overlap(path: &Path, file: &mut File) -> io::Result<Seen> {
    let mut other = String::new();
    file.rewind()?;
    file.read_to_string(&mut other)?;
    let line = format!("overlap: {} beside {other}\n", introduction());
    eprint!("{line}");
    let mut noted = OpenOptions::new()
        .append(true)
        .create(true)
        .open(notes(path))?;
    noted.write_all(line.as_bytes())?;
    Ok(Seen::Overlap)
}

/// Who we are, for people: the process, its lease and its token.
fn introduction() -> String {
    let of = |key| env::var(key).unwrap_or_else(|_| "-".to_owned());
    format!(
        "pid {} lease {} token {}",
        process::id(),
        of("LEASECTL_LEASE"),
        of("LEASECTL_TOKEN")
    )
}

fn notes(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".overlaps");
    name.into()
}

fn a_lone_command_passes_the_witness() {
    let lab = Lab::new();
    let witness = Witness::new(lab.path("witness"));
    for _ in 0..2 {
        let words = witness.over(["sh", "-c", "echo hello; exit 3"]);
        let ended = lab
            .run(lab.command(&words[0]).args(&words[1..]))
            .expect_code(3);
        assert_eq!(ended.stdout, "hello\n");
    }
    assert!(witness.overlaps().is_empty());
}

fn the_witness_sees_an_overlap() {
    let lab = Lab::new();
    let witness = Witness::new(lab.path("witness"));
    let first = witness.over(["sh", "-c", "echo in; sleep 60; :"]);
    let running = lab.spawn(lab.command(&first[0]).args(&first[1..]));
    wait_until(PATIENCE, "the first is in", || running.stdout() == "in\n");
    let second = witness.over(["echo", "never"]);
    let ended = lab.run(lab.command(&second[0]).args(&second[1..]));
    let ended = ended.expect_code(i32::from(OVERLAP));
    assert_eq!(ended.stdout, "");
    assert!(
        ended
            .stderr
            .contains(&format!("beside pid {}", running.id())),
        "{ended}"
    );
    assert_eq!(witness.overlaps().len(), 1);
}

fn the_witness_sees_an_orphan() {
    let lab = Lab::new();
    let witness = Witness::new(lab.path("witness"));
    // The command is over, but what it left behind is not.
    let first = witness.over(["sh", "-c", "setsid sleep 60 & :"]);
    lab.run(lab.command(&first[0]).args(&first[1..]))
        .expect_code(0);
    let second = witness.over(["true"]);
    let ended = lab.run(lab.command(&second[0]).args(&second[1..]));
    ended.expect_code(i32::from(OVERLAP));
    assert_eq!(witness.overlaps().len(), 1);
}
