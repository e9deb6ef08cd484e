//! ZooKeeper, whose sessions expire by its monotonic clock: also when its wall clock is stepped while a client is silent.
//!
//! The clients are connections of the test's own. One that says nothing more looks to the server as a stopped process does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::harness::{Lab, Live, PATIENCE, eventually, spec};
use crate::programs::{free_port, interpreters::OPENJDK_17};

/// Its classes, and a log on the standard output.
const CLASSES: &str = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";
const LOG: &str = "-Dorg.slf4j.simpleLogger.logFile=System.out";
/// What it logs when it serves. Who connects earlier is accepted, and never answered.
const SERVES: &str = "ZKAuditProvider";
const SESSION: Duration = Duration::from_millis(1200);
/// It expires sessions in steps of this.
const TICK: Duration = Duration::from_millis(300);

const OK: i32 = 0;
const NO_NODE: i32 = -101;

pub fn trials() -> Vec<Trial> {
    let sentence = "waits: ZooKeeper expires the session of a silent client, and no other, whenever its wall clock is jumped";
    vec![
        spec(sentence)
            .needs(OPENJDK_17, "openjdk-17-jdk-headless")
            .needs("/usr/share/java/zookeeper.jar", "zookeeper")
            .shown_by(zookeeper),
    ]
}

struct Server {
    live: Live,
    port: u16,
}

fn command(lab: &Lab, name: &str, port: u16) -> Vec<String> {
    let config = lab.path(&format!("{name}.cfg"));
    let lines = format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime={}\nadmin.enableServer=false\n",
        lab.path(name).display(),
        TICK.as_millis()
    );
    std::fs::write(&config, lines).expect("a file can be written");
    let java = [OPENJDK_17, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", LOG, "-cp", CLASSES];
    let main =
        ["org.apache.zookeeper.server.quorum.QuorumPeerMain", &config.to_string_lossy()].map(str::to_owned);
    java.into_iter().map(str::to_owned).chain(main).collect()
}

/// A session, in the few words of ZooKeeper's protocol that it takes: length, header, fields, all big-endian.
struct Client {
    stream: TcpStream,
    requests: i32,
}

impl Client {
    fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut client = Client { stream, requests: 0 };
        // Protocol, last transaction seen, timeout, no session of before, its empty password.
        let timeout = i32::try_from(SESSION.as_millis()).ok()?;
        let hello = [
            &0_i32.to_be_bytes()[..],
            &[0; 8],
            &timeout.to_be_bytes(),
            &[0; 8],
            &16_i32.to_be_bytes(),
            &[0; 16],
        ];
        let answer = client.exchange(&hello.concat())?;
        let agreed = i32::from_be_bytes(answer.get(4..8)?.try_into().ok()?);
        assert_eq!(agreed, timeout, "the session's timeout");
        Some(client)
    }

    fn exchange(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let length = i32::try_from(message.len()).ok()?.to_be_bytes();
        self.stream.write_all(&[&length, message].concat()).ok()?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
        self.stream.read_exact(&mut answer).ok()?;
        Some(answer)
    }

    /// The error of the answer to a request, 0 for none.
    #[track_caller]
    fn ask(&mut self, kind: i32, fields: &[u8]) -> i32 {
        self.requests += 1;
        let message = [&self.requests.to_be_bytes(), &kind.to_be_bytes(), fields].concat();
        let answer = self.exchange(&message).expect("ZooKeeper answers");
        i32::from_be_bytes(answer[12..16].try_into().expect("four bytes"))
    }

    /// Makes a node that lives as long as the session.
    #[track_caller]
    fn create_ephemeral(&mut self, path: &str) {
        let no_data = 0_i32.to_be_bytes();
        // One entry: all rights, to anyone of the world.
        let rights =
            [&1_i32.to_be_bytes()[..], &31_i32.to_be_bytes(), &text("world"), &text("anyone")].concat();
        let fields = [&text(path)[..], &no_data, &rights, &1_i32.to_be_bytes()].concat();
        assert_eq!(self.ask(1, &fields), OK, "create {path}");
    }

    /// Whether it is there; whoever asks is alive.
    #[track_caller]
    fn sees(&mut self, path: &str) -> bool {
        match self.ask(3, &[&text(path)[..], &[0]].concat()) {
            OK => true,
            NO_NODE => false,
            error => panic!("exists {path}: {error}"),
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = i32::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// How long the node of a client that falls silent stays, seen by one that goes on.
fn expiry(port: u16, jump: impl FnOnce()) -> Duration {
    let mut watching = Client::connect(port).expect("ZooKeeper takes clients");
    watching.create_ephemeral("/alive");
    let mut silent = Client::connect(port).expect("ZooKeeper takes clients");
    silent.create_ephemeral("/silent");
    let begun = Instant::now();
    jump();
    eventually("the silent client's session expires", || (!watching.sees("/silent")).then_some(()));
    let took = begun.elapsed();
    assert!(watching.sees("/alive"), "the session of a client that is alive has expired");
    // Closed, so that its node is gone when the next one comes.
    assert_eq!(watching.ask(-11, &[]), OK, "close");
    took
}

fn zookeeper(lab: &Lab) {
    let ports = [free_port(), free_port()];
    let words = command(lab, "bare", ports[0]);
    let mut bare = Server { live: lab.bare_live(&words[0], &words[1..]), port: ports[0] };
    let mut under =
        Server { live: lab.run("a", &[], command(lab, "under", ports[1])).live(), port: ports[1] };
    for server in [&mut bare, &mut under] {
        server.live.line_where(|line| line.contains(SERVES));
    }
    let mut report = String::new();
    for by in [None, Some("-1h"), Some("+2h"), Some("-1h")] {
        let jump = || {
            if let Some(by) = by {
                lab.fault(&["jump", "a", by]);
            }
        };
        let (took, bare_took) = std::thread::scope(|scope| {
            let port = bare.port;
            let beside = scope.spawn(move || expiry(port, || {}));
            let took = expiry(under.port, jump);
            (took, beside.join().expect("ZooKeeper serves"))
        });
        let by = by.unwrap_or("no fault");
        report += &format!(" {by} {took:.2?} ({bare_took:.2?})");
        assert!(took >= SESSION - TICK, "{by}: a session of {SESSION:?} expires after {took:?}");
        let most = bare_took + TICK + Duration::from_secs(2);
        assert!(took <= most, "{by}: a session of {SESSION:?} expires after {took:?}, bare {bare_took:?}");
    }
    eprintln!("zookeeper: a session of {SESSION:?} expires after (bare){report}");
    for mut server in [bare, under] {
        server.live.signal(nix::sys::signal::Signal::SIGTERM);
        server.live.end();
    }
}
