//! A server that speaks nonsense, or for ever, or hardly at all: an error within the time limit, in bounded
//! memory, and nothing is run.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::lab::Lab;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        garbage,
        an_endless_line,
        an_endless_array,
        an_array_of_arrays,
        a_bulk_of_a_gibibyte,
        a_length_that_no_memory_has,
        a_byte_a_second,
        silence,
        a_closed_door,
        another_protocol,
        an_answer_that_no_script_gives,
        garbage_instead_of_an_answer,
    ]
}

/// What a good server says to HELLO, INFO and TIME.
const GREETING: &[u8] = b"%1\r\n$5\r\nproto\r\n:3\r\n";
const INFO: &str = "redis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:abc\r\n\
                    uptime_in_seconds:1000";
const TIME: &[u8] = b"*2\r\n$10\r\n1700000000\r\n$1\r\n1\r\n";

/// Runs `true` against a server that serves every connection so; what it exits with.
#[track_caller]
fn meets(
    serve: impl Fn(&mut UnixStream) -> std::io::Result<()> + Send + Sync + 'static,
    code: i32,
) {
    let lab = Lab::new();
    let listener = UnixListener::bind(lab.path("socket")).unwrap();
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = std::sync::Arc::clone(&serve);
            // It ends with the connection, well or not.
            thread::spawn(move || stream.and_then(|mut stream| serve(&mut stream)).ok());
        }
    });
    // More than leasectl maps, and less than these servers send.
    let limits = "ulimit -v 400000; exec leasectl run --lease a --ttl 4s -- touch ran";
    let mut command = lab.sh(limits);
    let url = format!("redis+unix://{}", lab.path("socket").display());
    let ended = lab
        .run(command.env("LEASECTL_STORE", url))
        .expect_code(code);
    assert!(!lab.path("ran").exists());
    // Ten seconds of patience with a store that does not answer, and one attempt.
    assert!(ended.took < Duration::from_secs(25), "{ended}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("leasectl: ") && last.contains("nothing was run"),
        "{ended}"
    );
}

/// Says the same again and again.
fn for_ever(stream: &mut UnixStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

/// Reads one request, or more that came at once.
fn read(stream: &mut UnixStream) -> std::io::Result<()> {
    let mut bytes = [0; 64 * 1024];
    match stream.read(&mut bytes)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Is a good server until the first script.
fn sign_in(stream: &mut UnixStream) -> std::io::Result<()> {
    read(stream)?;
    stream.write_all(GREETING)?;
    read(stream)?;
    let info = format!("${}\r\n{INFO}\r\n", INFO.len());
    stream.write_all(info.as_bytes())?;
    stream.write_all(TIME)?;
    read(stream)
}

fn garbage() {
    meets(|stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n"), 123);
}

fn an_endless_line() {
    meets(|stream| for_ever(stream, &[b'+'; 4096]), 123);
}

fn an_endless_array() {
    let begin = |stream: &mut UnixStream| {
        stream.write_all(b"*2000000000\r\n")?;
        for_ever(stream, &b":1\r\n".repeat(1024))
    };
    meets(begin, 123);
}

fn an_array_of_arrays() {
    meets(|stream| for_ever(stream, &b"*1\r\n".repeat(1024)), 123);
}

fn a_bulk_of_a_gibibyte() {
    let begin = |stream: &mut UnixStream| {
        sign_in(stream)?;
        stream.write_all(b"$1073741824\r\n")?;
        for_ever(stream, &[b'x'; 64 * 1024])
    };
    meets(begin, 123);
}

fn a_length_that_no_memory_has() {
    for length in [
        "$9223372036854775807",
        "*9223372036854775807",
        "%9223372036854775807",
        "$-2",
    ] {
        let begin = move |stream: &mut UnixStream| {
            sign_in(stream)?;
            stream.write_all(format!("{length}\r\n").as_bytes())?;
            read(stream)
        };
        meets(begin, 123);
    }
}

fn a_byte_a_second() {
    let slow = |stream: &mut UnixStream| {
        for byte in GREETING.iter().cycle() {
            stream.write_all(&[*byte])?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    };
    meets(slow, 123);
}

fn silence() {
    meets(loop_reading, 123);
}

fn loop_reading(stream: &mut UnixStream) -> std::io::Result<()> {
    loop {
        read(stream)?;
    }
}

fn a_closed_door() {
    meets(|_| Ok(()), 123);
}

fn another_protocol() {
    let http = |stream: &mut UnixStream| {
        read(stream)?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    };
    meets(http, 123);
}

fn an_answer_that_no_script_gives() {
    for answer in [
        "+OK\r\n",
        ":1\r\n",
        "_\r\n",
        "*1\r\n$7\r\ngranted\r\n",
        "*0\r\n",
        "#t\r\n",
    ] {
        let begin = move |stream: &mut UnixStream| {
            sign_in(stream)?;
            stream.write_all(answer.as_bytes())?;
            loop_reading(stream)
        };
        meets(begin, 123);
    }
}

fn garbage_instead_of_an_answer() {
    let begin = |stream: &mut UnixStream| {
        sign_in(stream)?;
        stream.write_all(b"\x00\xff\x1b[31m\r\n")?;
        loop_reading(stream)
    };
    meets(begin, 123);
}
