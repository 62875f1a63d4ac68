//! What a server refuses before anything is run: one line each, the documented code, and never a password.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;

use super::nodes::{done, hold, token};
use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_password_is_wanted,
        a_password_is_wrong,
        a_password_is_not_wanted,
        a_user_may_not,
        a_user_with_the_rights_of_the_example_may,
        the_rights_of_the_example_are_enough_elsewhere,
        a_command_has_another_name,
        a_refusal_leaves_the_line_as_it_is,
        a_key_belongs_to_somebody_else,
        there_is_no_such_database,
        it_is_a_node_of_a_cluster,
        nobody_is_there,
        a_replica_is_no_store,
        other_schemes_are_refused_by_name,
    ]
}

const CANARY: &str = "c4nary";

/// Runs `true` on the store, which a file names: it may have a password.
fn run_on(lab: &Lab, url: &str) -> Ended {
    let path = lab.path("url");
    fs::write(&path, url).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = lab.leasectl(["run", "-v", "--lease", "a", "--store-file", "url"]);
    let ended = lab.run(command.args(["--", "true"]).env_remove("LEASECTL_STORE"));
    let shown = ended.stderr.contains(CANARY) || ended.stdout.contains(CANARY);
    assert!(!shown, "{ended}");
    ended
}

/// The URL of a server with a user and a password.
pub(super) fn with_login(server: &RedisServer, login: &str) -> String {
    let url = server.url("restart-guard=off");
    url.replacen("://", &format!("://{login}@"), 1)
}

#[track_caller]
fn is_refused(server: &RedisServer, login: &str, code: i32, why: &str) {
    let ended = run_on(&Lab::new(), &with_login(server, login)).expect_code(code);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains(why) && last.contains("nothing was run"),
        "{ended}"
    );
}

fn a_password_is_wanted() {
    let server = RedisServer::start(&["--requirepass", CANARY]);
    is_refused(&server, "", 125, "it wants a password (NOAUTH)");
    run_on(&Lab::new(), &with_login(&server, ":c4nary")).expect_code(0);
}

fn a_password_is_wrong() {
    let server = RedisServer::start(&["--requirepass", "another"]);
    is_refused(&server, ":c4nary", 125, "(WRONGPASS)");
    is_refused(&server, "nobody:c4nary", 125, "(WRONGPASS)");
}

fn a_password_is_not_wanted() {
    let server = RedisServer::start(&[]);
    // The server takes any password for its default user then.
    run_on(&Lab::new(), &with_login(&server, "default:c4nary")).expect_code(0);
}

fn a_user_may_not() {
    let server = RedisServer::start(&[]);
    server.cli(&[
        "ACL", "SETUSER", "app", "on", ">c4nary", "~*", "&*", "+@all", "-evalsha", "-eval",
    ]);
    is_refused(&server, "app:c4nary", 125, "NOPERM");
    server.cli(&["ACL", "SETUSER", "app", "+evalsha", "+eval", "-subscribe"]);
    is_refused(&server, "app:c4nary", 125, "NOPERM");
    // What it could not hold it has given back.
    server.cli(&["ACL", "SETUSER", "app", "+subscribe"]);
    run_on(&Lab::new(), &with_login(&server, "app:c4nary")).expect_code(0);
    server.cli(&["ACL", "SETUSER", "app", "-hset"]);
    is_refused(&server, "app:c4nary", 125, "NOPERM");
    server.cli(&["ACL", "SETUSER", "app", "+hset", "-info"]);
    is_refused(&server, "app:c4nary", 125, "NOPERM");
}

/// Makes the user of the example known, with the password `c4nary`.
pub(super) fn admit(server: &RedisServer) {
    let_in(server, str::to_owned);
}

/// The same with what the example says of other servers.
fn let_in(server: &RedisServer, instead: impl Fn(&str) -> String) {
    let text = fs::read_to_string("examples/redis.acl").unwrap();
    let user = text.lines().find_map(|line| line.strip_prefix("user "));
    let user = user.unwrap().replace(">PASSWORD", ">c4nary");
    let user = instead(&user);
    let words: Vec<_> = ["ACL", "SETUSER"]
        .into_iter()
        .chain(user.split(' '))
        .collect();
    assert_eq!(server.cli(&words), "OK");
}

fn the_rights_of_the_example_are_enough_elsewhere() {
    let older = RedisServer::start_as("redis-server-6.2", &[]);
    let_in(&older, |user| {
        let unknown = [
            "+ssubscribe",
            "+sunsubscribe",
            "+spublish",
            "+pubsub|shardnumsub",
            "+cluster|slots",
        ];
        let words = user.split(' ').filter(|word| !unknown.contains(word));
        let user = words.collect::<Vec<_>>().join(" ");
        user.replace("+pubsub|numsub", "+pubsub")
    });
    let valkey = RedisServer::start_as("valkey-server", &[]);
    admit(&valkey);
    for server in [older, valkey] {
        let url = with_login(&server, "leasectl:c4nary");
        let lab = Lab::new();
        for _ in 0..2 {
            run_on(&lab, &url).expect_code(0);
        }
    }
}

