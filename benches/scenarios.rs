//! How late a scenario's faults are: the player's absolute timers, on the machine as it is and with all of its processors busy.
//!
//! `cargo bench --bench scenarios`
//!
//! - Pauses: from the planned instant to the first stop that is sent, by the history's own figures; likewise kills' and commands'.
//! - Clock faults: the instant of the page less the planned one. They are written ahead, so there is nothing to be late for;
//!   that the programs see them then is a test's (`scenarios`).
//! - 10,000 entries over 50 nodes: how long the file takes to be read, checked and laid.

mod support;

use std::fmt::Write as _;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use falseticker::Span;
use falseticker::history::{Event, Line};
use falseticker::player::{Options, play};
use falseticker::scenario::action::{Freeze, Jump, Kill, Run};
use falseticker::scenario::{Action, Entry, Program, Scenario, When, Who, dry_run, file};

use support::figures::{Figures, Table};
use support::{nanos, only_lists, timed};

/// How many of each kind.
const COUNT: u32 = 150;
/// From one to the next.
const GAP: Span = Span::from_millis(60);

fn main() {
    if only_lists() {
        return;
    }
    let mut table = Table::new(
        "by how many ms the faults of a scenario are late",
        &["fault", "machine", "count", "median", "p99", "worst"],
    );
    lateness(&mut table, "as it is");
    let busy = Busy::all_processors();
    lateness(&mut table, "all processors busy");
    drop(busy);
    table.print();
    load();
}

/// Processes that compute, one for each processor.
struct Busy(Vec<Child>);

impl Busy {
    fn all_processors() -> Self {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let spin = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh is there");
        Busy((0..count).map(|_| spin()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A node that reads its clock all the time, and a series of everything.
fn scenario() -> Scenario {
    let program = |_| {
        Program::new(["bash", "-c", "exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.005 -u 9; done"])
    };
    let names = ["bench-pause", "bench-clock", "bench-kill"];
    let mut builder = Scenario::builder("lateness", Span::from_secs(i64::from(COUNT) * 60 / 1_000 + 2));
    for name in names {
        builder = builder.node(name, program(name));
    }
    let every = |gap: Span, count, name: Option<&str>, action| Entry {
        when: When::Every {
            gap: falseticker::freeze::shape::Length::fixed(gap).expect("it is longer than nothing"),
            first: Some(Span::from_millis(500)),
            count: Some(count),
        },
        who: name.map(|name| Who::One(name.to_owned())),
        action,
        optional: true,
    };
    let freeze = Action::Freeze(Freeze { lasts: "10ms".parse().ok(), ..Freeze::default() });
    let jump = Action::Jump(Jump { by: Span::from_millis(1), ..Jump::default() });
    let kill = Action::Kill(Kill { restart: Some(Span::from_millis(20)) });
    let run = Action::Run(Run { command: "true".to_owned(), undo: None });
    builder
        .entry(every(GAP, COUNT, Some(names[0]), freeze))
        .entry(every(GAP, COUNT, Some(names[1]), jump))
        .entry(every(Span::from_millis(600), COUNT / 10, Some(names[2]), kill))
        .entry(every(Span::from_millis(600), COUNT / 10, None, run))
        .build()
        .expect("it is a scenario")
}

fn lateness(table: &mut Table, machine: &str) {
    let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
    let seen = Arc::clone(&lines);
    let observer = Box::new(move |line: &Line| seen.lock().expect("nobody panics").push(line.clone()));
    play(&scenario(), Options { observer: Some(observer), seed: Some(1), ..Options::default() })
        .expect("it can be played");
    let lines = lines.lock().expect("nobody panics");
    let due = |id: u32| {
        lines.iter().find_map(|line| match &line.event {
            Event::Planned { id: planned, due, .. } if *planned == id => *due,
            _ => None,
        })
    };
    let mut rows: [(&str, Figures); 4] =
        ["freeze", "jump", "kill", "run"].map(|name| (name, Figures::default()));
    for line in lines.iter() {
        let (row, late) = match &line.event {
            Event::Frozen { late_by: Some(late), .. } => (0, *late),
            Event::Applied { id: Some(id), .. } => (1, line.at_ns - due(*id).expect("it was planned")),
            Event::Killed { late_by: Some(late), .. } => (2, *late),
            Event::Command { late_by: Some(late), .. } => (3, *late),
            _ => continue,
        };
        rows[row].1.push(nanos(late) / 1e6);
    }
    for (name, figures) in rows {
        let cell = |figure: f64| format!("{figure:.3}");
        let count = lines.iter().filter(|line| is_of(name, line)).count();
        table.row([
            name.to_owned(),
            machine.to_owned(),
            count.to_string(),
            cell(figures.median()),
            cell(figures.percentile(99)),
            cell(figures.most()),
        ]);
    }
}

fn is_of(name: &str, line: &Line) -> bool {
    matches!(
        (name, &line.event),
        ("freeze", Event::Frozen { .. })
            | ("jump", Event::Applied { id: Some(_), .. })
            | ("kill", Event::Killed { .. })
            | ("run", Event::Command { .. })
    )
}

fn load() {
    const ENTRIES: u32 = 10_000;
    const NODES: u32 = 50;
    let mut text = "[scenario]\nname = \"large\"\nduration = \"1h\"\n".to_owned();
    for node in 0..NODES {
        let _ = write!(text, "[nodes.n{node}]\ncommand = [\"true\"]\n");
    }
    for entry in 0..ENTRIES {
        let (at, node) = (u64::from(entry) * 350, entry % NODES);
        let lasts = entry % 9 + 1;
        let _ = write!(
            text,
            "[[timeline]]\nat = \"{at}ms\"\nnode = \"n{node}\"\njump = {{ by = \"{lasts}s\", for = \"{lasts}s\" }}\n"
        );
    }
    let mut read = Figures::default();
    let mut lay = Figures::default();
    for _ in 0..10 {
        let (took, scenario) = timed(|| file::parse(&text, "large.toml").expect("it is a scenario"));
        read.push(took / 1e6);
        let (took, planned) = timed(|| dry_run(&scenario, 1).expect("it can be laid"));
        assert_eq!(planned.timeline.len(), ENTRIES as usize);
        lay.push(took / 1e6);
    }
    println!(
        "\n{ENTRIES} entries over {NODES} nodes: read and checked in {:.0} ms, every page laid in {:.0} ms (medians of 10)",
        read.median(),
        lay.median()
    );
}
