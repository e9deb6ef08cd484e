//! What freezing costs, and how exact a pause is: each way of freezing, and beside it the signals that a script would send.
//!
//! `cargo bench --bench freeze`
//!
//! - A node of 1,000 processes is frozen and thawed: from the first stop that is sent to the last that is confirmed, and the whole
//!   of both calls. A script confirms nothing: so it is counted how many still moved when it was done.
//! - How much longer than asked for a pause is, in a node of one process and in that of 1,000: by the pause's own record, from the
//!   last confirmed stop to the first resumption, and as a process of the node saw it, which spins on the machine's clock and
//!   tells its gaps. One of them should hold the whole of the recorded pause.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use falseticker::freeze::{End, How, Plan};
use falseticker::process::{ProcessId, stillness};
use falseticker::{Node, Span, host_clock};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use support::again::is_child;
use support::child::Answering;
use support::figures::{Figures, Table};
use support::{nanos, only_lists, timed};

/// The argument that makes this executable the child.
const CHILD: &str = "spin-until-a-gap";
const PROCESSES: usize = 1000;
/// How often all of those are frozen.
const ROUNDS: usize = 20;
/// The lengths of pauses in ms, and how often each is asked for of one process and of the many.
const LENGTHS: [(i64, usize, usize); 2] = [(100, 100, 20), (10, 300, 30)];

fn main() {
    if is_child(CHILD) {
        return child();
    }
    if only_lists() {
        return;
    }
    let mut one = Frozen::new("one", 0);
    let ways = ways(&one);
    // While the machine has no more processes than that.
    lengths(&mut one, &ways, "a process", |(length, of_one, _)| (length, of_one));
    let mut many = Frozen::new("many", PROCESSES);
    stops(&many, &ways);
    lengths(&mut many, &ways, "1,000 processes", |(length, _, of_many)| (length, of_many));
}

/// A way of freezing.
enum Way {
    /// By the library, and how.
    Freezer(&'static str, Plan),
    /// A shell's `kill -STOP` and `kill -CONT`.
    Script,
}

impl Way {
    fn name(&self) -> &'static str {
        match self {
            Way::Freezer(name, _) => name,
            Way::Script => "sh: kill -STOP; kill -CONT",
        }
    }
}

/// Those that this machine has.
fn ways(node: &Frozen) -> Vec<Way> {
    let freezers = [("signal", How::Signal), ("cgroup", How::Cgroup), ("thread", How::Thread(Vec::new()))];
    let of = |(name, how)| Way::Freezer(name, Plan { how, ..Plan::default() });
    let mut ways: Vec<Way> = freezers.map(of).into_iter().collect();
    ways.retain(|way| {
        let Way::Freezer(name, plan) = way else { return true };
        let refused = node.node.freeze(plan).and_then(falseticker::freeze::Frozen::thaw).err();
        refused.iter().for_each(|why| println!("left out: {name}: {why}"));
        refused.is_none()
    });
    ways.push(Way::Script);
    ways
}

/// A node with a process that spins when it is asked to, and so many that sleep.
struct Frozen {
    node: Node,
    spinner: Answering,
    sleepers: Option<Child>,
}

impl Frozen {
    fn new(name: &str, sleepers: usize) -> Self {
        let node = Node::create(&format!("bench-{name}-{}", std::process::id())).expect("a node is made");
        let this = std::env::current_exe().expect("this executable has a path");
        let spinner = Answering::start(node.command(this).arg(CHILD));
        let add = |pid: u32| {
            let id = ProcessId::of(i32::try_from(pid).expect("pids are small")).expect("it runs");
            node.add_root(id).expect("the node takes it in");
        };
        add(spinner.id());
        let sleepers = (sleepers > 0).then(|| start_sleepers(&node, sleepers));
        sleepers.iter().for_each(|root| add(root.id()));
        Frozen { node, spinner, sleepers }
    }

