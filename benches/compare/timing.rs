//! Times: around a command that does nothing, from one holder to the next, and after a holder was killed.
//! Who is measured first changes from round to round, so that whatever slows the machine slows all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

use crate::memory::family;
use crate::peers::Peers;
use crate::report::Report;
use crate::subjects::{ETCDCTL, FLOCK, Field, REDIS, STATIC_REDIS, Subject};
use crate::{Outcome, target};

/// One hand-over or fail-over takes no longer, whatever the peer waits for.
const LIMIT: Duration = Duration::from_secs(20);

/// Measures each `rounds` times, in turn.
pub(crate) fn interleaved<S>(
    subjects: &[S],
    rounds: usize,
    mut measure: impl FnMut(usize, &S) -> Outcome<()>,
) -> Outcome<()> {
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            let at = (round + turn) % subjects.len();
            measure(at, &subjects[at])?;
        }
    }
    Ok(())
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// User and system time of all children that have been waited for, and of theirs.
fn cpu() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(milliseconds(Duration::from_micros(micros.try_into()?)))
}

/// From before the start to after the end of a command that does nothing.
pub(crate) fn around_true(field: &Field, rounds: usize, report: &mut Report) -> Outcome<()> {
    let subjects = &field.subjects;
    let mut found = vec![(Vec::new(), Vec::new()); subjects.len()];
    // The first of each reads its binary from disk, and makes its script known to the server.
    let mut once = |warm: bool, at: usize, subject: &Subject| -> Outcome<()> {
        let (before, started) = (cpu()?, Instant::now());
        let status = subject.guarded(false, &["true"]).status()?;
        let took = milliseconds(started.elapsed());
        if !status.success() {
            return Err(format!("{}: true ended with {status}", subject.name).into());
        }
        if warm {
            found[at].0.push(took);
            found[at].1.push(cpu()? - before);
        }
        Ok(())
    };
    interleaved(subjects, 3, |at, subject| once(false, at, subject))?;
    interleaved(subjects, rounds, |at, subject| once(true, at, subject))?;
    for (subject, (wall, _)) in subjects.iter().zip(&found) {
        report.add("wall time around `true`", subject.name, "ms", wall.clone());
    }
    for (subject, (_, used)) in subjects.iter().zip(&found) {
        report.add("CPU time around `true`", subject.name, "ms", used.clone());
    }
    Ok(())
}

/// The start of a program that prints its version, beside one that does nothing.
pub(crate) fn start_up(field: &Field, rounds: usize, report: &mut Report) -> Outcome<()> {
    let mut programs = vec![("/bin/true", PathBuf::from("/bin/true"), "--version")];
    for subject in &field.subjects {
        let file = [
            crate::subjects::FILE,
            crate::subjects::STATIC_FILE,
            FLOCK,
            ETCDCTL,
        ];
        if let (Some(program), true) = (&subject.program, file.contains(&subject.name)) {
            let word = if subject.name == ETCDCTL {
                "version"
            } else {
                "--version"
            };
            let name = subject.name.trim_end_matches(", file");
            programs.push((name, program.clone(), word));
        }
    }
    let mut found = vec![Vec::new(); programs.len()];
    interleaved(&programs, rounds, |at, (_, program, word)| {
        let mut command = Command::new(program);
        command
            .arg(word)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        command.status()?;
        found[at].push(milliseconds(started.elapsed()));
        Ok(())
    })?;
    for ((name, ..), took) in programs.iter().zip(found) {
        report.add("start-up of `--version`", name, "ms", took);
    }
    Ok(())
}

/// The guarded command, built once.
pub(crate) fn stamp() -> Outcome<PathBuf> {
    let place = target().join("compare");
    fs::create_dir_all(&place)?;
    let (source, built) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/stamp.rs"),
        place.join("stamp"),
    );
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.args(["--edition", "2024", "-O", "-C", "panic=abort", "-o"]);
    if rustc.arg(&built).arg(source).status()?.success() {
        Ok(built)
    } else {
        Err("the guarded command cannot be built".into())
    }
}

/// From the last instant of the holder's command to the first of the waiter's.
pub(crate) fn hand_over(
    field: &Field,
    stamp: &Path,
    rounds: usize,
    (peers, report): (&mut Peers, &mut Report),
) -> Outcome<()> {
    let subjects: Vec<&Subject> = field.subjects.iter().skip(1).collect();
    let mut found = vec![Vec::new(); subjects.len()];
    let mut failed: Vec<Option<String>> = vec![None; subjects.len()];
    interleaved(&subjects, rounds, |at, subject| {
        if failed[at].is_none() {
            match handed_over(field, stamp, subject) {
                Ok(took) => found[at].push(took),
                // The others are none the worse.
                Err(why) => failed[at] = Some(why.to_string()),
            }
        }
        Ok(())
    })?;
    for (subject, why) in subjects.iter().zip(failed) {
        if let Some(why) = why {
            peers.without(&format!("hand-over of {}", subject.name), why);
        }
    }
    for (subject, took) in subjects.iter().zip(found) {
        report.add("clean hand-over to one waiter", subject.name, "ms", took);
    }
    Ok(())
}

