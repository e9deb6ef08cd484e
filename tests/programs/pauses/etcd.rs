//! etcd, three members: the leader is paused, another is elected, and the old one finds out on waking. What it is asked before
//! that it may answer as the leader that it was.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Pause, SIDES, free_ports};
use crate::harness::{Lab, Live, PATIENCE, eventually, spec};

/// Fifteen times what etcd waits by default for a leader that is silent.
const LENGTH: Duration = Duration::from_secs(15);

/// As etcd's JSON has bytes: in base64.
const KEY: &str = "a2V5";
const BEFORE: &str = "YmVmb3Jl";
const DURING: &str = "ZHVyaW5n";
const QUEUED: &str = "cXVldWVk";
const HEALED: &str = "aGVhbGVk";

const RANGE: &str = "/v3/kv/range";
const PUT: &str = "/v3/kv/put";

pub fn trials() -> Vec<Trial> {
    let sentence =
        "pauses: a frozen etcd leader is replaced, and on waking steps down, and the cluster serves";
    vec![spec(sentence).needs("etcd", "etcd-server").shown_by(reelection)]
}

fn get() -> String {
    format!(r#"{{"key":"{KEY}"}}"#)
}

/// One that the member answers by itself, without asking who leads.
fn serializable_get() -> String {
    format!(r#"{{"key":"{KEY}","serializable":true}}"#)
}

fn put(value: &str) -> String {
    format!(r#"{{"key":"{KEY}","value":"{value}"}}"#)
}

/// A connection for one request.
struct Request(TcpStream);

impl Request {
    fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(LENGTH + PATIENCE)).ok()?;
        Some(Request(stream))
    }

    fn send(&mut self, path: &str, body: &str) -> Option<()> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        self.0.write_all(format!("{head}{body}").as_bytes()).ok()
    }

    fn answer(&mut self) -> Option<Value> {
        let mut text = Vec::new();
        self.0.read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        serde_json::from_str(text.get(text.find('{')?..=text.rfind('}')?)?).ok()
    }
}

/// What a member answers; nothing if it does not serve.
fn ask(port: u16, path: &str, body: &str) -> Option<Value> {
    let mut request = Request::connect(port)?;
    request.send(path, body)?;
    let answer = request.answer()?;
    if answer["error"].is_null() { Some(answer) } else { None }
}

/// The value in the answer to a get.
fn value_in(answer: &Value) -> &str {
    answer["kvs"][0]["value"].as_str().unwrap_or_default()
}

/// Three members.
struct Cluster {
    live: Vec<Live>,
    /// Where clients connect.
    ports: [u16; 3],
    /// What they call themselves.
    ids: Vec<Value>,
}

/// Whom a member takes for the leader, since which election.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Led {
    by: usize,
    term: u64,
}

impl Cluster {
    /// Starts them, named so and numbered; perhaps each in a node of that name.
    #[track_caller]
    fn start(lab: &Lab, name: &str, in_nodes: bool) -> Self {
        let [a, b, c, peers @ ..]: [u16; 6] = free_ports();
        let ports = [a, b, c];
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let members: Vec<String> = (0..3).map(|at| format!("{name}{at}={}", url(peers[at]))).collect();
        let start = |at: usize| {
            let (data, client, peer) = (lab.path(&format!("{name}{at}")), url(ports[at]), url(peers[at]));
            let data = data.to_str().expect("a path");
            let (name, members) = (format!("{name}{at}"), members.join(","));
            let words = [
                ["etcd", "--name"],
                [&name, "--data-dir"],
                [data, "--listen-client-urls"],
                [&client, "--advertise-client-urls"],
                [&client, "--listen-peer-urls"],
                [&peer, "--initial-advertise-peer-urls"],
                [&peer, "--initial-cluster"],
                [&members, "--logger=zap"],
            ]
            .concat();
            if in_nodes { lab.run(&name, &[], words).live() } else { lab.bare_live(words[0], &words[1..]) }
        };
        Cluster { live: (0..3).map(start).collect(), ports, ids: Vec::new() }
    }

    /// Waits until they serve.
    #[track_caller]
    fn ready(&mut self) -> Led {
        self.ids = (0..3)
            .map(|at| eventually("a member serves", || Some(self.status(at)?["header"]["member_id"].clone())))
            .collect();
        eventually("etcd takes writes", || ask(self.ports[0], PUT, &put(BEFORE)).map(drop));
        self.agreed(0)
    }

    fn status(&self, member: usize) -> Option<Value> {
        ask(self.ports[member], "/v3/maintenance/status", "{}")
    }

    /// Nothing while it knows of no leader.
    fn led(&self, member: usize) -> Option<Led> {
        let status = self.status(member)?;
        let by = self.ids.iter().position(|id| *id == status["leader"])?;
        Some(Led { by, term: status["raftTerm"].as_str()?.parse().ok()? })
    }

    /// What all three say, once they agree upon a leader elected later than in this term.
    #[track_caller]
    fn agreed(&self, later_than: u64) -> Led {
        eventually("the members agree upon a leader", || {
            let led = self.led(0)?;
            let all = (1..3).all(|member| self.led(member) == Some(led));
            (all && led.term > later_than).then_some(led)
        })
    }

