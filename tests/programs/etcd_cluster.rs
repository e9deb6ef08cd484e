//! Three members of etcd on loopback, and what one asks them.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::pauses::free_ports;
use crate::harness::{Lab, Live, PATIENCE, eventually};

/// As etcd's JSON has bytes: in base64.
pub const KEY: &str = "a2V5";
pub const BEFORE: &str = "YmVmb3Jl";
pub const DURING: &str = "ZHVyaW5n";
pub const QUEUED: &str = "cXVldWVk";
pub const HEALED: &str = "aGVhbGVk";

pub const RANGE: &str = "/v3/kv/range";
pub const PUT: &str = "/v3/kv/put";

pub fn get() -> String {
    format!(r#"{{"key":"{KEY}"}}"#)
}

/// One that the member answers by itself, without asking who leads.
pub fn serializable_get() -> String {
    format!(r#"{{"key":"{KEY}","serializable":true}}"#)
}

pub fn put(value: &str) -> String {
    format!(r#"{{"key":"{KEY}","value":"{value}"}}"#)
}

/// A connection for one request.
pub struct Request(TcpStream);

impl Request {
    pub fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(2 * PATIENCE)).ok()?;
        Some(Request(stream))
    }

    pub fn send(&mut self, path: &str, body: &str) -> Option<()> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        self.0.write_all(format!("{head}{body}").as_bytes()).ok()
    }

    pub fn answer(&mut self) -> Option<Value> {
        let mut text = Vec::new();
        self.0.read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        serde_json::from_str(text.get(text.find('{')?..=text.rfind('}')?)?).ok()
    }
}

/// What a member answers; nothing if it does not serve.
pub fn ask(port: u16, path: &str, body: &str) -> Option<Value> {
    let mut request = Request::connect(port)?;
    request.send(path, body)?;
    let answer = request.answer()?;
    if answer["error"].is_null() { Some(answer) } else { None }
}

/// The value in the answer to a get.
pub fn value_in(answer: &Value) -> &str {
    answer["kvs"][0]["value"].as_str().unwrap_or_default()
}

/// Three members.
pub struct Cluster {
    pub live: Vec<Live>,
    /// Where clients connect.
    pub ports: [u16; 3],
    /// What they call themselves.
    ids: Vec<Value>,
}

/// Whom a member takes for the leader, since which election.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Led {
    pub by: usize,
    pub term: u64,
}

impl Cluster {
    /// Starts them, named so and numbered; perhaps each in a node of that name, with these flags.
    #[track_caller]
    pub fn start(lab: &Lab, name: &str, flags: Option<&[&str]>) -> Self {
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
            match flags {
                Some(flags) => lab.run(&name, flags, words).live(),
                None => lab.bare_live(words[0], &words[1..]),
            }
        };
        Cluster { live: (0..3).map(start).collect(), ports, ids: Vec::new() }
    }

    /// Waits until they serve.
    #[track_caller]
    pub fn ready(&mut self) -> Led {
        self.ids = (0..3)
            .map(|at| eventually("a member serves", || Some(self.status(at)?["header"]["member_id"].clone())))
            .collect();
        eventually("etcd takes writes", || ask(self.ports[0], PUT, &put(BEFORE)).map(drop));
        self.agreed(0)
    }

    pub fn status(&self, member: usize) -> Option<Value> {
        ask(self.ports[member], "/v3/maintenance/status", "{}")
    }

    /// Nothing while it knows of no leader.
    pub fn led(&self, member: usize) -> Option<Led> {
        let status = self.status(member)?;
        let by = self.ids.iter().position(|id| *id == status["leader"])?;
        Some(Led { by, term: status["raftTerm"].as_str()?.parse().ok()? })
    }

    /// What all three say, once they agree upon a leader elected later than in this term.
    #[track_caller]
    pub fn agreed(&self, later_than: u64) -> Led {
        eventually("the members agree upon a leader", || {
            let led = self.led(0)?;
            let all = (1..3).all(|member| self.led(member) == Some(led));
            (all && led.term > later_than).then_some(led)
        })
    }

    #[track_caller]
    pub fn expect_healed(&self, woken: usize) {
        eventually("the old leader takes a write", || ask(self.ports[woken], PUT, &put(HEALED)).map(drop));
        for port in self.ports {
            let answer = ask(port, RANGE, &get()).expect("a member answers");
            assert_eq!(value_in(&answer), HEALED, "{answer}");
        }
    }

    /// By the one signal at which a Go program just ends: before a clean end they would hand over the leadership, which takes
    /// members that go together 7 s each.
    pub fn end(self) {
        for live in &self.live {
            live.signal(Signal::SIGQUIT);
        }
        for mut live in self.live {
            live.end();
        }
    }
}
