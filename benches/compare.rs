//! leasectl beside flock(1), alternating in one run, so that whatever slows the machine slows both.
//!
//! ```text
//! cargo bench --bench compare                      200 rounds
//! cargo bench --bench compare -- --rounds 1000
//! cargo bench --bench compare -- --build-time      also builds a release from nothing
//! ```
//!
//! Prints `name  ours  peer  ratio`, and asserts nothing: what is good enough stands in the issue or
//! the release notes, not in a tool for measuring. The binary is the one that cargo built for this.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn Error>>;

const LEASECTL: &str = env!("CARGO_BIN_EXE_leasectl");

/// The word that makes this binary the guarded command: it writes down when it ran, and ends.
const STAMP: &str = "--stamp";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let done = match words.as_slice() {
        [word, file, pause] if word == STAMP => stamp(Path::new(file), pause),
        words => compare(words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(words: &[String]) -> Outcome<()> {
    // cargo adds `--bench`.
    let at = words.iter().position(|word| word == "--rounds");
    let rounds = match at.map(|at| words.get(at + 1)) {
        None => 200,
        Some(number) => number.ok_or("--rounds needs a number")?.parse()?,
    };
    let place = Place::new()?;
    println!(
        "{:<28} {:>10} {:>10} {:>7}",
        "name", "ours", "peer", "ratio"
    );
    wall_time(&place, rounds)?;
    hand_over(&place, rounds)?;
    memory(&place)?;
    if words.iter().any(|word| word == "--build-time") {
        build_time()?;
    }
    Ok(())
}

fn print(name: &str, ours: f64, peer: Option<f64>) {
    let (peer, ratio) = peer.map_or(("-".to_owned(), "-".to_owned()), |peer| {
        (format!("{peer:.3}"), format!("{:.2}", ours / peer))
    });
    println!("{name:<28} {ours:>10.3} {peer:>10} {ratio:>7}");
}

/// A directory with a store of its own and the peer's lock file.
struct Place(TempDir);

impl Place {
    fn new() -> Outcome<Self> {
        let place = Self(
            tempfile::Builder::new()
                .prefix("leasectl-bench-")
                .tempdir()?,
        );
        fs::create_dir(place.file("store"))?;
        Ok(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// leasectl or flock around `command`; `wait` is for as long as it takes.
    fn guarded(&self, who: Who, wait: bool, command: &[&str]) -> Command {
        let mut guarded = match who {
            Who::Ours => {
                let mut ours = Command::new(LEASECTL);
                let store = format!("file://{}", self.file("store").display());
                ours.args(["run", "-q", "--store", &store, "--lease", "x"]);
                if wait {
                    ours.args(["--wait", "forever"]);
                }
                ours.arg("--");
                ours
            }
            Who::Peer => {
                let mut peer = Command::new("flock");
                if !wait {
                    peer.arg("-n");
                }
                peer.arg(self.file("lock"));
                peer
            }
        };
        guarded.args(command).stdin(Stdio::null());
        guarded
    }
}

#[derive(Clone, Copy)]
enum Who {
    Ours,
    Peer,
}

/// What both are good at, and who is measured first changes with each round.
fn alternating(
    rounds: usize,
    mut measure: impl FnMut(Who) -> Outcome<f64>,
) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            ours.push(measure(Who::Ours)?);
            peer.push(measure(Who::Peer)?);
        } else {
            peer.push(measure(Who::Peer)?);
            ours.push(measure(Who::Ours)?);
        }
    }
    ours.sort_by(f64::total_cmp);
    peer.sort_by(f64::total_cmp);
    Ok((ours, peer))
}

/// The value below which `part` of the sorted values lie.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a few hundred values"
    )]
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn print_quantiles(name: &str, (ours, peer): &(Vec<f64>, Vec<f64>)) {
    for (word, part) in [("median", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let name = format!("{name}_{word}");
        print(&name, quantile(ours, part), Some(quantile(peer, part)));
    }
}

/// From before the start to after the end of a command that does nothing.
fn wall_time(place: &Place, rounds: usize) -> Outcome<()> {
    let once = |who| {
        let started = Instant::now();
        let status = place.guarded(who, false, &["true"]).status()?;
        let took = milliseconds(started.elapsed());
        if status.success() {
            Ok(took)
        } else {
            Err(format!("a command that does nothing ended with {status}").into())
        }
    };
    // The first of each reads its binary from disk.
    alternating(5, once)?;
    print_quantiles("wall_ms", &alternating(rounds, once)?);
    Ok(())
}

/// From the last instant of the holder's command to the first of the waiter's.
fn hand_over(place: &Place, rounds: usize) -> Outcome<()> {
    let binary = env::current_exe()?;
    let binary = binary
        .to_str()
        .ok_or("the path of this binary is not UTF-8")?;
    let (left, entered) = (place.file("left"), place.file("entered"));
    let once = |who| {
        for file in [&left, &entered] {
            drop(fs::remove_file(file));
        }
        let stamp = |file: &Path, pause| -> Outcome<Child> {
            let file = file.to_str().ok_or("the path is not UTF-8")?;
            Ok(place
                .guarded(who, true, &[binary, STAMP, file, pause])
                .spawn()?)
        };
        // The holder stays long enough for the waiter to be waiting, however it waits.
        let mut holder = stamp(&left, "60")?;
        sleep(Duration::from_millis(20));
        let mut waiter = stamp(&entered, "0")?;
        holder.wait()?;
        waiter.wait()?;
        let read = |file: &Path| -> Outcome<f64> { Ok(fs::read_to_string(file)?.trim().parse()?) };
        Ok(read(&entered)? - read(&left)?)
    };
    alternating(2, once)?;
    print_quantiles("hand_over_ms", &alternating(rounds, once)?);
    Ok(())
}

/// The guarded command of [`hand_over`]. It writes before it ends and right after it starts: the time
/// between the two also has one end and one start of a process in it, the same for both.
fn stamp(file: &Path, pause: &str) -> Outcome<()> {
    let pause = Duration::from_millis(pause.parse()?);
    sleep(pause);
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    fs::write(file, milliseconds(now.into()).to_string())?;
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What front and guardian have for themselves while holding, and what flock has.
fn memory(place: &Place) -> Outcome<()> {
    let once = |who| -> Outcome<[f64; 2]> {
        let mut holder = place.guarded(who, false, &["sleep", "60"]).spawn()?;
        let mut found = Err("the command did not start within 5 s".into());
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(50));
            if let Some((own, command)) = own_processes(holder.id()) {
                // What the start touched is settled by then.
                sleep(Duration::from_millis(300));
                found = sum_of_memory(&own);
                Command::new("kill").arg(command.to_string()).status()?;
                break;
            }
        }
        holder.wait()?;
        found
    };
    let (ours, peer) = (once(Who::Ours)?, once(Who::Peer)?);
    print("memory_private_dirty_kib", ours[0], Some(peer[0]));
    print("memory_anonymous_kib", ours[1], Some(peer[1]));
    Ok(())
}

