//! A metadata service for one test, which behaves as Azure documents it: a header that has to be there, at
//! most five requests a second, a late first answer, an incarnation, events that start at their time or
//! when they are approved, and that vanish. It listens on a free port of the loopback address.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};

pub(crate) mod tests;

/// The name by which the service knows the machine of the tests. A machine of a scale set has such a one,
/// which is not its host name.
pub(crate) const VM: &str = "issue_0";
/// What the service allows in any second, for all who ask.
const MOST_A_SECOND: usize = 5;

/// The service. It goes with its value: nothing is answered afterwards.
#[derive(Debug)]
pub(crate) struct MetadataService {
    address: SocketAddr,
    /// Whether it can be reached from here, and not only from a network of its own.
    here: bool,
    state: Arc<Mutex<State>>,
}

/// One announced event.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    pub(crate) kind: &'static str,
    /// So long after now; `None`: it has started already.
    pub(crate) in_time: Option<Duration>,
    pub(crate) resources: Vec<String>,
    pub(crate) duration: i64,
}

impl Announced {
    /// An event of this machine, so long ahead.
    pub(crate) fn ours(kind: &'static str, ahead: Duration) -> Self {
        Self {
            kind,
            in_time: Some(ahead),
            resources: vec![VM.to_owned()],
            duration: -1,
        }
    }

    /// An event of this machine that has begun without a notice, as failing hardware does.
    pub(crate) fn begun(kind: &'static str) -> Self {
        Self {
            in_time: None,
            ..Self::ours(kind, Duration::ZERO)
        }
    }

    /// The same, of these resources.
    pub(crate) fn of(self, resources: &[&str]) -> Self {
        let resources = resources.iter().map(|name| (*name).to_owned()).collect();
        Self { resources, ..self }
    }
}

#[derive(Debug)]
struct State {
    open: bool,
    incarnation: u64,
    events: BTreeMap<String, Event>,
    made: u32,
    /// When each request came.
    requests: Vec<Instant>,
    /// Which events were approved, in order.
    approved: Vec<String>,
    /// How often it was asked to approve something.
    asked_to_approve: usize,
    first_answer_at: Instant,
    failing: Option<u16>,
    silent: bool,
    limited: bool,
    file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Event {
    announced: Announced,
    /// `None` once it has started: the field is empty then.
    not_before: Option<SystemTime>,
}

impl MetadataService {
    /// One that answers at once and knows of no event.
    pub(crate) fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), true)
    }

    /// One at the address that the real one has, in the network namespace of this path.
    pub(crate) fn start_in(namespace: &str) -> Self {
        let namespace = std::fs::File::open(namespace).unwrap();
        // A thread of its own: the socket stays where it was made, and nobody else goes there.
        let listener = thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            TcpListener::bind("169.254.169.254:80").unwrap()
        });
        Self::listen(listener.join().unwrap(), false)
    }

    fn listen(listener: TcpListener, here: bool) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            open: true,
            incarnation: 1,
            events: BTreeMap::new(),
            made: 0,
            requests: Vec::new(),
            approved: Vec::new(),
            asked_to_approve: 0,
            first_answer_at: Instant::now(),
            failing: None,
            silent: false,
            limited: true,
            file: None,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                if !state.lock().unwrap().open {
                    break;
                }
                thread::spawn(move || serve(client, &state));
            }
        });
        Self {
            address,
            here,
            state,
        }
    }

    /// What stands for `http://169.254.169.254`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Keeps the same document in a file, in which this machine has its host name; its URL.
    pub(crate) fn in_a_file(&self, path: &Path) -> String {
        let mut state = self.state.lock().unwrap();
        state.file = Some(path.to_owned());
        state.write();
        format!("file://{}", path.display())
    }

    /// Announces an event; its id.
    pub(crate) fn announce(&self, announced: Announced) -> String {
        self.change(|state| {
            state.made += 1;
            let id = format!("602D9444-D2CD-49C7-8624-{:012X}", state.made);
            let not_before = announced.in_time.map(|ahead| SystemTime::now() + ahead);
            let event = Event {
                announced,
                not_before,
            };
            state.events.insert(id.clone(), event);
            id
        })
    }

    /// The event is over, or was cancelled: the service does not say which.
    pub(crate) fn vanish(&self, id: &str) {
        self.change(|state| assert!(state.events.remove(id).is_some(), "{id}"));
    }

    /// From now on every request gets this status.
    pub(crate) fn fail_with(&self, status: Option<u16>) {
        self.state.lock().unwrap().failing = status;
    }

    /// From now on requests are taken and not answered.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.state.lock().unwrap().silent = silent;
    }

    /// The first answer comes so much later: two minutes, scaled down.
    pub(crate) fn delay_the_first_answer(&self, span: Duration) {
        self.state.lock().unwrap().first_answer_at = Instant::now() + span;
    }

    /// When each request came.
    pub(crate) fn requests(&self) -> Vec<Instant> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Which events were approved, in order.
    pub(crate) fn approved(&self) -> Vec<String> {
        self.state.lock().unwrap().approved.clone()
    }

    /// How often it was asked to approve something, whether it has answered or not.
    pub(crate) fn asked_to_approve(&self) -> usize {
        self.state.lock().unwrap().asked_to_approve
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        state.incarnation += 1;
        let changed = change(&mut state);
        state.write();
        changed
    }
}