    fn pids(&self) -> Vec<ProcessId> {
        self.node.members().expect("they can be listed")
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Some(root) = &mut self.sleepers {
            let group = Pid::from_raw(i32::try_from(root.id()).expect("pids are small"));
            killpg(group, Signal::SIGKILL).expect("they are there to be killed");
            root.wait().expect("the shell has been killed");
        }
    }
}

/// A shell and its children, in a process group of their own; once all are there.
fn start_sleepers(node: &Node, count: usize) -> Child {
    let script = format!("i=0; while [ $i -lt {count} ]; do sleep 3600 & i=$((i+1)); done; echo; wait");
    let mut command = node.command("sh");
    command.args(["-c", &script]).stdout(Stdio::piped()).process_group(0);
    let mut root = command.spawn().expect("a shell is everywhere");
    let output = root.stdout.take().expect("its output is a pipe");
    BufReader::new(output).read_line(&mut String::new()).expect("it says so");
    root
}

/// `kill` by a shell, to all of them.
fn script(before: &str, pids: &[ProcessId], after: &str) {
    let pids = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let line = format!("p='{pids}'; {before} $p{after}");
    let status = Command::new("sh").args(["-c", &line]).status().expect("a shell is everywhere");
    assert!(status.success(), "{before} {after}: {status}");
}

// Many processes

fn stops(many: &Frozen, ways: &[Way]) {
    let mut measured: Vec<[Figures; 4]> = ways.iter().map(|_| Default::default()).collect();
    for _ in 0..ROUNDS {
        for (way, [stops, freeze, thaw, moving]) in ways.iter().zip(&mut measured) {
            match way {
                Way::Freezer(name, plan) => {
                    let (took, frozen) = timed(|| many.node.freeze(plan).expect("all stand still"));
                    freeze.push(took);
                    let report = frozen.report().clone();
                    thaw.push(timed(|| frozen.thaw().expect("all go on")).0);
                    assert!(report.processes.len() > PROCESSES, "{name}: {}", report.processes.len());
                    stops.push(nanos(report.last_confirmed.as_nanos() - report.first_stop.as_nanos()));
                    moving.push(0.0);
                }
                Way::Script => {
                    let pids = many.pids();
                    freeze.push(timed(|| script("kill -STOP", &pids, "")).0);
                    let still_moving = pids.iter().filter(|id| !stillness(**id).is_still()).count();
                    moving.push(f64::from(u32::try_from(still_moving).expect("a thousand")));
                    thaw.push(timed(|| script("kill -CONT", &pids, "")).0);
                }
            }
        }
    }
    let mut table = Table::new(
        format!("{PROCESSES} processes frozen and thawed, ms, median of {ROUNDS} interleaved rounds"),
        &["way", "first to last stop", "most", "freeze", "thaw", "moving still when it is done, at most"],
    );
    let millis =
        |figure: f64| if figure.is_finite() { format!("{:.1}", figure / 1e6) } else { String::new() };
    for (way, [stops, freeze, thaw, moving]) in ways.iter().zip(&measured) {
        table.row([
            way.name().to_owned(),
            millis(stops.median()),
            millis(stops.most()),
            millis(freeze.median()),
            millis(thaw.median()),
            format!("{:.0}", moving.most()),
        ]);
    }
    table.print();
}

// Lengths

/// How much longer than asked for pauses were.
#[derive(Default)]
struct Excess {
    by_record: Figures,
    as_seen: Figures,
    /// How many were over, or not seen at all, when they are recorded to be on.
    misrecorded: usize,
}

