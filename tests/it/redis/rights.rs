//! A user who lacks one command: whoever asks as that user is told so, and nothing has changed, although a
//! script writes more than once.

use libtest_mimic::Trial;

use super::nodes::{Cluster, done, hold, token};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_command_that_is_forbidden_leaves_nothing_half_done,
        a_command_that_valkey_forbids_leaves_nothing_half_done,
        a_command_that_an_older_server_forbids_leaves_nothing_half_done,
        a_command_that_a_cluster_forbids_leaves_nothing_half_done,
        a_channel_that_is_forbidden_leaves_nothing_half_done,
        who_only_looks_needs_no_right_to_write,
    ]
}

/// What a verb may come to, as a server calls it.
const STOP: &[&str] = &["persist", "hdel", "hset", "zrange", "zrem", "publish"];
const DRAIN: &[&str] = &[
    "persist", "hdel", "hset", "zadd", "zrange", "zrem", "publish",
];
const ACQUIRE: &[&str] = &[
    "persist", "hdel", "hset", "zadd", "pexpire", "zrange", "zrank", "zscore", "zrem", "publish",
];

/// A lease `a` that is held and waited for, a paused `b`, and `c` that was held once, on one server or several.
struct Scene<'a> {
    servers: Vec<&'a RedisServer>,
    /// With `LOGIN@` where a user's name and password go.
    url: String,
    lab: Lab,
}

impl Scene<'_> {
    fn url_of(&self, login: &str) -> String {
        self.url.replacen("LOGIN@", login, 1)
    }

    /// All that is in each server.
    fn data(&self) -> Vec<String> {
        let of = |server: &&RedisServer| {
            let keys = server.cli(&["KEYS", "*"]);
            let mut keys: Vec<_> = keys.lines().collect();
            keys.sort_unstable();
            let read = |key: &&str| match key.contains(":l:") {
                true => format!("EXISTS {key}\nPTTL {key}\nHGETALL {key}\n"),
                false => format!("EXISTS {key}\nZRANGE {key} 0 -1 WITHSCORES\n"),
            };
            // The order of a hash is its own affair.
            let read = server.cli_reading(&keys.iter().map(read).collect::<String>());
            let mut lines: Vec<_> = read.lines().collect();
            lines.sort_unstable();
            format!("{keys:?} {lines:?}")
        };
        self.servers.iter().map(of).collect()
    }

    fn acl(&self, words: &[&str]) {
        for server in &self.servers {
            let said = server.cli(&[&["ACL", "SETUSER", "app"], words].concat());
            assert_eq!(said, "OK", "{words:?}");
        }
    }

    /// Asks as the user `app`.
    fn ask(&self, words: &[&str]) -> crate::support::lab::Ended {
        let lab = Lab::new();
        std::fs::write(lab.path("url"), self.url_of("app:c4nary@")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(lab.path("url"), mode).unwrap();
        let mut command = lab.leasectl([words[0], "--store-file", "url"]);
        lab.run(command.args(&words[1..]).env_remove("LEASECTL_STORE"))
    }

    #[track_caller]
    fn is_refused(&self, words: &[&str], what: &str) {
        let before = self.data();
        let ended = self.ask(words).expect_code(125);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains("(NOPERM)"), "{what}: {ended}");
        assert!(last.contains("examples/redis.acl"), "{what}: {ended}");
        assert_eq!(self.data(), before, "{what}: {words:?}");
    }

    /// Each verb without each command that it may come to.
    fn lacks_each(&self, held: &str, publish: &str) {
        self.acl(&["on", ">c4nary", "~*", "+@all"]);
        let verbs: [(&[&str], &[&str]); 7] = [
            (
                &["run", "--wait", "5s", "--lease", "a", "--", "true"],
                ACQUIRE,
            ),
            (&["run", "--lease", "c", "--", "true"], ACQUIRE),
            (&["run", "--lease", "d", "--", "true"], ACQUIRE),
            (&["release", "a"], STOP),
            (&["release", "a", "--force", "--token", held], STOP),
            (&["pause", "c"], DRAIN),
            (&["resume", "b"], DRAIN),
        ];
        for command in ACQUIRE {
            let name = if *command == "publish" {
                publish
            } else {
                command
            };
            self.acl(&[&format!("-{name}")]);
            for (words, needs) in verbs {
                if needs.contains(command) {
                    self.is_refused(words, name);
                }
            }
            self.acl(&[&format!("+{name}")]);
        }
        // With all of them each may.
        self.ask(&["pause", "c"]).expect_code(0);
        self.ask(&["resume", "c"]).expect_code(0);
        self.ask(&["run", "--lease", "d", "--", "true"])
            .expect_code(0);
    }

    /// `test` gets the token of the holder.
    fn play(&self, test: impl FnOnce(&Self, &str)) {
        let url = self.url_of("");
        let holder = hold(&self.lab, &url, &["--ttl", "10m"]);
        let held = token(&holder).to_string();
        let other = Lab::new();
        let waiter = hold(&other, &url, &["--wait", "10m"]);
        wait_until(PATIENCE, "it to stand in line", || {
            let mut servers = self.servers.iter();
            servers.any(|server| server.cli(&["KEYS", "*:q:a"]).ends_with(":q:a"))
        });
        let run = |words: &[&str]| {
            let lab = Lab::new();
            lab.run(lab.leasectl(words).env("LEASECTL_STORE", &url))
                .expect_code(0);
        };
        run(&["run", "--lease", "c", "--", "true"]);
        run(&["pause", "b"]);
        test(self, &held);
        done(&self.lab);
        holder.wait(PATIENCE).expect_code(0);
        done(&other);
        waiter.wait(PATIENCE).expect_code(0);
    }
}

