//! What a pause shows, and to whom: the table in ARCHITECTURE.md, each cell of it observed.
//!
//! The rows are [`ROWS`], the columns the means by which a node is held. The document's table is compared with this one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::freezers::{with_mounts, without_version_2};
use crate::harness::{Lab, Live, MILLISECOND, binary, cgroups, eventually, mono, spec, state_of};

/// The columns: `suspend`, and a thread that is held by `--on-read`, are the last two.
const COLUMNS: [&str; 6] = ["signal", "cgroup v2", "cgroup v1", "thread", "suspend", "--on-read"];
const THREAD: usize = 3;
const SUSPEND: usize = 4;
const ON_READ: usize = 5;

/// What is looked at, and what each column shows.
const ROWS: &[(&str, [&str; 6])] = &[
    ("the parent's `waitpid` (WUNTRACED, WCONTINUED) tells of it", ["yes", "no", "no", "no", "yes", "no"]),
    ("a SIGCONT handler of its own runs", ["yes", "no", "no", "no", "yes", "no"]),
    ("`epoll_wait` fails with EINTR", ["yes", "yes", "yes", "yes", "yes", "no"]),
    ("`sigtimedwait` fails with EINTR", ["yes", "yes", "no", "yes", "yes", "no"]),
    ("`semtimedop` fails with EINTR", ["yes", "yes", "yes", "yes", "yes", "no"]),
    ("`nanosleep`, `poll`, `futex` or `read` fails with EINTR", ["no", "no", "no", "no", "no", "no"]),
    ("its CLOCK_MONOTONIC leaps over the pause", ["yes", "yes", "yes", "yes", "no", "yes"]),
    ("its CLOCK_BOOTTIME leaps over the pause", ["yes", "yes", "yes", "yes", "yes", "yes"]),
    ("a periodic timer counts what expired meanwhile", ["yes", "yes", "yes", "yes", "no", "yes"]),
    ("it is charged with processor time", ["no", "no", "no", "no", "no", "others"]),
    ("the letter of its state in /proc", ["T", "S", "D", "t", "T", "S"]),
    ("TracerPid in /proc names somebody", ["no", "no", "no", "yes", "no", "no"]),
    ("/proc/PID/cgroup names another group", ["no", "yes", "yes", "no", "no", "no"]),
    ("a peer's TCP connection is made, and what it sends is acknowledged", ["yes"; 6]),
    ("a peer's TCP connection is answered", ["no", "no", "no", "no", "no", "others"]),
    ("other threads of the process can run on", ["no", "no", "no", "yes", "no", "yes"]),
    ("SIGKILL ends it at once", ["yes", "yes", "no", "yes", "yes", "yes"]),
];

pub fn trials() -> Vec<Trial> {
    let table = spec("visible: the table in ARCHITECTURE.md is the one that is shown").shown_by(documented);
    let of = |(column, name): (usize, &&str)| {
        let spec = spec(format!("visible: what a pause shows, and to whom: {name}")).needs("cc", "gcc");
        let spec = match column {
            1 => spec.where_possible(cgroups::of_version_2),
            2 => spec.where_possible(cgroups::of_version_1),
            _ => spec,
        };
        spec.shown_by(move |lab| show(lab, column))
    };
    COLUMNS.iter().enumerate().map(of).chain([table]).collect()
}

/// The table as the document has it.
fn as_markdown() -> String {
    let line = |first: &str, cells: &[&str]| format!("| {first} | {} |\n", cells.join(" | "));
    let head = line("what is seen while a node is held", &COLUMNS) + &line("---", &["---"; 6]);
    ROWS.iter().fold(head, |table, (row, cells)| table + &line(row, cells))
}

fn documented(_: &Lab) {
    let text = include_str!("../ARCHITECTURE.md");
    assert!(text.contains(&as_markdown()), "it should have this table:\n{}", as_markdown());
}

/// A program in a node, whose parent is this process.
struct Seen {
    live: Live,
    port: u16,
}

impl Seen {
    fn start(lab: &Lab, arguments: &[&str]) -> Seen {
        let program = lab.target("seen").path();
        let words = [program.to_str().expect("a path in text")].into_iter().chain(arguments.iter().copied());
        let mut live = lab.in_node(lab.own_name(), words).live();
        let line = live.line_where(|line| line.starts_with("port "));
        Seen { live, port: line[5..].parse().expect("a port") }
    }

