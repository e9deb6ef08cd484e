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
use crate::harness::{Lab, Live, MILLISECOND, cgroups, eventually, spec, state_of};

/// The columns.
const COLUMNS: [&str; 4] = ["signal", "cgroup v2", "cgroup v1", "thread"];

/// What is looked at, and what each column shows.
const ROWS: &[(&str, [&str; 4])] = &[
    ("the parent's `waitpid` (WUNTRACED, WCONTINUED) tells of it", ["yes", "no", "no", "no"]),
    ("a SIGCONT handler of its own runs", ["yes", "no", "no", "no"]),
    ("`epoll_wait` fails with EINTR", ["yes", "yes", "yes", "yes"]),
    ("`sigtimedwait` fails with EINTR", ["yes", "yes", "no", "yes"]),
    ("`semtimedop` fails with EINTR", ["yes", "yes", "yes", "yes"]),
    ("`nanosleep`, `poll`, `futex` or `read` fails with EINTR", ["no", "no", "no", "no"]),
    ("its CLOCK_MONOTONIC leaps over the pause", ["yes", "yes", "yes", "yes"]),
    ("its CLOCK_BOOTTIME leaps over the pause", ["yes", "yes", "yes", "yes"]),
    ("timers that expired meanwhile have all been counted", ["yes", "yes", "yes", "yes"]),
    ("it is charged with processor time", ["no", "no", "no", "no"]),
    ("the letter of its state in /proc", ["T", "S", "D", "t"]),
    ("TracerPid in /proc names somebody", ["no", "no", "no", "yes"]),
    ("/proc/PID/cgroup names another group", ["no", "yes", "yes", "no"]),
    ("a peer's TCP connection is made, and what it sends is acknowledged", ["yes", "yes", "yes", "yes"]),
    ("a peer's TCP connection is answered", ["no", "no", "no", "no"]),
    ("other threads of the process can run on", ["no", "no", "no", "yes"]),
    ("SIGKILL ends it at once", ["yes", "yes", "no", "yes"]),
];

pub fn trials() -> Vec<Trial> {
    let of =
        |column: &str| spec(format!("visible: what a pause shows, and to whom: {column}")).needs("cc", "gcc");
    vec![
        of("signal").shown_by(|lab| column(lab, 0)),
        of("cgroup v2").where_possible(cgroups::of_version_2).shown_by(|lab| column(lab, 1)),
        of("cgroup v1").where_possible(cgroups::of_version_1).shown_by(|lab| column(lab, 2)),
        of("thread").shown_by(|lab| column(lab, 3)),
        spec("visible: the table in ARCHITECTURE.md is the one that is shown").shown_by(documented),
    ]
}

