//! redis, replicated and watched by sentinels: the master is paused, until another has taken its place. On waking it does not
//! know, and takes writes that nobody will ever see again.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{Pause, SIDES, free_ports};
use crate::harness::{Lab, Live, PATIENCE, eventually, spec};

/// After which silence a sentinel takes the master for down.
const DOWN_AFTER: Duration = Duration::from_secs(2);
/// Between two writes of the client that goes on writing to the master that it knows.
const PACE: Duration = Duration::from_millis(20);

pub fn trials() -> Vec<Trial> {
    let sentence =
        "pauses: a frozen redis master is replaced by sentinel, and on waking becomes a replica, and serves";
    vec![spec(sentence).needs("redis-server", "redis-server").shown_by(failover)]
}

/// A connection, and the few words of redis' protocol that it takes.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(Client(BufReader::new(stream)))
    }

    fn send(&mut self, words: &str) -> Result<()> {
        self.0.get_mut().write_all(format!("{words}\r\n").as_bytes())
    }

    /// An answer, as lines; of those in those one after another.
    fn answer(&mut self) -> Result<Vec<String>> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        let count = line[1..].parse().unwrap_or(0);
        match line.as_bytes() {
            [b'*', ..] => {
                let parts = (0..count).map(|_| self.answer()).collect::<Result<Vec<_>>>()?;
                Ok(parts.concat())
            }
            [b'$', b'-', ..] => Ok(Vec::new()),
            [b'$', ..] => {
                let mut text = vec![0; count + 2];
                self.0.read_exact(&mut text)?;
                Ok(String::from_utf8_lossy(&text).trim_end().lines().map(str::to_owned).collect())
            }
            _ => Ok(vec![line]),
        }
    }

    fn ask(&mut self, words: &str) -> Result<Vec<String>> {
        self.send(words)?;
        self.answer()
    }

    /// Whether something has come by now.
    fn has_answer(&mut self) -> bool {
        let stream = self.0.get_mut();
        stream.set_nonblocking(true).expect("a stream can be made so");
        let seen = stream.peek(&mut [0]);
        stream.set_nonblocking(false).expect("a stream can be made so");
        seen.is_ok()
    }
}

/// What a server answers to one question, on a connection of its own; nothing if it does not serve.
fn ask(port: u16, words: &str) -> Vec<String> {
    Client::connect(port).and_then(|mut client| client.ask(words).ok()).unwrap_or_default()
}

/// A master, a replica and three sentinels.
struct Set {
    /// Master, replica, sentinels.
    live: Vec<Live>,
    ports: [u16; 5],
}

impl Set {
    /// Starts them; the master in a node, if one is named.
    #[track_caller]
    fn start(lab: &Lab, name: &str, node: Option<&str>) -> Self {
        let ports: [u16; 5] = free_ports();
        let folder = |which: usize| {
            let folder = lab.path(&format!("{name}-{which}"));
            std::fs::create_dir(&folder).expect("a directory can be made");
            folder.to_string_lossy().into_owned()
        };
        let server = |which: usize, more: &[&str]| -> Vec<String> {
            let (port, folder) = (ports[which].to_string(), folder(which));
            let words = ["redis-server", "--bind", "127.0.0.1", "--port", &port, "--dir", &folder];
            let rest = ["--save", "", "--repl-diskless-sync-delay", "0"];
            words.iter().chain(&rest).chain(more).map(ToString::to_string).collect()
        };
        let words = server(0, &[]);
        let master = match node {
            Some(node) => lab.run(node, &[], words).live(),
            None => lab.bare_live(&words[0], &words[1..]),
        };
        let words = server(1, &["--replicaof", "127.0.0.1", &ports[0].to_string()]);
        let mut live = vec![master, lab.bare_live(&words[0], &words[1..])];
        // Sentinels learn of the replica from the master, so it must be there.
        eventually("the replica follows", || {
            ask(ports[0], "info replication").iter().find(|line| line.contains("state=online")).map(|_| ())
        });
        for which in 2..5 {
            let folder = folder(which);
            let config = format!("{folder}/sentinel.conf");
            let lines = format!(
                "bind 127.0.0.1\nport {}\ndir {folder}\nsentinel monitor set 127.0.0.1 {} 2\n\
                 sentinel down-after-milliseconds set {}\nsentinel failover-timeout set 4000\n",
                ports[which],
                ports[0],
                DOWN_AFTER.as_millis()
            );
            std::fs::write(&config, lines).expect("a file can be written");
            live.push(lab.bare_live("redis-server", [&config, "--sentinel"]));
        }
        Set { live, ports }
    }

    #[track_caller]
    fn ready(&self) {
        for sentinel in &self.ports[2..] {
            eventually("a sentinel knows the other two, and the replica", || {
                let usable = ask(*sentinel, "sentinel ckquorum set").concat().contains("3 usable");
                (usable && !ask(*sentinel, "sentinel replicas set").is_empty()).then_some(())
            });
        }
    }

    /// Whom a sentinel names as the master.
    fn named(&self, sentinel: usize) -> Option<u16> {
        ask(self.ports[sentinel], "sentinel get-master-addr-by-name set").get(1)?.parse().ok()
    }

    fn role_of(&self, which: usize) -> String {
        ask(self.ports[which], "role").into_iter().next().unwrap_or_default()
    }