    #[track_caller]
    fn expect_healed(&self, woken: usize) {
        eventually("the old leader takes a write", || ask(self.ports[woken], PUT, &put(HEALED)).map(drop));
        for port in self.ports {
            let answer = ask(port, RANGE, &get()).expect("a member answers");
            assert_eq!(value_in(&answer), HEALED, "{answer}");
        }
    }

    /// By the one signal at which a Go program just ends: before a clean end they would hand over the leadership, which takes
    /// members that go together 7 s each.
    fn end(self) {
        for live in &self.live {
            live.signal(Signal::SIGQUIT);
        }
        for mut live in self.live {
            live.end();
        }
    }
}

/// Requests that lie in the old leader's sockets when it wakes.
struct Queued([Request; 3]);

/// What it answers to them, and when.
type Answers = [(Option<Value>, Instant); 3];

impl Queued {
    #[track_caller]
    fn connect(port: u16) -> Self {
        Queued([(); 3].map(|()| Request::connect(port).expect("the leader listens")))
    }

    #[track_caller]
    fn send(&mut self) {
        let requests = [(RANGE, serializable_get()), (RANGE, get()), (PUT, put(QUEUED))];
        for (request, (path, body)) in self.0.iter_mut().zip(requests) {
            request.send(path, &body).expect("the kernel takes what the leader does not");
        }
    }

    fn answers(self) -> Answers {
        std::thread::scope(|scope| {
            let answer = |mut request: Request| scope.spawn(move || (request.answer(), Instant::now()));
            self.0.map(answer).map(|thread| thread.join().expect("it only reads"))
        })
    }
}

/// What was answered, in words: a value, that it is done, or an error.
fn told(answer: Option<&Value>) -> String {
    let Some(answer) = answer else { return "nothing".to_owned() };
    if let Some(error) = answer["error"].as_str() {
        return format!("{error:?}");
    }
    match value_in(answer) {
        "" => "done".to_owned(),
        BEFORE => "the value from before the pause".to_owned(),
        DURING => "the value written during the pause".to_owned(),
        QUEUED => "the queued value".to_owned(),
        other => other.to_owned(),
    }
}

fn reelection(lab: &Lab) {
    let mut clusters = [Cluster::start(lab, "bare", false), Cluster::start(lab, "node", true)];
    let old = clusters.each_mut().map(Cluster::ready);
    let mut queued = [0, 1].map(|at| Queued::connect(clusters[at].ports[old[at].by]));

    let node = format!("node{}", old[1].by);
    let pause = Pause::lasting(lab, clusters[0].live[old[0].by].pid(), &node, LENGTH);
    queued.iter_mut().for_each(Queued::send);
    let mut replaced = [None; 2];
    eventually("both clusters have another leader", || {
        for (at, cluster) in clusters.iter().enumerate() {
            if replaced[at].is_some() {
                continue;
            }
            let others = [1, 2].map(|more| cluster.led((old[at].by + more) % 3));
            if let [Some(one), Some(other)] = others
                && one == other
                && one.by != old[at].by
            {
                replaced[at] = Some((one, pause.age()));
            }
        }
        replaced.iter().all(Option::is_some).then_some(())
    });
    let replaced = replaced.map(|new| new.expect("it has been replaced"));
    for (cluster, (new, _)) in clusters.iter().zip(&replaced) {
        eventually("the new leader takes a write", || {
            ask(cluster.ports[new.by], PUT, &put(DURING)).map(drop)
        });
    }
    pause.expect_on();

    let (woken, answers, stepped_down) = std::thread::scope(|scope| {
        let threads = queued.map(|queued| scope.spawn(|| queued.answers()));
        let woken = pause.end();
        let stepped_down = [0, 1].map(|at| {
            let new = clusters[at].agreed(old[at].term);
            assert!(new.term >= replaced[at].0.term);
            woken[at].elapsed()
        });
        (woken, threads.map(|thread| thread.join().expect("it only reads")), stepped_down)
    });
    let mut report = String::new();
    for (at, cluster) in clusters.iter().enumerate() {
        let side = SIDES[at];
        report += &format!("\n  {side}: replaced after {:.1?}; the old leader answers", replaced[at].1);
        let names = ["a serializable get", "a get", "a put"];
        for (name, (answer, when)) in names.iter().zip(&answers[at]) {
            assert!(*when >= woken[at], "{side}: a frozen leader answers {answer:?} to {name}");
            let after = when.saturating_duration_since(woken[at]);
            report += &format!(" {name} with {} {after:.1?} after waking,", told(answer.as_ref()));
        }
        report += &format!(" and has stepped down {:.1?} after it", stepped_down[at]);
        // It must ask the others before it answers this one.
        let linearizable = answers[at][1].0.as_ref().map_or("", value_in);
        assert_ne!(linearizable, BEFORE, "{side}: a linearizable read is stale:{report}");
        cluster.expect_healed(old[at].by);
    }
    eprintln!("etcd: the leader frozen for {LENGTH:?}:{report}");
    for cluster in clusters {
        cluster.end();
    }
}