fn a_user_with_the_rights_of_the_example_may() {
    let server = RedisServer::start(&[]);
    admit(&server);
    let lab = Lab::new();
    let url = with_login(&server, "leasectl:c4nary");
    run_on(&lab, &url).expect_code(0);
    run_on(&lab, &url).expect_code(0);
    let verb = |words: &[&str]| {
        let mut command = lab.leasectl(words);
        command
            .args(["--store-file", "url"])
            .env_remove("LEASECTL_STORE");
        lab.run(&mut command)
    };
    verb(&["pause", "a"]).expect_code(0);
    run_on(&lab, &url).expect_code(120);
    verb(&["resume", "a"]).expect_code(0);
    run_on(&lab, &url).expect_code(0);
    for denied in [
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET save",
        "GET x",
        "SCRIPT FLUSH",
    ] {
        let login = ["--user", "leasectl", "--pass", CANARY, "--no-auth-warning"];
        let words: Vec<_> = login.into_iter().chain(denied.split(' ')).collect();
        let said = server.cli(&words);
        assert!(said.starts_with("NOPERM"), "{denied}: {said}");
    }
}

fn a_command_has_another_name() {
    for program in ["redis-server", "redis-server-6.2", "valkey-server"] {
        for command in ["HELLO", "EVALSHA", "EVAL", "SUBSCRIBE", "HSET", "PUBLISH"] {
            let server = RedisServer::start_as(program, &["--rename-command", command, "\"\""]);
            let why = format!("it does not know the command {command}; ");
            is_refused(&server, "", 125, &why);
            // A grant that nobody could be told the end of was given back.
            let half_done = command != "SUBSCRIBE" && !server.cli(&["KEYS", "*"]).is_empty();
            assert!(!half_done, "{program} {command}");
        }
    }
}

/// Whoever is gone is forgotten in its time, however often others ask.
fn a_refusal_leaves_the_line_as_it_is() {
    for program in ["redis-server", "redis-server-6.2"] {
        let server = RedisServer::start_as(program, &[]);
        let url = server.url("restart-guard=off");
        let lab = Lab::new();
        let holder = hold(&lab, &url, &["--ttl", "10m"]);
        token(&holder);
        let line = server.cli(&["KEYS", "*:l:a"]).replace(":l:", ":q:");
        server.cli(&["ZADD", &line, "1", "somebody who is gone"]);
        server.cli(&["PEXPIRE", &line, "30000"]);
        let refused = run_on(&Lab::new(), &url).expect_code(120);
        assert!(refused.stderr.contains("a is held"), "{refused}");
        let rest: i64 = server.cli(&["PTTL", &line]).parse().unwrap();
        assert!((1..=30_000).contains(&rest), "{program}: {rest}");
        done(&lab);
        holder.wait(PATIENCE).expect_code(0);
    }
}

fn a_key_belongs_to_somebody_else() {
    let server = RedisServer::start(&[]);
    let lab = Lab::new();
    let url = server.url("restart-guard=off");
    run_on(&lab, &url).expect_code(0);
    let key = server.cli(&["KEYS", "*:l:a"]);
    server.cli(&["DEL", &key]);
    server.cli(&["SET", &key, "somebody's"]);
    is_refused(&server, "", 125, "not leasectl's own (string)");
    assert_eq!(server.cli(&["GET", &key]), "somebody's");
    server.cli(&["DEL", &key]);
    server.cli(&["HSET", &key, "field", "somebody's"]);
    is_refused(&server, "", 125, "not leasectl's own (version none)");
}

fn there_is_no_such_database() {
    let server = RedisServer::start(&["--databases", "2"]);
    let url = |number| server.url(&format!("restart-guard=off&db={number}"));
    run_on(&Lab::new(), &url(1)).expect_code(0);
    let ended = run_on(&Lab::new(), &url(2)).expect_code(125);
    assert!(
        ended.stderr.contains("no database with this number"),
        "{ended}"
    );
}

fn it_is_a_node_of_a_cluster() {
    let server = RedisServer::start(&["--cluster-enabled", "yes"]);
    is_refused(&server, "", 125, "it is a node of a cluster");
}

fn nobody_is_there() {
    let lab = Lab::new();
    let socket = lab.path("nobody");
    let url = format!("redis+unix://:c4nary@{}", socket.display());
    let ended = run_on(&lab, &url).expect_code(123);
    assert!(
        ended
            .stderr
            .contains("no such file or directory; nothing was run"),
        "{ended}"
    );
}

fn a_replica_is_no_store() {
    let server = RedisServer::start(&[]);
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    is_refused(&server, "", 123, "it is a replica");
}

fn other_schemes_are_refused_by_name() {
    needs("redis-server");
    for scheme in ["valkey", "redis-clusters"] {
        let ended = run_on(&Lab::new(), &format!("{scheme}://:c4nary@db1/0")).expect_code(125);
        let why = format!("unknown store \"{scheme}\"");
        assert!(ended.stderr.contains(&why), "{ended}");
    }
}