    /// Sees that the old master follows the new one and both serve; how many writes that were acknowledged are lost.
    #[track_caller]
    fn expect_healed(&self, acknowledged: usize) -> usize {
        let [old, new, ..] = self.ports;
        eventually("the old master follows the new one", || {
            let role = ask(old, "role");
            let follows = role.first()? == "slave" && role.get(2)? == &format!(":{new}");
            (follows && role.get(3)? == "connected").then_some(())
        });
        let mut client = Client::connect(new).expect("the new master listens");
        assert_eq!(client.ask("set healed x").expect("the new master answers"), ["+OK"]);
        assert_eq!(client.ask("wait 1 10000").expect("the new master answers"), [":1"], "the old one has it");
        for key in ["before", "during", "healed"] {
            assert_eq!(ask(old, &format!("get {key}")), ["x"], "{key}, of the old master");
            assert_eq!(ask(new, &format!("get {key}")), ["x"], "{key}, of the new master");
        }
        let kept = ask(new, "keys late:*").len() + ask(new, "keys queued").len();
        let of_old = ask(old, "keys late:*").len() + ask(old, "keys queued").len();
        assert_eq!(kept, of_old, "the replica has what the master has");
        acknowledged.checked_sub(kept).expect("nothing is kept that was refused")
    }

    fn end(self) {
        for mut live in self.live.into_iter().rev() {
            live.signal(Signal::SIGTERM);
            live.end();
        }
    }
}

/// What the old master did on waking, as a client saw it that goes on writing to the master that it knows.
struct Waking {
    /// What it answered to the write that had been in its socket.
    queued: Vec<String>,
    answered: Instant,
    /// How many more writes it acknowledged, until when, and what ended that.
    acknowledged: usize,
    ended: Instant,
    refusal: String,
}

impl Waking {
    fn of(mut client: Client) -> Self {
        let queued = client.answer().unwrap_or_else(|error| vec![error.to_string()]);
        let answered = Instant::now();
        for acknowledged in 0.. {
            let refusal = match client.ask(&format!("set late:{acknowledged} x")) {
                Ok(answer) if answer != ["+OK"] => answer.concat(),
                Err(error) => error.to_string(),
                Ok(_) if answered.elapsed() > PATIENCE => "(it still takes them)".to_owned(),
                Ok(_) => {
                    std::thread::sleep(PACE);
                    continue;
                }
            };
            return Waking { queued, answered, acknowledged, ended: Instant::now(), refusal };
        }
        unreachable!("the loop ends by its return")
    }

    /// In words; it acknowledged so many in all, of which so many are lost.
    fn told(&self, woken: Instant, lost: usize) -> String {
        format!(
            "it answers the queued write {:?} {:.1?} after waking, acknowledges {} more until {:.1?} after it ({}); \
             lost: {lost} of {}",
            self.queued.concat(),
            self.answered.saturating_duration_since(woken),
            self.acknowledged,
            self.ended.saturating_duration_since(woken),
            self.refusal,
            self.all_acknowledged(),
        )
    }

    fn all_acknowledged(&self) -> usize {
        self.acknowledged + usize::from(self.queued == ["+OK"])
    }
}

fn failover(lab: &Lab) {
    let sets = [Set::start(lab, "bare", None), Set::start(lab, "under", Some("a"))];
    sets.iter().for_each(Set::ready);
    let mut clients = sets.each_ref().map(|set| Client::connect(set.ports[0]).expect("the master listens"));
    for (set, client) in sets.iter().zip(&mut clients) {
        assert_eq!(client.ask("set before x").expect("the master answers"), ["+OK"]);
        assert_eq!(client.ask("wait 1 10000").expect("the master answers"), [":1"], "the replica has it");
        assert_eq!(ask(set.ports[1], "get before"), ["x"]);
    }

    let pause = Pause::begin(lab, sets[0].live[0].pid(), "a");
    for client in &mut clients {
        client.send("set queued x").expect("the kernel takes what the master does not");
    }
    let mut replaced = [None; 2];
    eventually("both sets have another master", || {
        for (set, replaced) in sets.iter().zip(&mut replaced) {
            let named = || (2..5).all(|sentinel| set.named(sentinel) == Some(set.ports[1]));
            if replaced.is_none() && named() && set.role_of(1) == "master" {
                *replaced = Some(pause.age());
            }
        }
        replaced.iter().all(Option::is_some).then_some(())
    });
    for (set, client) in sets.iter().zip(&mut clients) {
        assert_eq!(ask(set.ports[1], "set during x"), ["+OK"], "the new master takes writes");
        assert!(!client.has_answer(), "a frozen master answers");
    }
    let length = pause.age();

    let (woken, wakings) = std::thread::scope(|scope| {
        let threads = clients.map(|client| scope.spawn(|| Waking::of(client)));
        (pause.end(), threads.map(|thread| thread.join().expect("it only writes")))
    });
    let mut report = String::new();
    for (at, set) in sets.iter().enumerate() {
        let (waking, replaced) = (&wakings[at], replaced[at].expect("it has been replaced"));
        assert!(waking.answered >= woken[at], "{}: it answers while it is frozen", SIDES[at]);
        assert!(replaced >= DOWN_AFTER, "{}: replaced after {replaced:?} of silence", SIDES[at]);
        let lost = set.expect_healed(waking.all_acknowledged());
        report +=
            &format!("\n  {}: replaced after {replaced:.1?}; {}", SIDES[at], waking.told(woken[at], lost));
    }
    eprintln!("redis: the master frozen for {length:.1?}, down for sentinel after {DOWN_AFTER:?}:{report}");
    for set in sets {
        set.end();
    }
}