fn on(server: &RedisServer) -> Scene<'_> {
    Scene {
        servers: vec![server],
        url: server
            .url("restart-guard=off")
            .replacen("://", "://LOGIN@", 1),
        lab: Lab::new(),
    }
}

fn a_command_that_is_forbidden_leaves_nothing_half_done() {
    let server = RedisServer::start(&["--acl-pubsub-default", "allchannels"]);
    on(&server).play(|scene, held| scene.lacks_each(held, "publish"));
}

fn a_command_that_valkey_forbids_leaves_nothing_half_done() {
    let options = ["--acl-pubsub-default", "allchannels"];
    let server = RedisServer::start_as("valkey-server", &options);
    on(&server).play(|scene, held| scene.lacks_each(held, "publish"));
}

fn a_command_that_an_older_server_forbids_leaves_nothing_half_done() {
    let server = RedisServer::start_as("redis-server-6.2", &[]);
    on(&server).play(|scene, held| scene.lacks_each(held, "publish"));
}

fn a_command_that_a_cluster_forbids_leaves_nothing_half_done() {
    let cluster = Cluster::start();
    let scene = Scene {
        servers: cluster.nodes.iter().map(|(node, _)| node).collect(),
        url: cluster
            .url("restart-guard=off")
            .replacen("://", "://LOGIN@", 1),
        lab: Lab::new(),
    };
    scene.acl(&["allchannels"]);
    scene.play(|scene, held| scene.lacks_each(held, "spublish"));
}

fn a_channel_that_is_forbidden_leaves_nothing_half_done() {
    for program in ["redis-server", "redis-server-6.2"] {
        let server = RedisServer::start_as(program, &[]);
        on(&server).play(|scene, held| {
            let take = ["release", "a", "--force", "--token", held];
            scene.acl(&["on", ">c4nary", "~*", "+@all", "resetchannels", "&*:h:*"]);
            scene.is_refused(&take, "the waiters' channels");
            scene.is_refused(&["run", "--lease", "c", "--", "true"], "the same");
            scene.acl(&["resetchannels", "&*:w:*"]);
            scene.is_refused(&take, "the holders' channels");
        });
    }
}

fn who_only_looks_needs_no_right_to_write() {
    let server = RedisServer::start(&[]);
    on(&server).play(|scene, _| {
        scene.acl(&["on", ">c4nary", "~*", "+@all", "-@write", "-publish"]);
        let seen = scene.ask(&["status", "a"]).expect_code(0);
        assert!(seen.stdout.contains("held"), "{seen}");
        scene.is_refused(&["run", "--lease", "c", "--", "true"], "all of them");
    });
}
