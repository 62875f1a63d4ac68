//! `rediss://`: a server that proves who it is, to a leasectl that proves who it is.

use std::fs;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use leasectl::lease::LeaseName;
use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::watched::{NAME, Sentinel};
use super::{client, run};
use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::wait_until;
use crate::support::redis::{RedisServer, free_port};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_server_whose_authority_is_named_is_trusted,
        a_server_of_an_unknown_authority_is_not_trusted,
        a_server_with_another_name_is_not_trusted,
        a_client_certificate_is_shown_where_it_is_wanted,
        a_server_without_tls_is_named,
        a_silent_server_without_tls_is_named,
        a_server_with_tls_is_named,
        sentinels_with_and_without_tls_are_named,
        a_server_that_is_slow_is_not_mistaken,
        a_server_whose_hands_were_shaken_is_asked_no_more,
        a_server_that_hangs_up_is_not_mistaken,
        files_that_cannot_be_used_are_named,
        a_sentinel_and_its_primary_are_trusted_or_not,
        the_nodes_of_a_cluster_are_trusted_or_not,
    ]
}

/// Keys and certificates: of an authority, of the server `localhost` and `127.0.0.1`, of a client, and of
/// another authority.
fn keys() -> TempDir {
    const SCRIPT: &str = "
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        for ca in ca other; do
            openssl req -x509 $key -days 3 -subj /CN=$ca -keyout $ca.key -out $ca.crt
        done
        for who in server client; do
            openssl req $key -subj /CN=$who -keyout $who.key -out $who.csr
            echo 'subjectAltName=IP:127.0.0.1,DNS:localhost' >$who.ext
            openssl x509 -req -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3 \\
                -extfile $who.ext -out $who.crt
        done";
    let directory = tempfile::tempdir().unwrap();
    let mut sh = Command::new("sh");
    sh.args(["-euc", SCRIPT]).current_dir(directory.path());
    let made = sh.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    directory
}

struct Secured {
    keys: TempDir,
    port: u16,
    server: RedisServer,
}

impl Secured {
    /// With clients that have to prove who they are, or not.
    fn start(clients: &str) -> Self {
        Self::with(clients, &[])
    }

    /// The same with `more` on its command line.
    fn with(clients: &str, more: &[&str]) -> Self {
        needs("redis-server");
        needs("openssl");
        let (keys, port) = (keys(), free_port());
        let file = |name: &str| keys.path().join(name).display().to_string();
        let options = [
            "--tls-port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "127.0.0.2",
            "--tls-cert-file",
            &file("server.crt"),
            "--tls-key-file",
            &file("server.key"),
            "--tls-ca-cert-file",
            &file("ca.crt"),
            "--tls-auth-clients",
            clients,
            "--requirepass",
            "c4nary",
        ];
        let server = RedisServer::start(&[&options, more].concat());
        Self { keys, port, server }
    }

    fn file(&self, name: &str) -> String {
        self.keys.path().join(name).display().to_string()
    }

    /// Runs `true` with what stands after the `?` in the URL.
    fn run(&self, host: &str, options: &str) -> Ended {
        let port = self.port;
        Self::run_on(&format!(
            "rediss://:c4nary@{host}:{port}/0?restart-guard=off&{options}"
        ))
    }