impl Drop for MetadataService {
    fn drop(&mut self) {
        self.state.lock().unwrap().open = false;
        // The listener waits for somebody. One that nobody can reach from here waits until the tests are over.
        if self.here {
            TcpStream::connect(self.address).ok();
        }
    }
}

/// A request as far as the service looks at it.
#[derive(Debug, Default)]
struct Request {
    method: String,
    path: String,
    query: String,
    metadata: bool,
    forwarded: bool,
    body: Vec<u8>,
}

fn serve(client: TcpStream, state: &Mutex<State>) -> Option<()> {
    client.set_read_timeout(Some(Duration::from_secs(60))).ok();
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut client = client;
    while let Some(request) = read(&mut reader) {
        let wait = {
            let mut state = state.lock().unwrap();
            state.requests.push(Instant::now());
            state.asked_to_approve += usize::from(request.method == "POST");
            state
                .first_answer_at
                .saturating_duration_since(Instant::now())
        };
        thread::sleep(wait);
        while state.lock().unwrap().silent {
            thread::sleep(Duration::from_millis(20));
            if !state.lock().unwrap().open {
                return None;
            }
        }
        let (status, body) = state.lock().unwrap().answer(&request);
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
    None
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let mut request = Request {
        method: words.next()?.to_owned(),
        ..Request::default()
    };
    let (path, query) = words.next()?.split_once('?').unwrap_or_default();
    (request.path, request.query) = (path.to_owned(), query.to_owned());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((key, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match key.to_ascii_lowercase().as_str() {
            "metadata" => request.metadata = value.trim().eq_ignore_ascii_case("true"),
            "x-forwarded-for" => request.forwarded = true,
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

impl State {
    fn answer(&mut self, request: &Request) -> (u16, String) {
        let bad = |text: &str| (400, json!({ "error": text }).to_string());
        let second = Duration::from_secs(1);
        let lately = self.requests.iter().filter(|at| at.elapsed() < second);
        if self.limited && lately.count() > MOST_A_SECOND {
            return (429, json!({"error": "Too many requests"}).to_string());
        }
        if let Some(status) = self.failing {
            return (status, json!({"error": "as the test wants it"}).to_string());
        }
        if !request.metadata {
            return bad("Bad request. Required metadata header not specified");
        }
        if request.forwarded {
            return bad("Bad request. X-Forwarded-For is not allowed");
        }
        if !request.query.contains("api-version=20") {
            return bad("Bad request. api-version was not specified in the request");
        }
        self.let_time_pass();
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/metadata/instance/compute/name") => (200, VM.to_owned()),
            ("GET", "/metadata/scheduledevents") => (200, self.document().to_string()),
            ("POST", "/metadata/scheduledevents") => self.approve(&request.body),
            (_, "/metadata/scheduledevents") => (405, String::new()),
            _ => (404, String::new()),
        }
    }

    /// Replaces the file as a whole.
    fn write(&self) {
        let Some(path) = &self.file else { return };
        let host = nix::unistd::gethostname().unwrap();
        let text = self.document().to_string();
        let new = path.with_extension("new");
        std::fs::write(&new, text.replace(VM, host.to_str().unwrap())).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    /// Whose time has come has started, and is no longer dated.
    fn let_time_pass(&mut self) {
        let now = SystemTime::now();
        for event in self.events.values_mut() {
            if event.not_before.is_some_and(|at| at <= now) {
                event.not_before = None;
                self.incarnation += 1;
            }
        }
    }

    fn document(&self) -> Value {
        let events = self.events.iter().map(|(id, event)| {
            let started = event.not_before.is_none();
            json!({
                "EventId": id,
                "EventType": event.announced.kind,
                "ResourceType": "VirtualMachine",
                "Resources": event.announced.resources,
                "EventStatus": if started { "Started" } else { "Scheduled" },
                "NotBefore": event.not_before.map_or_else(String::new, rfc_1123),
                "Description": "a test's",
                "EventSource": "Platform",
                "DurationInSeconds": event.announced.duration,
            })
        });
        let events: Vec<Value> = events.collect();
        json!({"DocumentIncarnation": self.incarnation, "Events": events})
    }

    fn approve(&mut self, body: &[u8]) -> (u16, String) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = asked["StartRequests"][0]["EventId"].as_str() else {
            return (400, json!({"error": "malformed"}).to_string());
        };
        let Some(event) = self.events.get_mut(id) else {
            return (400, json!({"error": "unknown event"}).to_string());
        };
        event.not_before = None;
        self.incarnation += 1;
        self.approved.push(id.to_owned());
        (200, String::new())
    }
}

/// `Mon, 19 Sep 2016 18:29:47 GMT`.
fn rfc_1123(at: SystemTime) -> String {
    let days = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let day = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(days % 7).unwrap()];
    let text = humantime::format_rfc3339_seconds(at).to_string();
    let month: usize = text[5..7].parse().unwrap();
    let names = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = &names[month * 3 - 3..month * 3];
    let (date, year, time) = (&text[8..10], &text[0..4], &text[11..19]);
    format!("{day}, {date} {month} {year} {time} GMT")
}
