//! Servers whose monotonic clock runs twice or half as fast, beside themselves bare: their timeouts are over when their clock
//! says so.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::ticker::cpu_of;
use crate::harness::{Lab, Live, PATIENCE, eventually, mono, spec};

/// A timeout, by the server's clock.
const TIMEOUT: f64 = 2.0;
/// How late it may be beyond what it is bare: both look at their clocks between other things.
const SPARE: f64 = 0.3;
/// By how much servers' cached clocks may be behind, on any clock.
const CACHED: f64 = 0.02;
/// More than an idle server has, in cores.
const IDLE: f64 = 0.1;
/// How fast the clocks run: the first is no node's.
const RATES: [(&str, &str, f64); 3] = [("bare", "", 1.0), ("fast", "2x", 2.0), ("slow", "0.5x", 0.5)];

pub fn trials() -> Vec<Trial> {
    vec![
        spec("rates: nginx closes an idle connection after 2 s of its node's time, at 2x and 0.5x")
            .needs("nginx", "nginx-light")
            .shown_by(nginx),
        spec("rates: redis expires keys and ends BLPOP by its node's time, at 2x and 0.5x")
            .needs("redis-server", "redis-server")
            .shown_by(redis),
    ]
}

/// Starts a server bare, or in a node of a name.
fn start(lab: &Lab, name: &str, drift: &str, words: &[String]) -> Live {
    match drift {
        "" => lab.bare_live(&words[0], &words[1..]),
        _ => lab.run(name, &["--monotonic", "--clock", "all", "--drift", drift], words).live(),
    }
}

/// What was measured of a server: how long something took on the host's clock.
fn judge(what: &str, took: &[Duration]) {
    let beyond = (took[0].as_secs_f64() - TIMEOUT).max(0.0);
    let mut report = format!("{what} after {TIMEOUT} s:");
    for ((name, _, rate), took) in RATES.iter().zip(took) {
        let took = took.as_secs_f64();
        report += &format!(" {name} {took:.3}");
        assert!(took * rate >= TIMEOUT - CACHED, "too early: {report}");
        assert!(took <= TIMEOUT / rate + (beyond + SPARE) / rate.min(1.0), "too late: {report}");
    }
    eprintln!("{report}");
}

/// What all processes of a server took of the processor since an instant and a count before, in cores.
fn cores(pids: &[i32], before: (i64, f64)) -> f64 {
    let used: f64 = pids.iter().map(|pid| cpu_of(*pid)).sum();
    (used - before.1) / super::ticker::seconds(before.0, mono())
}

/// Measures the three at once.
fn at_once<T: Send>(all: &mut [T], measure: impl Fn(&mut T) -> Duration + Sync) -> Vec<Duration> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.iter_mut().map(|one| scope.spawn(|| measure(one))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it is measured")).collect()
    })
}

fn nginx(lab: &Lab) {
    let folder = lab.path("");
    // Its workers run as another user.
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("its mode can be changed");
    let mut servers = Vec::new();
    for (name, drift, _) in RATES {
        let own = format!("{}{name}-", folder.display());
        let lines = format!(
            "daemon off; worker_processes 1; pid {own}pid; error_log {own}error; events {{}}\n\
             http {{ access_log off; client_body_temp_path {own}b; proxy_temp_path {own}p; fastcgi_temp_path {own}f;\n\
             uwsgi_temp_path {own}u; scgi_temp_path {own}s; keepalive_timeout {TIMEOUT}s;\n\
             server {{ listen unix:{own}socket; return 204; }} }}\n"
        );
        let config = lab.path(&format!("{name}-conf"));
        std::fs::write(&config, lines).expect("a file can be written");
        let words = ["nginx", "-c", config.to_str().expect("a path"), "-p", folder.to_str().expect("a path")];
        let live = start(lab, name, drift, &words.map(str::to_owned));
        let socket = lab.path(&format!("{name}-socket"));
        eventually("nginx listens", || UnixStream::connect(&socket).ok());
        servers.push((live, socket));
    }
    let closed = |socket: &Path| {
        let mut stream = UnixStream::connect(socket).expect("nginx listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream has a timeout");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("nginx listens");
        let begun = Instant::now();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("nginx closes the connection");
        assert!(all.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&all));
        begun.elapsed()
    };
    let took = at_once(&mut servers, |(_, socket)| closed(socket));
    judge("nginx closes an idle connection", &took);
    for (mut live, _) in servers {
        live.signal(Signal::SIGQUIT);
        live.end();
    }
}

struct Client {
    live: Live,
    stream: BufReader<UnixStream>,
    pid: i32,
}

impl Client {
    fn ask(&mut self, words: &str) -> String {
        write!(self.stream.get_mut(), "{words}\r\n").expect("redis listens");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("redis answers");
        line.trim_end().to_owned()
    }

    /// A line of `INFO server`.
    fn info(&mut self, key: &str) -> Option<String> {
        let length: usize = self.ask("info server")[1..].parse().expect("a length");
        let mut text = vec![0; length + 2];
        self.stream.read_exact(&mut text).expect("redis answers");
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
    }
}

fn redis(lab: &Lab) {
    let folder = lab.path("");
    let folder = folder.to_str().expect("a path");
    let mut clients = Vec::new();
    for (name, drift, _) in RATES {
        let socket = lab.path(&format!("{name}.sock"));
        let path = socket.to_str().expect("a path");
        let words = ["redis-server", "--port", "0", "--save", "", "--unixsocket", path, "--dir", folder];
        let live = start(lab, name, drift, &words.map(str::to_owned));
        let stream = eventually("redis listens", || UnixStream::connect(&socket).ok());
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream has a timeout");
        let mut client = Client { live, stream: BufReader::new(stream), pid: 0 };
        client.pid =
            client.info("process_id:").and_then(|pid| pid.parse().ok()).expect("redis tells its pid");
        clients.push(client);
    }
    let before: Vec<_> = clients.iter().map(|client| (mono(), cpu_of(client.pid))).collect();
    let took = at_once(&mut clients, |client| {
        let begun = Instant::now();
        assert_eq!(client.ask("blpop nothing 2"), "*-1");
        begun.elapsed()
    });
    judge("redis ends BLPOP", &took);
    let loads: Vec<f64> =
        clients.iter().zip(before).map(|(client, before)| cores(&[client.pid], before)).collect();
    eprintln!("redis, idle: {:.3} of a core bare, {:.3} at 2x, {:.3} at 0.5x", loads[0], loads[1], loads[2]);
    assert!(loads.iter().all(|load| *load <= loads[0] * 2.0 + IDLE), "it is not idle: {loads:?}");
    let took = at_once(&mut clients, |client| {
        // Nobody asks for it: its own timer removes it.
        assert_eq!(client.ask("config set notify-keyspace-events Ex"), "+OK");
        assert_eq!(client.ask("psetex key 2000 value"), "+OK");
        let begun = Instant::now();
        assert_eq!(client.ask("subscribe __keyevent@0__:expired"), "*3");
        let mut line = String::new();
        while line.trim_end() != "key" {
            line.clear();
            client.stream.read_line(&mut line).expect("redis tells of it");
        }
        begun.elapsed()
    });
    judge("redis removes a key", &took);
    for mut client in clients {
        client.live.signal(Signal::SIGTERM);
        client.live.end();
    }
}
