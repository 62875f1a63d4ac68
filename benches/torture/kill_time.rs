//! How long after the kill instant the whole tree is gone.
//!
//! leasectl is stopped with SIGSTOP between two renewals, so that its guardian has to kill by itself. The kill
//! instant is what leasectl said of its last renewal. The end of the tree is when the kernel gives us the
//! witness's lock, which every process of the tree has. We may have to wait for the processor, too: under
//! `nice -n -10` the delay that is measured is leasectl's and not ours.

use std::fs::{self, File};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::Outcome;
use crate::contender::Place;
use crate::options::Options;
use crate::probe::PROBE;
use crate::processes::{CONTENDER, boot_now, send};
use crate::random::Random;
use crate::server::Server;

/// So many leases are killed side by side.
const SIDE_BY_SIDE: u64 = 12;
/// How long one may take to be held and renewed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between a renewal and the SIGSTOP: long before the next one.
const AFTER_RENEWAL: Duration = Duration::from_millis(150);

/// Times `kills` kills, and prints how late they were.
pub(crate) fn measure(options: &Options, place: &Place, kills: u64) -> Outcome<u8> {
    let server = Server::start(place.path("server"), &place.canary, false)?;
    let url = format!("redis://:{}@127.0.0.1:{}/0\n", place.canary, server.port);
    let url_file = place.path("url");
    fs::write(&url_file, url)?;
    fs::set_permissions(
        &url_file,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )?;
    // What the probes say is nobody's business here; without a reader they would wait for one.
    let _judge = crate::judge::Judge::new(&place.directory, true)?;
    let late: Mutex<Vec<f64>> = Mutex::default();
    let (started, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for lane in 0..SIDE_BY_SIDE {
            let (late, started, failed) = (&late, &started, &failed);
            scope.spawn(move || {
                let mut random = Random::new(options.seed, lane);
                while started.fetch_add(1, Ordering::SeqCst) < kills {
                    match one(options, place, lane, &mut random) {
                        Ok(one) => late
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(one),
                        Err(error) => {
                            eprintln!("torture: {error}");
                            failed.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
    });
    let late = late.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(report(late, failed.into_inner(), options))
}

fn report(mut late: Vec<f64>, failed: u64, options: &Options) -> u8 {
    late.sort_by(f64::total_cmp);
    let of = |thousandth: usize| {
        let at = (late.len() * thousandth / 1_000).min(late.len().saturating_sub(1));
        late.get(at).copied().unwrap_or(f64::NAN)
    };
    println!(
        "from the kill instant to an empty tree, {} kills, {} busy loops, {failed} not measured: \
         p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        late.len(),
        options.hogs,
        of(500),
        of(900),
        of(990),
        of(1_000)
    );
    // A measurement that was none does not pass.
    if failed > 0 || late.is_empty() { 3 } else { 0 }
}

/// One kill: how many milliseconds after its instant the tree was gone.
fn one(options: &Options, place: &Place, lane: u64, random: &mut Random) -> Outcome<f64> {
    let events = place.path(&format!("events-{lane}"));
    drop(fs::remove_file(&events));
    let mut child = start(options, place, lane, &events)?;
    let timed = time(&child, place, lane, &events, random);
    send(child.id(), Signal::SIGKILL);
    child.wait()?;
    timed
}

fn start(options: &Options, place: &Place, lane: u64, events: &str) -> Outcome<Child> {
    let mut command = place.command("sh");
    command
        .args([
            "-c",
            "renice -n 0 $$ >/dev/null; exec \"$@\"",
            "sh",
            &options.binary,
        ])
        .args([
            "run",
            "-q",
            "--lease",
            &format!("timed-{lane}"),
            "--wait",
            "forever",
        ])
        .args(["--store-file", &place.path("url"), "--events", events])
        .args(["--ttl", &format!("{}ms", options.ttl.as_millis()), "--"])
        .arg(std::env::current_exe()?)
        // Stubborn, with a child: TERM before the kill instant does not empty the tree.
        .args([PROBE, &place.directory, &lane.to_string(), "1", "60000"])
        .env(CONTENDER, format!("{}:{lane}", place.run));
    Ok(command.spawn()?)
}

fn time(
    child: &Child,
    place: &Place,
    lane: u64,
    events: &str,
    random: &mut Random,
) -> Outcome<f64> {
    let wanted = 1 + usize::try_from(random.below(2))?;
    let began = Instant::now();
    while renewals(events).len() < wanted
        || !Path::new(&place.path(&format!("witness-{lane}"))).exists()
    {
        if began.elapsed() > PATIENCE {
            return Err("the lease was not renewed in time".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    let seen = renewals(events).len();
    thread::sleep(AFTER_RENEWAL);
    send(child.id(), Signal::SIGSTOP);
    thread::sleep(Duration::from_millis(50));
    let renewals = renewals(events);
    let Some(kill) = renewals.last().filter(|_| renewals.len() == seen) else {
        return Err("renewed while it was being stopped".into());
    };
    let witness = File::open(place.path(&format!("witness-{lane}")))?;
    witness.lock()?;
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds since the boot fit")]
    let gone = boot_now() as f64 / 1e9;
    Ok((gone - kill) * 1e3)
}

/// The kill instants that the renewals so far have set, in seconds of the boot clock.
fn renewals(events: &str) -> Vec<f64> {
    let text = fs::read_to_string(events).unwrap_or_default();
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let renewed =
        events.filter(|event| event.get("kind").and_then(Value::as_str) == Some("renewed"));
    let number = |event: &Value, key: &str| event.get(key).and_then(Value::as_f64);
    renewed
        .filter_map(|event| Some(number(&event, "boot_s")? + number(&event, "remaining_s")?))
        .collect()
}