    fn run_on(url: &str) -> Ended {
        let lab = Lab::new();
        let path = lab.path("url");
        write(&path, url);
        let mut command = lab.leasectl(["run", "-v", "--lease", "a", "--store-file", "url"]);
        command.args(["--", "true"]).env_remove("LEASECTL_STORE");
        let ended = lab.run(&mut command);
        assert!(!ended.stderr.contains("c4nary"), "{ended}");
        ended
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[track_caller]
fn is_refused(ended: Ended, why: &str) {
    let ended = ended.expect_code(125);
    assert!(ended.stderr.contains(why), "{ended}");
}

fn a_server_whose_authority_is_named_is_trusted() {
    let secured = Secured::start("no");
    let ca = format!("ca={}", secured.file("ca.crt"));
    for host in ["127.0.0.1", "localhost"] {
        let ended = secured.run(host, &ca).expect_code(0);
        let label = format!("on rediss://{host}:{}/0 ", secured.port);
        assert!(ended.stderr.contains(&label), "{ended}");
    }
}

fn a_server_of_an_unknown_authority_is_not_trusted() {
    let secured = Secured::start("no");
    let other = format!("ca={}", secured.file("other.crt"));
    is_refused(
        secured.run("127.0.0.1", &other),
        "its certificate is not trusted",
    );
    let lab = Lab::new();
    let url = format!("rediss://127.0.0.1:{}/0", secured.port);
    let mut command = lab.leasectl(["run", "--lease", "a", "--store", &url, "--", "true"]);
    // The authorities of a machine that has some.
    command.env("SSL_CERT_FILE", secured.file("other.crt"));
    is_refused(lab.run(&mut command), "its certificate is not trusted");
}

fn a_server_with_another_name_is_not_trusted() {
    let secured = Secured::start("no");
    let ca = format!("ca={}", secured.file("ca.crt"));
    is_refused(
        secured.run("127.0.0.2", &ca),
        "its certificate is not trusted",
    );
}

fn a_client_certificate_is_shown_where_it_is_wanted() {
    let secured = Secured::start("yes");
    let ca = format!("ca={}", secured.file("ca.crt"));
    is_refused(
        secured.run("127.0.0.1", &ca),
        "it refuses the TLS connection",
    );
    let with = |certificate: &str, key: &str| {
        let (certificate, key) = (secured.file(certificate), secured.file(key));
        format!("{ca}&client-cert={certificate}&client-key={key}")
    };
    let ended = secured.run("127.0.0.1", &with("client.crt", "client.key"));
    ended.expect_code(0);
    let other = secured.run("127.0.0.1", &with("other.crt", "other.key"));
    is_refused(other, "it refuses the TLS connection");
    let mixed = secured.run("127.0.0.1", &with("client.crt", "other.key"));
    is_refused(mixed, "the client certificate cannot be used");
}

/// The handshake has the end of a line in it, by chance, or a server says something of its own.
fn a_server_without_tls_is_named() {
    needs("openssl");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream
                .and_then(|mut stream| stream.write_all(b"-ERR what?\r\n"))
                .ok();
        }
    });
    let lab = Lab::new();
    let url = format!("rediss://127.0.0.1:{port}/0");
    let mut command = lab.leasectl(["run", "--lease", "a", "--store", &url, "--", "true"]);
    command.env("SSL_CERT_FILE", lab.path("none"));
    let without = lab.run(&mut command);
    is_refused(without, "this machine trusts no certificate authority");
    let keys = keys();
    command.env("SSL_CERT_FILE", keys.path().join("ca.crt"));
    is_refused(lab.run(&mut command), "it does not speak TLS");
}

/// Redis waits for the end of a line, which a handshake seldom has.
fn a_silent_server_without_tls_is_named() {
    let secured = Secured::start("no");
    for program in ["redis-server", "valkey-server"] {
        let (server, port) = RedisServer::on_a_port_as(program, &["--requirepass", "c4nary"]);
        let url = |host| {
            let ca = secured.file("ca.crt");
            format!("rediss://:c4nary@{host}:{port}/0?ca={ca}")
        };
        for _ in 0..5 {
            let ended = Secured::run_on(&url("127.0.0.1"));
            assert!(ended.took < PATIENCE, "{ended}");
            is_refused(ended, "it does not speak TLS on this port");
        }
        // One that says nothing at all may have TLS.
        server.send(Signal::SIGSTOP);
        let ended = Secured::run_on(&url("127.0.0.1")).expect_code(123);
        assert!(!ended.stderr.contains("speak"), "{ended}");
    }
}

fn a_server_with_tls_is_named() {
    for clients in ["no", "yes"] {
        let secured = Secured::start(clients);
        let port = secured.port;
        for scheme in ["redis", "redis-cluster"] {
            let ended = Secured::run_on(&format!("{scheme}://:c4nary@127.0.0.1:{port}/0"));
            is_refused(ended, "it speaks TLS on this port");
        }
        secured.server.send(Signal::SIGSTOP);
        let ended = Secured::run_on(&format!("redis://:c4nary@127.0.0.1:{port}/0"));
        let ended = ended.expect_code(123);
        assert!(!ended.stderr.contains("speaks"), "{ended}");
    }
}

fn sentinels_with_and_without_tls_are_named() {
    let secured = Secured::start("no");
    let url = |with: &str, port: u16| {
        let ca = if with.is_empty() {
            String::new()
        } else {
            format!("?ca={}", secured.file("ca.crt"))
        };
        format!("redis{with}-sentinel://:c4nary@127.0.0.1:{port}/{NAME}{ca}")
    };
    // What asks a server is asked of a Sentinel in the same words.
    let ended = Secured::run_on(&url("", secured.port));
    is_refused(ended, "it speaks TLS on this port");
    let (_plain, port) = RedisServer::on_a_port(&[]);
    let ended = Secured::run_on(&url("s", port));
    is_refused(ended, "it does not speak TLS on this port");
}