fn handed_over(field: &Field, stamp: &Path, subject: &Subject) -> Outcome<f64> {
    let scene = Scene::new(field, stamp);
    let mut holder = scene.holder(subject, "150")?;
    let mut waiter = scene.waiter(subject)?;
    ended(&mut holder)?;
    ended(&mut waiter)?;
    Ok(read(&scene.entered)? - read(&scene.left)?)
}

/// From SIGKILL of the wrapper, and of nothing else, to the first instant of the waiter's command.
pub(crate) fn fail_over(
    field: &Field,
    stamp: &Path,
    rounds: usize,
    report: &mut Report,
) -> Outcome<()> {
    for subject in &field.subjects {
        let (subject, rounds) = match subject.name {
            FLOCK => (subject.with("flock -F", &["-F"]), rounds),
            REDIS => (
                subject.with("leasectl, Redis, ttl 2s", &["--ttl", "2s"]),
                rounds.div_ceil(5),
            ),
            STATIC_REDIS => continue,
            ETCDCTL => (subject.with("etcdctl lock --ttl 2", &["--ttl", "2"]), 2),
            _ if subject.is_ours() || subject.becomes_the_command() => (subject.clone(), rounds),
            _ => continue,
        };
        let mut found = Vec::new();
        for _ in 0..rounds {
            found.push(killed(field, stamp, &subject)?);
        }
        report.add(
            "fail-over after SIGKILL of the holder",
            subject.name,
            "ms",
            found,
        );
    }
    Ok(())
}

fn killed(field: &Field, stamp: &Path, subject: &Subject) -> Outcome<f64> {
    let scene = Scene::new(field, stamp);
    let mut holder = scene.holder(subject, "20000")?;
    let mut waiter = scene.waiter(subject)?;
    // It stands in line by then, however it waits.
    sleep(Duration::from_millis(100));
    let left_behind = family(holder.id());
    let at = SystemTime::now().duration_since(UNIX_EPOCH)?;
    holder.kill()?;
    holder.wait()?;
    ended(&mut waiter)?;
    // A peer's command goes on, beside the next holder's.
    for process in left_behind.iter().skip(1) {
        kill(Pid::from_raw((*process).try_into()?), Signal::SIGKILL).ok();
    }
    Ok(read(&scene.entered)? - milliseconds(at))
}

/// One holder and one waiter.
struct Scene<'a> {
    stamp: &'a Path,
    left: PathBuf,
    entered: PathBuf,
}

impl<'a> Scene<'a> {
    fn new(field: &Field, stamp: &'a Path) -> Self {
        let place = field.place.path();
        let scene = Self {
            stamp,
            left: place.join("left"),
            entered: place.join("entered"),
        };
        for file in [
            &scene.left,
            &scene.entered,
            &scene.left.with_extension("in"),
        ] {
            fs::remove_file(file).ok();
        }
        scene
    }

    fn start(&self, subject: &Subject, file: &Path, pause: &str) -> Outcome<Child> {
        let stamp = self.stamp.to_str().ok_or("a path is not UTF-8")?;
        let file = file.to_str().ok_or("a path is not UTF-8")?;
        Ok(subject.guarded(true, &[stamp, file, pause]).spawn()?)
    }

    /// Returns once it holds.
    fn holder(&self, subject: &Subject, pause: &str) -> Outcome<Child> {
        let mut holder = self.start(subject, &self.left, pause)?;
        let started = Instant::now();
        while !self.left.with_extension("in").exists() {
            if started.elapsed() > LIMIT {
                holder.kill()?;
                return Err(format!("{} does not start its command", subject.name).into());
            }
            sleep(Duration::from_millis(1));
        }
        Ok(holder)
    }

    fn waiter(&self, subject: &Subject) -> Outcome<Child> {
        self.start(subject, &self.entered, "0")
    }
}

fn ended(child: &mut Child) -> Outcome<()> {
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err("a hand-over took more than 20 s".into());
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn read(file: &Path) -> Outcome<f64> {
    let nanos: u64 = fs::read_to_string(file)?.trim().parse()?;
    Ok(milliseconds(Duration::from_nanos(nanos)))
}