/// The table as the document has it.
fn as_markdown() -> String {
    let line = |first: &str, cells: &[&str]| format!("| {first} | {} |\n", cells.join(" | "));
    let head = line("what is seen while a node is held", &COLUMNS) + &line("---", &["---"; 4]);
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

fn freeze(lab: &Lab, column: usize) {
    let name = lab.own_name();
    let done = match column {
        0 => lab.falseticker(["freeze", name]),
        1 => lab.falseticker(["freeze", name, "--how", "cgroup"]),
        2 => with_mounts(lab, &without_version_2(), "--how cgroup"),
        _ => lab.falseticker(["freeze", name, "--how", "thread"]),
    };
    done.expect_code(0);
}

fn thaw(lab: &Lab) {
    lab.falseticker(["thaw", lab.own_name()]).expect_code(0);
}

/// How long the node is held at least.
const HELD: Duration = Duration::from_millis(300);

fn column(lab: &Lab, column: usize) {
    lab.falseticker(["create", lab.own_name()]).expect_code(0);
    let (mut seen, mut handler) = (Seen::start(lab, &[]), Seen::start(lab, &["handler"]));
    let groups = cgroups::of_process(seen.pid());
    let mut peer = TcpStream::connect(("127.0.0.1", seen.port)).expect("it listens");
    let mut byte = [0];
    peer.write_all(b"a").and_then(|()| peer.read_exact(&mut byte)).expect("it answers");
    let ask = |peer: &mut TcpStream, time| {
        peer.set_read_timeout(Some(time)).expect("a timeout can be set");
        peer.read(&mut [0]).is_ok()
    };
    let reset = seen.report(true);
    handler.report(true);
    let mut shown: Vec<String> = Vec::new();
    let say = |is: bool| if is { "yes" } else { "no" }.to_owned();

    freeze(lab, column);
    let cpu = seen.cpu();
    peer.write_all(b"b").expect("a peer can send");
    let is_answered = ask(&mut peer, HELD);
    let is_acknowledged = eventually("the kernel acknowledges", || (unsent(&peer) == 0).then_some(true));
    let connects = TcpStream::connect(("127.0.0.1", seen.port)).is_ok();
    let is_charged = seen.cpu() > cpu;
    let (letter, is_traced) = (state_of(seen.pid()), seen.has_tracer());
    let is_moved = cgroups::of_process(seen.pid()) != groups;
    let told_of_stop = seen.told_its_parent();
    thaw(lab);
    assert!(ask(&mut peer, crate::harness::PATIENCE), "it does not answer after the pause");
    let told_of_end = seen.told_its_parent();
    assert_eq!(told_of_stop, told_of_end, "its parent heard of one of both");

    let held = i64::try_from(HELD.as_nanos()).expect("it is short");
    let after = eventually("it has looked at its clocks", || {
        let after = seen.report(false);
        (after["boot_gap"] >= held && after["expiries"] > 1).then_some(after)
    });
    let interrupted = |call: &str| after[call] > reset[call];
    shown.push(say(told_of_stop));
    shown.push(say(handler.report(false)["sigcont"] > 0));
    shown.extend(["epoll_wait", "sigtimedwait", "semtimedop"].map(|call| say(interrupted(call))));
    shown.push(say(["nanosleep", "poll", "futex", "read"].into_iter().any(interrupted)));
    shown.push(say(after["mono_gap"] >= held));
    shown.push(say(after["boot_gap"] >= held));
    shown.push(say(after["expiries"] >= held / (10 * MILLISECOND) - 1));
    shown.push(say(is_charged));
    shown.push(letter.map(String::from).unwrap_or_default());
    shown.push(say(is_traced));
    shown.push(say(is_moved));
    shown.push(say(is_acknowledged && connects));
    shown.push(say(is_answered));
    shown.push(say(column == 3 && others_run(lab, &mut seen)));
    shown.push(say(dies_while_held(lab, column, &mut seen)));

    let expected: Vec<&str> = ROWS.iter().map(|(_, cells)| cells[column]).collect();
    let wrong =
        ROWS.iter().zip(shown.iter().zip(&expected)).filter(|(_, (shown, expected))| shown != *expected);
    let wrong: Vec<String> =
        wrong.map(|((row, _), (shown, expected))| format!("{row}: {shown}, not {expected}\n")).collect();
    assert!(wrong.is_empty(), "{}:\n{}", COLUMNS[column], wrong.concat());
    handler.live.finish();
    lab.falseticker(["remove", lab.own_name()]).expect_code(0);
}

/// Whether the thread that reports does so while the main thread is held.
fn others_run(lab: &Lab, seen: &mut Seen) -> bool {
    let main = seen.pid().to_string();
    lab.falseticker(["freeze", lab.own_name(), "--thread", &main]).expect_code(0);
    seen.report(false);
    thaw(lab);
    true
}

/// Whether it ends by SIGKILL before the pause does.
fn dies_while_held(lab: &Lab, column: usize, seen: &mut Seen) -> bool {
    freeze(lab, column);
    kill(Pid::from_raw(seen.pid()), Signal::SIGKILL).expect("it is there");
    let begun = std::time::Instant::now();
    let mut dies = false;
    while !dies && begun.elapsed() < HELD {
        dies = seen.live.has_ended();
        std::thread::sleep(Duration::from_millis(1));
    }
    thaw(lab);
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