/// The processes from `top` down to, but without, the guarded `sleep`; and that one.
fn own_processes(top: u32) -> Option<(Vec<u32>, u32)> {
    let mut own = vec![top];
    let mut last = top;
    loop {
        let children = fs::read_to_string(format!("/proc/{last}/task/{last}/children")).ok()?;
        last = children.split_whitespace().next()?.parse().ok()?;
        if fs::read_to_string(format!("/proc/{last}/comm"))
            .ok()?
            .trim()
            == "sleep"
        {
            return Some((own, last));
        }
        own.push(last);
    }
}

fn sum_of_memory(pids: &[u32]) -> Outcome<[f64; 2]> {
    let mut sums = [0.0; 2];
    for pid in pids {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        for (sum, key) in sums.iter_mut().zip(["Private_Dirty:", "Anonymous:"]) {
            let value = rollup
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .ok_or(key)?;
            *sum += value.trim().trim_end_matches(" kB").parse::<f64>()?;
        }
    }
    Ok(sums)
}

fn build_time() -> Outcome<()> {
    let target = tempfile::tempdir()?;
    let started = Instant::now();
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--bin",
            "leasectl",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target.path())
        .status()?;
    if !status.success() {
        return Err("the release does not build".into());
    }
    print("release_build_s", started.elapsed().as_secs_f64(), None);
    let size = fs::metadata(target.path().join("release/leasectl"))?.len();
    print(
        "release_binary_kib",
        f64::from(u32::try_from(size / 1024)?),
        None,
    );
    Ok(())
}