    /// What it has noticed. `reset` begins anew.
    fn report(&mut self, reset: bool) -> BTreeMap<String, i64> {
        self.live.say(if reset { "reset" } else { "say" });
        let line = self.live.line();
        let words: Vec<&str> = line.split(' ').collect();
        words.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].parse().expect("a number"))).collect()
    }

    fn pid(&self) -> i32 {
        self.live.pid()
    }

    /// What its threads have been charged with, in nanoseconds.
    fn cpu(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it has threads");
        let of_task = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
        };
        tasks.flatten().map(of_task).sum()
    }

    /// Whether the kernel has told its parent of a stop, or of the end of one.
    fn told_its_parent(&self) -> bool {
        let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED | WaitPidFlag::WNOHANG;
        let news = waitpid(Pid::from_raw(self.pid()), Some(flags));
        matches!(news, Ok(WaitStatus::Stopped(..) | WaitStatus::Continued(_)))
    }

    fn has_tracer(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
    }
}

/// A pause, until it is ended, or by itself where its command stays in the foreground.
struct Pause {
    command: Option<Live>,
}

impl Pause {
    fn begin(lab: &Lab, column: usize) -> Pause {
        let name = lab.own_name();
        let foreground = |arguments: &[&str], is_held: &dyn Fn(&str) -> bool| {
            let mut command = lab.bare_live(binary(), arguments);
            command.line_where(is_held);
            Pause { command: Some(command) }
        };
        let done = match column {
            0 => lab.falseticker(["freeze", name]),
            1 => lab.falseticker(["freeze", name, "--how", "cgroup"]),
            2 => with_mounts(lab, &without_version_2(), "--how cgroup"),
            THREAD => lab.falseticker(["freeze", name, "--how", "thread"]),
            SUSPEND => return foreground(&["suspend", name, "--for", "1s"], &|line| line.contains(name)),
            _ => {
                let words = ["freeze", name, "--on-read", "mono", "--count", "1", "--for", "1s"];
                return foreground(&words, &|line| !line.contains("armed") && line.contains("held"));
            }
        };
        done.expect_code(0);
        Pause { command: None }
    }

    fn end(self, lab: &Lab) {
        match self.command {
            None => drop(lab.falseticker(["thaw", lab.own_name()]).expect_code(0)),
            Some(mut command) => assert_eq!(command.end(), 0),
        }
    }
}

/// How long the node is held at least.
const HELD: Duration = Duration::from_millis(300);

