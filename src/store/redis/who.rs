//! Who answers at the other end: what a server says of itself. Pure.

use redis::Value;

use super::trouble::{CLUSTER, TOO_OLD, Trouble};
use super::wire::ServerRun;
use crate::lease::Effect;

/// Which server process it is, and since when at the latest. Both numbers are whole seconds: without the one
/// more, a guard could end a second early.
pub(super) fn who(info: Value, time: Value, in_cluster: bool) -> Result<ServerRun, Trouble> {
    let unread = |_| Trouble::Garbled("INFO and TIME are not what a server says".to_owned());
    let info: String = redis::from_redis_value(info).map_err(unread)?;
    let (seconds, _): (u64, u64) = redis::from_redis_value(time).map_err(unread)?;
    run_in(&info, seconds, in_cluster)
}

/// A server that others name as the primary has to say so itself: they may be behind the times.
pub(super) fn is_primary(role: Value) -> Result<(), Trouble> {
    let first = match role {
        Value::Array(words) => words.into_iter().next(),
        _ => None,
    };
    let role: String = first
        .and_then(|word| redis::from_redis_value(word).ok())
        .unwrap_or_default();
    match role.as_str() {
        "master" => Ok(()),
        "slave" => {
            let why = "it is a replica (ROLE); a fail-over is under way, or who named it is behind";
            Err(Trouble::Silent(Effect::None, why.to_owned()))
        }
        _ => Err(Trouble::Garbled(
            "ROLE is not what a server says".to_owned(),
        )),
    }
}

fn run_in(info: &str, seconds: u64, in_cluster: bool) -> Result<ServerRun, Trouble> {
    let of = |key: &str| {
        let mut lines = info.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
    };
    let version = of("redis_version").unwrap_or("");
    let major = version
        .split('.')
        .next()
        .and_then(|text| text.parse::<u32>().ok());
    if major.is_none_or(|major| major < 6) {
        return Err(Trouble::Unfit(TOO_OLD.to_owned()));
    }
    // Valkey calls it otherwise.
    match of("redis_mode").or_else(|| of("server_mode")) {
        Some("sentinel") => {
            let why =
                "it is a Sentinel, which holds no leases; write redis-sentinel://HOST:PORT/PRIMARY";
            return Err(Trouble::Unfit(why.to_owned()));
        }
        Some("cluster") if !in_cluster => return Err(Trouble::Unfit(CLUSTER.to_owned())),
        Some("cluster") if major.is_none_or(|major| major < 7) => {
            let why = "a cluster needs Redis 7.0 or newer";
            return Err(Trouble::Unfit(why.to_owned()));
        }
        Some("cluster") => {}
        _ if in_cluster => {
            let why = "it is no node of a cluster; write redis://HOST:PORT";
            return Err(Trouble::Unfit(why.to_owned()));
        }
        _ => {}
    }
    // Negative when the clock was set back behind the start, which then lies ahead.
    let uptime = of("uptime_in_seconds").and_then(|text| text.parse::<i64>().ok());
    let (Some(id), Some(uptime)) = (of("run_id").filter(|id| !id.is_empty()), uptime) else {
        let why =
            "it does not say which server process it is (INFO server: run_id, uptime_in_seconds)";
        return Err(Trouble::Unfit(why.to_owned()));
    };
    Ok(ServerRun {
        id: id.to_owned(),
        // Saturating: a clock at the end of time, wrapped, would be a server that always was there, and no guard.
        started_ms: seconds
            .saturating_add(1)
            .saturating_add_signed(uptime.saturating_neg())
            .saturating_mul(1_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\
                        run_id:abc\r\nuptime_in_seconds:10\r\n";

    #[test]
    fn a_clock_at_the_end_of_time_is_no_reason_to_believe_that_nothing_was_forgotten() {
        let run = run_in(INFO, u64::MAX, false).unwrap();
        assert_eq!(run.started_ms, u64::MAX);
    }

    #[test]
    fn a_clock_that_was_set_back_behind_the_start_is_no_reason_to_refuse_the_server() {
        let info = INFO.replace("uptime_in_seconds:10", "uptime_in_seconds:-3600");
        let run = run_in(&info, 1_000, false).unwrap();
        assert_eq!(run.started_ms, 4_601_000);
    }

    #[test]
    fn a_server_says_which_process_it_is() {
        let run = run_in(INFO, 1_000, false).unwrap();
        assert_eq!((run.id.as_str(), run.started_ms), ("abc", 991_000));
    }

    #[test]
    fn what_is_no_fit_server_is_refused() {
        for (from, to) in [
            ("7.0.15", "5.0.14"),
            ("7.0.15", ""),
            ("standalone", "cluster"),
            ("standalone", "sentinel"),
            ("run_id:abc", "run_id:"),
            ("uptime_in_seconds:10", "uptime_in_seconds:x"),
        ] {
            let info = INFO.replace(from, to);
            assert!(
                matches!(run_in(&info, 1_000, false), Err(Trouble::Unfit(_))),
                "{to}"
            );
        }
    }

    #[test]
    fn a_cluster_is_one_and_not_too_old() {
        let cluster = INFO.replace("standalone", "cluster");
        assert!(run_in(&cluster, 1_000, true).is_ok());
        for info in [INFO, &cluster.replace("7.0.15", "6.2.5")] {
            assert!(matches!(run_in(info, 1_000, true), Err(Trouble::Unfit(_))));
        }
    }

    #[test]
    fn only_a_primary_is_one() {
        let role = |text: &str| Value::Array(vec![Value::BulkString(text.into()), Value::Int(0)]);
        assert!(is_primary(role("master")).is_ok());
        let replica = is_primary(role("slave"));
        assert!(matches!(replica, Err(Trouble::Silent(Effect::None, _))));
        for other in [role("sentinel"), Value::Nil, Value::Array(Vec::new())] {
            assert!(matches!(is_primary(other), Err(Trouble::Garbled(_))));
        }
    }
}
