//! Something between HTTP clients and their server that spoils chosen requests: it answers late, or not at all
//! although the request was carried out, carries one out twice or long after its client gave up, or answers
//! itself. Requests have no body, as none of those to the Blob service that we send.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::random::Random;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is carried out, and the answer comes so much later.
    Late(Duration),
    /// It is carried out, and the connection is cut before the answer.
    Unheard,
    /// It is carried out, and so long after the answer once more.
    Twice(Duration),
    /// It reaches the server so much later.
    HeldBack(Duration),
    /// The connection is cut, and nothing is carried out.
    Lost,
    /// It is not carried out, and answered with this status, code and header.
    Answered(u16, &'static str, &'static str),
}

/// A proxy on a port of its own. Its threads end with their connections.
#[derive(Debug)]
pub(crate) struct Spoiler {
    port: u16,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    server: u16,
    /// Faults for the next request that has all these words in it, one request each.
    next: Mutex<Vec<(Vec<&'static str>, Fault)>>,
    /// The same for every such request.
    always: Mutex<Vec<(Vec<&'static str>, Fault)>>,
    /// One of so many requests is spoiled by chance.
    chance: Mutex<Option<(u64, Random)>>,
    connections: AtomicUsize,
    spoiled: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spoiler {
    /// Between whoever connects and the server at this port.
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Plan {
            server,
            next: Mutex::default(),
            always: Mutex::default(),
            chance: Mutex::default(),
            connections: AtomicUsize::new(0),
            spoiled: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let of_the_threads = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let plan = Arc::clone(&of_the_threads);
                plan.connections.fetch_add(1, Ordering::SeqCst);
                // A server that is gone is a connection that is cut.
                thread::spawn(move || plan.serve(client).ok());
            }
        });
        Self { port, plan }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Spoils the next request that has all these words in it.
    pub(crate) fn spoil(&self, words: &[&'static str], fault: Fault) {
        locked(&self.plan.next).push((words.to_vec(), fault));
    }

    /// Spoils every request that has all these words in it.
    pub(crate) fn spoil_all(&self, words: &[&'static str], fault: Fault) {
        locked(&self.plan.always).push((words.to_vec(), fault));
    }

    /// Spoils one of so many requests, in any way.
    pub(crate) fn spoil_one_in(&self, times: u64, random: Random) {
        *locked(&self.plan.chance) = Some((times, random));
    }

    /// Nothing is spoiled any more.
    pub(crate) fn heal(&self) {
        locked(&self.plan.always).clear();
        *locked(&self.plan.chance) = None;
        assert!(locked(&self.plan.next).is_empty(), "not spoiled");
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.plan.connections.load(Ordering::SeqCst)
    }

    /// How many requests were spoiled.
    pub(crate) fn spoiled(&self) -> usize {
        self.plan.spoiled.load(Ordering::SeqCst)
    }

    /// Every request so far, as it was sent.
    pub(crate) fn requests(&self) -> Vec<String> {
        locked(&self.plan.requests).clone()
    }

    /// Forgets what was sent so far.
    pub(crate) fn forget(&self) {
        locked(&self.plan.requests).clear();
    }
}

impl Plan {
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
        while let Some(request) = read_head(&mut client)? {
            let text = String::from_utf8_lossy(&request).into_owned();
            let fault = self.fault(&text);
            let is_head = text.starts_with("HEAD ");
            locked(&self.requests).push(text);
            if fault.is_some() {
                self.spoiled.fetch_add(1, Ordering::SeqCst);
            }
            match fault {
                Some(Fault::Lost) => return Ok(()),
                Some(Fault::Answered(status, code, header)) => {
                    client.write_all(own_answer(status, code, header).as_bytes())?;
                    continue;
                }
                Some(Fault::HeldBack(span)) => thread::sleep(span),
                _ => {}
            }
            let answer = exchange(&mut server, &request, is_head)?;
            match fault {
                Some(Fault::Late(span)) => thread::sleep(span),
                Some(Fault::Unheard) => return Ok(()),
                Some(Fault::Twice(span)) => {
                    let port = self.server;
                    let again = thread::spawn(move || carry_out(port, &request, is_head, span));
                    if span.is_zero() {
                        again.join().ok();
                    }
                }
                _ => {}
            }
            client.write_all(&answer)?;
        }
        Ok(())
    }

    fn fault(&self, request: &str) -> Option<Fault> {
        let request = request.to_lowercase();
        let fits = |words: &[&str]| words.iter().all(|word| request.contains(word));
        let mut next = locked(&self.next);
        if let Some(at) = next.iter().position(|(words, _)| fits(words)) {
            return Some(next.remove(at).1);
        }
        let always = locked(&self.always);
        if let Some((_, fault)) = always.iter().find(|(words, _)| fits(words)) {
            return Some(fault.clone());
        }
        let mut chance = locked(&self.chance);
        let (times, random) = chance.as_mut()?;
        if !random.once_in(*times) {
            return None;
        }
        let longest = Duration::from_secs(20);
        Some(match random.below(5) {
            0 => Fault::Late(random.span(longest / 4)),
            1 => Fault::Unheard,
            2 => Fault::Twice(random.span(longest)),
            3 => Fault::HeldBack(random.span(longest)),
            _ => Fault::Lost,
        })
    }
}

/// A request or the head of an answer; `None`: whoever sent it has closed.
fn read_head(from: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if from.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(head))
}

fn exchange(server: &mut TcpStream, request: &[u8], is_head: bool) -> std::io::Result<Vec<u8>> {
    server.write_all(request)?;
    let closed = std::io::ErrorKind::UnexpectedEof;
    let mut answer = read_head(server)?.ok_or(closed)?;
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    if is_head || head.starts_with("http/1.1 304") || head.starts_with("http/1.1 204") {
        return Ok(answer);
    }
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
    if let Some(length) = length {
        let mut body = vec![0; length];
        server.read_exact(&mut body)?;
        answer.extend(body);
    } else if head.contains("transfer-encoding: chunked") {
        let mut byte = [0];
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            server.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
    }
    Ok(answer)
}

/// On a connection of its own, with nobody who hears the answer.
fn carry_out(port: u16, request: &[u8], is_head: bool, after: Duration) -> std::io::Result<()> {
    thread::sleep(after);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    exchange(&mut server, request, is_head).map(drop)
}

fn own_answer(status: u16, code: &str, header: &str) -> String {
    let code = match code {
        "" => String::new(),
        code => format!("x-ms-error-code: {code}\r\n"),
    };
    let header = match header {
        "" => String::new(),
        header => format!("{header}\r\n"),
    };
    format!(
        "HTTP/1.1 {status} Spoiled\r\n{code}{header}date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         content-length: 0\r\n\r\n"
    )
}
