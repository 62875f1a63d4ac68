//! Nodes of a cluster that are at odds about a slot: followed five times, and then said to be at odds.

use std::time::Duration;

use libtest_mimic::Trial;

use super::nodes::{Cluster, run_on};
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        five_redirections_in_a_row_are_followed,
        the_sixth_redirection_is_not_followed,
        nodes_that_send_us_in_a_circle_are_named,
    ]
}

/// How often a node has sent somebody to another.
fn redirections(cluster: &Cluster) -> Vec<u64> {
    let of = |server: &RedisServer| {
        let said = server.info("errorstats", "errorstat_MOVED");
        let count = said.strip_prefix("count=").unwrap_or("0");
        count.parse().unwrap()
    };
    cluster.nodes.iter().map(|(node, _)| of(node)).collect()
}

/// One attempt and no other: those whose nodes are at odds are asked again for ten seconds.
fn attempt(cluster: &Cluster) -> crate::support::lab::Ended {
    let url = cluster.url_of_the_first("restart-guard=off");
    run_on(&url, &["run", "--lease", "a", "--ttl", "60s", "--", "true"])
}

/// The first is only asked for the map: it names the second, which is the first to be asked for the lease.
fn five_redirections_in_a_row_are_followed() {
    let cluster = Cluster::at_odds(7, |at| (at + 1).min(6));
    let before = redirections(&cluster);
    attempt(&cluster).expect_code(0);
    let after = redirections(&cluster).into_iter();
    let gained: Vec<_> = after
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    assert_eq!(gained, [0, 1, 1, 1, 1, 1, 0]);
    assert!(cluster.nodes[6].0.cli(&["KEYS", "*:l:a"]).ends_with(":l:a"));
}

/// The next attempt begins where the last one ended, and so comes to the end of the line.
fn the_sixth_redirection_is_not_followed() {
    let cluster = Cluster::at_odds(8, |at| (at + 1).min(7));
    let ended = attempt(&cluster).expect_code(0);
    assert!(
        ended.stderr.contains("its nodes sent us on 5 times"),
        "{ended}"
    );
}

fn nodes_that_send_us_in_a_circle_are_named() {
    let cluster = Cluster::at_odds(3, |at| if at == 1 { 2 } else { 1 });
    let ended = attempt(&cluster).expect_code(123);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("its nodes sent us on 5 times, at last to 127.0.0.1:"),
        "{ended}"
    );
    assert!(
        last.contains("see redis-cli --cluster check; nothing was run"),
        "{ended}"
    );
    // Ten seconds of attempts, and no storm: each of them asked six times.
    let all: u64 = redirections(&cluster).iter().sum();
    assert!(all.is_multiple_of(6) && (12..=240).contains(&all), "{all}");
    assert!(ended.took < Duration::from_secs(30), "{ended}");
    assert!(
        cluster
            .nodes
            .iter()
            .all(|(node, _)| node.cli(&["DBSIZE"]) == "0")
    );
}