/// A handshake that takes longer than the doubt.
fn a_server_that_is_slow_is_not_mistaken() {
    let secured = Secured::start("no");
    let (url, _) = slowly(&secured);
    Secured::run_on(&url).expect_code(0);
}

/// The way to a server on which each direction of a connection begins late, and the connections so far.
fn slowly(secured: &Secured) -> (String, Arc<Mutex<Vec<TcpStream>>>) {
    let to = secured.port;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let made: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let seen = Arc::clone(&made);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            seen.lock().unwrap().push(client.try_clone().unwrap());
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(400));
                    io::copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Both).ok();
                });
            }
        }
    });
    let ca = secured.file("ca.crt");
    let url = format!("rediss://:c4nary@127.0.0.1:{port}/0?restart-guard=off&ca={ca}");
    (url, made)
}

/// Only who was never spoken to may be somebody without TLS.
fn a_server_whose_hands_were_shaken_is_asked_no_more() {
    let secured = Secured::start("no");
    let (url, made) = slowly(&secured);
    let ways = || made.lock().unwrap().len();
    run(async {
        let (store, name) = (client(&url), LeaseName::new("a").unwrap());
        store.observe(&name).await.unwrap();
        assert_eq!(ways(), 2, "one, and one that asks: it was slow");
        store.observe(&name).await.unwrap();
        assert_eq!(ways(), 2, "the same");
        for way in made.lock().unwrap().iter() {
            way.shutdown(Shutdown::Both).ok();
        }
        // What is asked first may find out that the way is gone.
        if store.observe(&name).await.is_err() {
            store.observe(&name).await.unwrap();
        }
        assert_eq!(ways(), 3, "as slow, and nobody asks");
    });
}

fn a_server_that_hangs_up_is_not_mistaken() {
    needs("openssl");
    let keys = keys();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    let ca = keys.path().join("ca.crt").display().to_string();
    for url in [
        format!("redis://127.0.0.1:{port}/0"),
        format!("rediss://127.0.0.1:{port}/0?ca={ca}"),
    ] {
        let ended = Secured::run_on(&url).expect_code(123);
        assert!(!ended.stderr.contains("speak"), "{ended}");
    }
}

fn files_that_cannot_be_used_are_named() {
    let secured = Secured::start("no");
    for name in ["none", "ca.key", "server.ext"] {
        let file = secured.file(name);
        is_refused(secured.run("127.0.0.1", &format!("ca={file}")), &file);
    }
}

fn a_sentinel_and_its_primary_are_trusted_or_not() {
    let server = Secured::start("no");
    let (certificate, key) = (server.file("server.crt"), server.file("server.key"));
    let sentinel = Sentinel::start(
        server.port,
        &format!(
            "tls-replication yes\ntls-auth-clients no\ntls-cert-file {certificate}\n\
             tls-key-file {key}\ntls-ca-cert-file {}\nsentinel auth-pass {NAME} c4nary\n",
            server.file("ca.crt")
        ),
    );
    let url = |ca: &str| {
        let (port, ca) = (sentinel.port, server.file(ca));
        format!("rediss-sentinel://:c4nary@127.0.0.1:{port}/{NAME}?restart-guard=off&ca={ca}")
    };
    wait_until(PATIENCE, "the Sentinel to listen", || {
        TcpStream::connect(("127.0.0.1", sentinel.port)).is_ok()
    });
    Secured::run_on(&url("ca.crt")).expect_code(0);
    let ended = Secured::run_on(&url("other.crt")).expect_code(125);
    assert!(ended.stderr.contains("Sentinel 127.0.0.1:"), "{ended}");
}

fn the_nodes_of_a_cluster_are_trusted_or_not() {
    let more = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
    let node = Secured::with("no", &more);
    let cli = |words: &[&str]| {
        let login = ["--no-auth-warning", "-a", "c4nary", "CLUSTER"];
        node.server.cli(&[&login, words].concat())
    };
    cli(&["ADDSLOTSRANGE", "0", "16383"]);
    wait_until(PATIENCE, "the cluster to be one", || {
        cli(&["INFO"]).contains("cluster_state:ok")
    });
    let url = |ca: &str| {
        let (port, ca) = (node.port, node.file(ca));
        format!("rediss-cluster://:c4nary@127.0.0.1:{port}?restart-guard=off&ca={ca}")
    };
    Secured::run_on(&url("ca.crt")).expect_code(0);
    let ended = Secured::run_on(&url("other.crt")).expect_code(125);
    assert!(ended.stderr.contains("node 127.0.0.1:"), "{ended}");
}
