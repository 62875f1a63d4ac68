//! Many that hold and as many that wait, on one Redis and one machine, all real processes: what they cost while
//! nothing happens.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use leasectl::lease::DEFAULT_TTL;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::memory::{family, name, size};
use crate::operations::sent;
use crate::peers::Peers;
use crate::report::machine;
use crate::servers::Server;
use crate::{LEASECTL, Outcome};

const WATCHED: Duration = Duration::from_secs(60);
/// All have started by then, or the machine is too small.
const PATIENCE: Duration = Duration::from_secs(300);
/// A waiter that was refused looks again about every ten seconds: so long until nothing is left of the start.
const SETTLED: Duration = Duration::from_secs(15);
/// Starting all at once would measure the queue for the processors.
const APART: Duration = Duration::from_millis(20);

/// The processes of one kind of leasectl.
#[derive(Debug, Default)]
struct Crowd {
    runs: Vec<Child>,
}

/// What one kind has cost so far, and what it has now.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    fronts: u64,
    guardians: u64,
    /// Clock ticks.
    cpu: u64,
    /// KiB that are nobody else's, of fronts and of guardians.
    private: [f64; 2],
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for run in &self.runs {
            if let Ok(pid) = i32::try_from(run.id()) {
                kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
            }
        }
        for run in &mut self.runs {
            run.wait().ok();
        }
    }
}

impl Crowd {
    fn start(&mut self, url: &str, count: u64) -> Outcome<()> {
        for lease in 0..count {
            let mut command = Command::new(LEASECTL);
            command.args(["run", "-q", "--wait", "forever", "--store", url]);
            command.args(["--lease", &format!("scale-{lease}"), "--", "sleep", "3600"]);
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
            self.runs.push(quiet.stderr(Stdio::null()).spawn()?);
            sleep(APART);
        }
        Ok(())
    }

    /// How many have so many processes, themselves included.
    fn with(&self, processes: usize) -> usize {
        let runs = self.runs.iter();
        runs.filter(|run| family(run.id()).len() == processes)
            .count()
    }

    fn wait_for(&self, what: &str, processes: usize) -> Outcome<()> {
        let began = Instant::now();
        while self.with(processes) < self.runs.len() {
            if began.elapsed() > PATIENCE {
                let there = self.with(processes);
                return Err(format!("only {there} of {} {what}", self.runs.len()).into());
            }
            sleep(Duration::from_secs(1));
        }
        Ok(())
    }

    fn cost(&self) -> Outcome<Cost> {
        let mut cost = Cost::default();
        for process in self.runs.iter().flat_map(|run| family(run.id())) {
            let role = match name(process).as_str() {
                "sleep" => continue,
                "lease-guard" => 1,
                _ => 0,
            };
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let private = size(&rollup, "Private_Dirty:")? + size(&rollup, "Private_Clean:")?;
            cost.private[role] += private;
            let counted = [&mut cost.fronts, &mut cost.guardians];
            *counted[role] += 1;
            cost.cpu += ticks(process)?;
        }
        Ok(cost)
    }
}

/// User and system time of a process, in clock ticks (proc_pid_stat(5)).
fn ticks(process: u32) -> Outcome<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name in stat")?;
    let times = fields.split(' ').skip(11).take(2);
    Ok(times.map(str::parse::<u64>).sum::<Result<u64, _>>()?)
}

/// What a minute of all of them has cost.
#[derive(Debug)]
struct Minute {
    started: Duration,
    span: Duration,
    /// Of those that hold, and of those that wait.
    before: [Cost; 2],
    after: [Cost; 2],
    commands: u64,
    /// Of the server, in clock ticks.
    cpu: u64,
}

/// `count` that hold, `count` that wait for them, and what a minute costs, in words and figures.
pub(crate) fn scale(peers: &mut Peers, count: u64) -> Outcome<String> {
    let program = peers
        .path("redis-server")
        .ok_or("redis-server is missing")?;
    let server = Server::redis(Path::new(program))?;
    let url = format!("redis://127.0.0.1:{}/0?restart-guard=off", server.port);
    let began = Instant::now();
    let (mut holders, mut waiters) = (Crowd::default(), Crowd::default());
    holders.start(&url, count)?;
    holders.wait_for("hold", 3)?;
    waiters.start(&url, count)?;
    waiters.wait_for("wait", 2)?;
    let started = began.elapsed();
    sleep(SETTLED);
    let costs = || Ok::<_, Box<dyn Error>>([holders.cost()?, waiters.cost()?]);
    let (before, commands, cpu) = (costs()?, sent(&server.calls()?), ticks(server.id())?);
    let watched = Instant::now();
    sleep(WATCHED);
    let minute = Minute {
        started,
        span: watched.elapsed(),
        commands: sent(&server.calls()?) - commands,
        cpu: ticks(server.id())? - cpu,
        before,
        after: costs()?,
    };
    if holders.with(3) != holders.runs.len() || waiters.with(2) != waiters.runs.len() {
        return Err("some have ended, or waited no longer".into());
    }
    told(&minute, count, &server)
}

fn told(minute: &Minute, count: u64, server: &Server) -> Outcome<String> {
    let per_tick = 1.0 / f64::from(u32::try_from(clock_ticks()?)?);
    let span = minute.span.as_secs_f64();
    let share = |ticks: u64| per_tick * ticks as f64 / span * 100.0;
    let mut text = format!("{}\n\n", machine());
    writeln!(
        text,
        "{count} leasectl hold a lease each and {count} wait for one each, ttl {DEFAULT_TTL:?}; all had started after \
         {:.0?}.\n\n| one that | private memory, front | private memory, guardian | of one processor |\n\
         |---|--:|--:|--:|",
        minute.started
    )?;
    let kinds = minute.before.iter().zip(&minute.after);
    for (who, (before, after)) in ["holds", "waits"].iter().zip(kinds) {
        let front = after.private[0] / after.fronts.max(1) as f64;
        let guardian = after.private[1] / after.guardians.max(1) as f64;
        let cpu = share(after.cpu - before.cpu) / count as f64;
        writeln!(
            text,
            "| {who} | {front:.0} KiB | {guardian:.0} KiB | {cpu:.4} % |"
        )?;
    }
    writeln!(
        text,
        "\nRedis for all of them: {:.0} commands in a second, {:.1} % of one processor, {} clients, {} KiB of memory.",
        minute.commands as f64 / span,
        share(minute.cpu),
        server.number("clients", "connected_clients")?,
        server.number("memory", "used_memory")? / 1024,
    )?;
    Ok(text)
}

fn clock_ticks() -> Outcome<i64> {
    Ok(sysconf(SysconfVar::CLK_TCK)?.ok_or("no clock ticks")?)
}
