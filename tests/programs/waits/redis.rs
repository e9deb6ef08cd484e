//! redis, which blocks its clients by a wall clock of its own and lives on an allocator whose thread waits for instants of it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::ticker::cpu_in;
use crate::harness::{Lab, Live, PATIENCE, eventually, spec};

/// More than the allocator's threads have when they are idle, in cores; one that spins has nearly 1.
const SPARE: f64 = 0.2;

pub fn trials() -> Vec<Trial> {
    let sentence = "waits: redis answers BLPOP 1 after a second whenever it is jumped, and its allocator's thread is idle";
    vec![spec(sentence).needs("redis-server", "redis-server").shown_by(redis)]
}

struct Redis {
    live: Live,
    stream: BufReader<UnixStream>,
    pid: i32,
}

fn command(socket: &Path) -> Vec<String> {
    let socket = socket.to_string_lossy();
    let folder = socket.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
    let words = [
        "redis-server",
        "--port",
        "0",
        "--save",
        "",
        "--enable-debug-command",
        "yes",
        "--jemalloc-bg-thread",
        "yes",
    ];
    let more = ["--unixsocket".to_owned(), socket.into_owned(), "--dir".to_owned(), folder];
    words.into_iter().map(str::to_owned).chain(more).collect()
}

impl Redis {
    fn new(live: Live, socket: &Path) -> Self {
        let stream = eventually("redis listens", || UnixStream::connect(socket).ok());
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream has a timeout");
        let mut redis = Redis { live, stream: BufReader::new(stream), pid: 0 };
        let config = redis.ask("config get jemalloc-bg-thread");
        assert_eq!(config, "*2", "this redis has no such thread");
        for _ in 0..4 {
            redis.answer();
        }
        let length = redis.ask("info server");
        let length: usize = length[1..].parse().expect("a length");
        let mut text = vec![0; length + 2];
        std::io::Read::read_exact(&mut redis.stream, &mut text).expect("redis answers");
        let text = String::from_utf8_lossy(&text);
        let pid = text.lines().find_map(|line| line.strip_prefix("process_id:"));
        redis.pid = pid.and_then(|pid| pid.trim().parse().ok()).expect("redis tells its pid");
        eventually("the allocator has a thread", || redis.allocators().next().map(|_| ()));
        redis
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("redis answers");
        line.trim_end().to_owned()
    }

    fn ask(&mut self, words: &str) -> String {
        writeln!(self.stream.get_mut(), "{words}\r").expect("redis listens");
        self.answer()
    }

    /// Gives the allocator's threads something to do for a while: memory that is used no more, and that they return to the
    /// kernel piece by piece. (A plain `flushall` would return it at once.)
    fn stir(&mut self) {
        assert_eq!(self.ask("debug populate 100000 key 1000"), "+OK");
        assert_eq!(self.ask("flushall async"), "+OK");
    }

    /// How long it takes to wait a second for nothing, twice, and what load its allocator is meanwhile, in cores.
    fn block(&mut self) -> ([Duration; 2], f64) {
        let (begun, cpu) = (Instant::now(), self.allocators_cpu());
        let blocked = [(); 2].map(|()| {
            let begun = Instant::now();
            assert_eq!(self.ask("blpop nothing 1"), "*-1");
            begun.elapsed()
        });
        (blocked, (self.allocators_cpu() - cpu) / begun.elapsed().as_secs_f64())
    }

    /// What /proc says of each of the allocator's threads.
    fn allocators(&self) -> impl Iterator<Item = String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid)).expect("it runs");
        let stats = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        stats.filter(|stat| stat.contains("(jemalloc_bg_thd)"))
    }

    /// The processor's time of those threads so far, in seconds.
    fn allocators_cpu(&self) -> f64 {
        self.allocators().map(|stat| cpu_in(&stat)).sum()
    }
}

fn redis(lab: &Lab) {
    let (one, other) = (lab.path("bare.sock"), lab.path("under.sock"));
    let words = command(&one);
    // Faster than they usually are, so that they have a reason to wake some times within each second.
    let (key, value) = ("MALLOC_CONF", "dirty_decay_ms:3000");
    let mut bare = Redis::new(lab.command(&words[0], &words[1..]).env(key, value).live(), &one);
    let mut under = Redis::new(lab.run("a", &[], command(&other)).env(key, value).live(), &other);
    let mut report = String::new();
    for by in [None, Some("-1h"), Some("+2h"), Some("-1h")] {
        bare.stir();
        under.stir();
        if let Some(by) = by {
            lab.fault(&["jump", "a", by]);
        }
        let ((took, load), (bare_took, bare_load)) = std::thread::scope(|scope| {
            let blocked = scope.spawn(|| under.block());
            let bare = bare.block();
            (blocked.join().expect("redis answers"), bare)
        });
        let by = by.unwrap_or("no fault");
        let what = format!("{by}: {took:.2?} {load:.3} ({bare_took:.2?} {bare_load:.3})");
        for (took, bare) in took.iter().zip(bare_took) {
            assert!(*took >= Duration::from_millis(998), "BLPOP 1 ends early, {what}");
            assert!(*took <= bare + Duration::from_secs(1), "BLPOP 1 takes long, {what}");
        }
        assert!(load <= bare_load + SPARE, "its allocator is not idle, {what}");
        report += &format!("\n  {what}");
    }
    eprintln!("redis: BLPOP 1, and the load of its allocator's threads (bare):{report}");
    for mut redis in [bare, under] {
        assert_eq!(redis.ask("shutdown nosave"), "");
        redis.live.end();
    }
}