fn lengths(frozen: &mut Frozen, ways: &[Way], whom: &str, of: impl Fn((i64, usize, usize)) -> (i64, usize)) {
    let mut table = Table::new(
        format!("pauses of {whom}: ms longer than asked for"),
        &[
            "asked for",
            "way",
            "pauses",
            "recorded, median",
            "p99",
            "as seen, median",
            "p99",
            "over before the recorded end",
        ],
    );
    for length in LENGTHS {
        let (millis, rounds) = of(length);
        let length = Span::from_millis(millis);
        let mut measured: Vec<Excess> = ways.iter().map(|_| Excess::default()).collect();
        for _ in 0..rounds {
            for (way, excess) in ways.iter().zip(&mut measured) {
                pause(frozen, way, length, excess);
            }
        }
        for (way, excess) in ways.iter().zip(&measured) {
            let cell = |figure: f64| {
                if figure.is_finite() { format!("{:.3}", figure / 1e6) } else { String::new() }
            };
            table.row([
                format!("{millis} ms"),
                way.name().to_owned(),
                rounds.to_string(),
                cell(excess.by_record.median()),
                cell(excess.by_record.percentile(99)),
                cell(excess.as_seen.median()),
                cell(excess.as_seen.percentile(99)),
                excess.misrecorded.to_string(),
            ]);
        }
    }
    table.print();
}

fn pause(frozen: &mut Frozen, way: &Way, length: Span, excess: &mut Excess) {
    let pids = frozen.pids();
    frozen.spinner.ask(&length.as_nanos().to_string());
    assert_eq!(frozen.spinner.answer(), "spins");
    let begun = host_clock::monotonic();
    let (from, to) = match way {
        Way::Freezer(name, plan) => {
            let plan = Plan { end: End::After(length), ..plan.clone() };
            let hold = frozen.node.freeze(&plan).expect("all stand still");
            let from = hold.report().last_confirmed;
            let to = hold.wait_and_thaw().expect("all go on").first_resumed;
            let recorded = to.saturating_since(from);
            assert!(recorded >= length, "{name}: a pause of {length:?} is recorded as {recorded:?}");
            excess.by_record.push(nanos(recorded.as_nanos() - length.as_nanos()));
            (from.as_nanos(), to.as_nanos())
        }
        Way::Script => {
            // To the millisecond, as `sleep` takes it.
            let millis = length.as_nanos() / 1_000_000;
            script("kill -STOP", &pids, &format!("; sleep 0.{millis:03}; kill -CONT $p"));
            (begun.as_nanos(), host_clock::monotonic().as_nanos())
        }
    };
    let gaps = frozen.spinner.numbers("over");
    let gaps = gaps.chunks_exact(2).map(|gap| (gap[0], gap[1]));
    // At the last confirmed stop it stood still; of a script it is only known that it did meanwhile.
    let its = gaps.filter(|(before, after)| match way {
        Way::Freezer(..) => *before <= from && *after >= from,
        Way::Script => *after >= from && *before <= to,
    });
    match its.max_by_key(|(before, after)| after - before) {
        Some((before, after)) => {
            excess.as_seen.push(nanos(after - before - length.as_nanos()));
            excess.misrecorded += usize::from(matches!(way, Way::Freezer(..)) && after < to);
        }
        None => excess.misrecorded += 1,
    }
}

/// Told a length, spins until it is told that the pause is over: when the machine's clock has leapt by at least that much
/// meanwhile, the instants before and after each such leap.
fn child() {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout());
    let mut line = String::new();
    while input.read_line(&mut line).expect("the bench asks in text") > 0 {
        let length: i64 = line.trim_end().parse().expect("a number");
        let mut gaps = Vec::new();
        // Before it says so: from then on it may be stopped at any point.
        let mut before = host_clock::monotonic().as_nanos();
        writeln!(output, "spins").expect("the bench reads the answer");
        loop {
            // Asked first: it may be said while this process is stopped, right here.
            let over = has_input();
            let now = host_clock::monotonic().as_nanos();
            if now - before >= length {
                gaps.push(format!("{before} {now}"));
            }
            before = now;
            if over {
                break;
            }
        }
        input.read_line(&mut line).expect("the bench asks in text");
        line.clear();
        writeln!(output, "{}", gaps.join(" ")).expect("the bench reads the answer");
    }
}

/// Whether the bench has said something: it says nothing before it has been answered.
fn has_input() -> bool {
    let stdin = std::io::stdin();
    let mut one = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut one, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