fn show(lab: &Lab, column: usize) {
    let flags: &[&str] = if column == SUSPEND { &["--monotonic"] } else { &[] };
    lab.falseticker(["create", lab.own_name()].iter().chain(flags)).expect_code(0);
    // A handler would let more calls fail with EINTR; one thread alone is held by a trap, and gets no signal.
    let mut seen = Seen::start(lab, if column == ON_READ { &["handler"] } else { &[] });
    let mut handler = (column != ON_READ).then(|| Seen::start(lab, &["handler"]));
    let groups = cgroups::of_process(seen.pid());
    let mut peer = TcpStream::connect(("127.0.0.1", seen.port)).expect("it listens");
    let mut byte = [0];
    peer.write_all(b"a").and_then(|()| peer.read_exact(&mut byte)).expect("it answers");
    let ask = |peer: &mut TcpStream, time| {
        peer.set_read_timeout(Some(time)).expect("a timeout can be set");
        peer.read(&mut [0]).is_ok()
    };
    let before = seen.report(true);
    let asked = mono();
    let say = |is: bool| if is { "yes" } else { "no" }.to_owned();
    // What the other threads of a process do whose one thread is held.
    let say_of_others = |is: bool| if is && column == ON_READ { "others".to_owned() } else { say(is) };

    let pause = Pause::begin(lab, column);
    let cpu = seen.cpu();
    peer.write_all(b"b").expect("a peer can send");
    let is_answered = ask(&mut peer, HELD);
    let is_acknowledged = eventually("the kernel acknowledges", || (unsent(&peer) == 0).then_some(true));
    let connects = TcpStream::connect(("127.0.0.1", seen.port)).is_ok();
    let is_charged = seen.cpu() > cpu;
    let (letter, is_traced) = (letter_while_held(seen.pid()), seen.has_tracer());
    let is_moved = cgroups::of_process(seen.pid()) != groups;
    let told_of_stop = seen.told_its_parent();
    if column == ON_READ {
        seen.report(false);
    }
    pause.end(lab);
    assert!(is_answered || ask(&mut peer, crate::harness::PATIENCE), "it does not answer after the pause");
    let told_of_end = seen.told_its_parent();
    assert_eq!(told_of_stop, told_of_end, "its parent heard of one of both");

    let held = i64::try_from(HELD.as_nanos()).expect("it is short");
    let first = seen.report(false)["expiries"];
    let (passed, after) = eventually("it has looked at its clocks and its timer", || {
        let passed = mono() - asked;
        let after = seen.report(false);
        (after["boot_gap"] >= held && after["expiries"] > first).then_some((passed, after))
    });
    let interrupted = |call: &str| after[call] > before[call];
    let counted = (after["expiries"] - before["expiries"]) * 10 * MILLISECOND;
    let continued = handler.as_mut().unwrap_or(&mut seen).report(false)["sigcont"];
    let mut shown = vec![say(told_of_stop), say(continued > 0)];
    shown.extend(["epoll_wait", "sigtimedwait", "semtimedop"].map(|call| say(interrupted(call))));
    shown.push(say(["nanosleep", "poll", "futex", "read"].into_iter().any(interrupted)));
    shown.push(say(after["mono_gap"] >= held));
    shown.push(say(after["boot_gap"] >= held));
    shown.push(say(counted + 200 * MILLISECOND >= passed));
    shown.push(say_of_others(is_charged));
    shown.push(letter.map(String::from).unwrap_or_default());
    shown.push(say(is_traced));
    shown.push(say(is_moved));
    shown.push(say(is_acknowledged && connects));
    shown.push(say_of_others(is_answered));
    shown.push(say(column == ON_READ || column == THREAD && others_run(lab, &mut seen)));
    shown.push(say(dies_while_held(lab, column, &mut seen)));

    let expected: Vec<&str> = ROWS.iter().map(|(_, cells)| cells[column]).collect();
    let wrong =
        ROWS.iter().zip(shown.iter().zip(&expected)).filter(|(_, (shown, expected))| shown != *expected);
    let wrong: Vec<String> =
        wrong.map(|((row, _), (shown, expected))| format!("{row}: {shown}, not {expected}\n")).collect();
    assert!(wrong.is_empty(), "{}:\n{}", COLUMNS[column], wrong.concat());
    if let Some(mut handler) = handler {
        handler.live.finish();
    }
    lab.falseticker(["remove", lab.own_name()]).expect_code(0);
}

/// The letter of its state. A thread that a trap holds says so before it goes to sleep.
fn letter_while_held(pid: i32) -> Option<char> {
    let begun = std::time::Instant::now();
    loop {
        let letter = state_of(pid);
        if letter != Some('R') || begun.elapsed() >= HELD {
            return letter;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the thread that reports does so while the main thread is held.
fn others_run(lab: &Lab, seen: &mut Seen) -> bool {
    let main = seen.pid().to_string();
    lab.falseticker(["freeze", lab.own_name(), "--thread", &main]).expect_code(0);
    seen.report(false);
    lab.falseticker(["thaw", lab.own_name()]).expect_code(0);
    true
}

/// Whether it ends by SIGKILL before the pause does.
fn dies_while_held(lab: &Lab, column: usize, seen: &mut Seen) -> bool {
    let pause = Pause::begin(lab, column);
    kill(Pid::from_raw(seen.pid()), Signal::SIGKILL).expect("it is there");
    let begun = std::time::Instant::now();
    let mut dies = false;
    while !dies && begun.elapsed() < HELD {
        dies = seen.live.has_ended();
        std::thread::sleep(Duration::from_millis(1));
    }
    pause.end(lab);
    assert_eq!(seen.live.end(), 137);
    dies
}

/// How many bytes a peer has sent that the other side's kernel has not acknowledged.
fn unsent(peer: &TcpStream) -> u64 {
    let own = peer.local_addr().expect("it has an address").port();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&format!(":{own:04X}"))));
    let queues = line.and_then(|line| line.split_whitespace().nth(4)).unwrap_or("0:0");
    u64::from_str_radix(queues.split(':').next().unwrap_or("0"), 16).unwrap_or(0)
}
