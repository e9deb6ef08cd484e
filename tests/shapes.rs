//! Pauses that come again and again, and lengths that are drawn.

use std::time::{Duration, Instant};

use falseticker::freeze::shape::recorded::{Format, Recording};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Done, Lab, Live, MILLISECOND, binary, eventually, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("shapes: {sentence}")).needs("cc", "gcc");
    vec![
        of("a series holds a program still as often as it says, never for less than asked")
            .shown_by(as_often),
        of("the same seed asks for the same pauses").shown_by(same_seed),
        of("a single length is drawn too, and says from what").shown_by(single_draw),
        of("until its time is over pauses come, and the last one is cut there").shown_by(until),
        of("a signal ends a series in a pause and between two").shown_by(interrupted),
        of("SIGKILL ends a series, and everything runs").shown_by(killed),
        of("a pause that another command ends is followed by the next one").shown_by(thawed_by_another),
        of("a series ends with its node, and says so").shown_by(node_ends),
        of("each preset freezes").shown_by(presets),
        of("bad input leaves nothing frozen").shown_by(bad_input),
        of("logs that a real JVM writes are read")
            .needs("java", "openjdk-17-jdk-headless")
            .shown_by(real_logs),
    ]
}

/// The program of `tests/targets/standstills.c`, in node a.
struct Program(Live);

impl Program {
    fn start(lab: &Lab) -> Self {
        let mut live = lab.run("a", &[], [lab.target("standstills").path()]).live();
        live.line_where(|line| line == "ready");
        Program(live)
    }

    /// Its state as /proc has it.
    fn state(&self, lab: &Lab) -> Option<char> {
        let pid = lab.status("a")["processes"][0]["pid"].as_i64()?;
        state_of(i32::try_from(pid).ok()?)
    }

    /// Waits until a pause by this command has begun: the record of it is complete, and the command waits for its end.
    fn until_frozen(&self, lab: &Lab, freeze: &Live) {
        lab.status_until("a", "the freeze", |status| (!status["frozen"]["since_ns"].is_null()).then_some(()));
        eventually("the command's wait", || (state_of(freeze.pid()) == Some('S')).then_some(()));
        assert_eq!(self.state(lab), Some('T'));
    }

    /// Ends it: between which of its reads it had stood still, or had not had the processor.
    fn end(mut self) -> Vec<(i64, i64)> {
        self.0.say("");
        let mut gaps = Vec::new();
        loop {
            let line = self.0.line();
            if line == "end" {
                break;
            }
            let (before, after) = line.split_once(' ').expect("two instants");
            gaps.push((before.parse().expect("an instant"), after.parse().expect("an instant")));
        }
        assert_eq!(self.0.finish(), 0);
        gaps
    }
}

/// A field of all pauses.
fn all(said: &Value, field: &str) -> Vec<i64> {
    let pauses = said["pauses"].as_array().expect("there are pauses");
    pauses.iter().map(|pause| pause[field].as_i64().unwrap_or(-1)).collect()
}

/// What is true of every pause of every series.
#[track_caller]
fn expect_sound(said: &Value) {
    let pauses = said["pauses"].as_array().expect("there are pauses");
    for pause in pauses.iter().filter(|pause| pause["ended"] == "as-planned") {
        assert!(pause["actual_ns"].as_i64() >= pause["planned_ns"].as_i64(), "ended too early: {pause}");
        assert!(pause["planned_ns"].as_i64() <= pause["asked_ns"].as_i64(), "{pause}");
    }
    for pause in &pauses[1..] {
        assert!(pause["gap_ns"].as_i64() >= pause["gap_asked_ns"].as_i64(), "began too early: {pause}");
    }
}

fn series(lab: &Lab, flags: &[&str]) -> Done {
    lab.falseticker(["freeze", "a", "--json"].iter().chain(flags))
}

fn as_often(lab: &Lab) {
    let program = Program::start(lab);
    let said = series(lab, &["--for", "20ms", "--every", "uniform(10ms,30ms)", "--count", "6"]);
    let said = said.expect_code(0).json();
    expect_sound(&said);
    assert_eq!(all(&said, "asked_ns"), [20 * MILLISECOND; 6]);
    assert_eq!(said["summary"]["count"], 6);
    assert_eq!(said["ended"], "complete");
    assert_eq!(program.state(lab).map(|state| state == 'T'), Some(false), "it returned before all ran");
    let gaps = program.end();
    for from in all(&said, "last_confirmed_ns") {
        let to = from + 20 * MILLISECOND;
        let stood = gaps.iter().any(|(before, after)| *before <= from && *after >= to);
        assert!(stood, "it read its clock between {from} and {to}: {gaps:?}");
    }
}

fn same_seed(lab: &Lab) {
    let program = Program::start(lab);
    let flags = ["--for", "uniform(1ms,20ms)", "--every", "exponential(5ms)", "--count", "4", "--seed"];
    let drawn = |seed| {
        let said = series(lab, &[&flags[..], &[seed]].concat()).expect_code(0).json();
        expect_sound(&said);
        (all(&said, "asked_ns"), all(&said, "gap_asked_ns"))
    };
    let first = drawn("7");
    assert_eq!(drawn("7"), first);
    assert_ne!(drawn("8"), first);
    // Which they are is fixed, whatever the machine.
    assert_eq!(first.0, [3_998_126, 4_191_798, 14_381_247, 14_808_085]);
    // A seed that is told repeats what was drawn without one.
    let fresh = series(lab, &flags[..6]).expect_code(0).json();
    let told = fresh["seed"].to_string();
    assert_eq!(drawn(&told).0, all(&fresh, "asked_ns"));
    program.end();
}

fn single_draw(lab: &Lab) {
    let program = Program::start(lab);
    let begun = Instant::now();
    let done = lab.falseticker(["freeze", "a", "--for", "uniform(50ms,60ms)", "--seed", "7"]).expect_code(0);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(done.stdout.contains("drawn from uniform(50ms,60ms) with seed 7"), "{}", done.report());
    let log = concat!("file(", env!("CARGO_MANIFEST_DIR"), "/tests/data/safepoints.log)");
    let done = lab.falseticker(["freeze", "a", "--for", log]).expect_code(0);
    assert!(done.stdout.contains("a JVM log with safepoints, 6 of 170us to 4.978ms"), "{}", done.report());
    let log = concat!("file(", env!("CARGO_MANIFEST_DIR"), "/tests/data/gc.log)");
    let done = lab.falseticker(["freeze", "a", "--for", log, "--every", log, "--count", "2"]).expect_code(0);
    assert!(done.stdout.contains("gaps from a JVM log with collections, 4 of"), "{}", done.report());
    program.end();
}

fn until(lab: &Lab) {
    let program = Program::start(lab);
    let said = series(lab, &["--for", "1h", "--every", "10ms", "--until", "200ms"]).expect_code(0).json();
    expect_sound(&said);
    assert_eq!(all(&said, "number"), [1]);
    let planned = all(&said, "planned_ns")[0];
    assert!(planned > 0 && planned <= 200 * MILLISECOND, "it was to be {planned}");
    assert!(all(&said, "actual_ns")[0] >= planned);

    let said = series(lab, &["--for", "10ms", "--every", "20ms", "--until", "500ms"]).expect_code(0).json();
    expect_sound(&said);
    let begun = all(&said, "first_stop_ns");
    assert!(begun.len() > 1, "there was one alone");
    // Another may have begun just in time, and have been kept from the processor.
    let late = begun.iter().filter(|at| **at > begun[0] + 500 * MILLISECOND).count();
    assert!(late <= 1, "{late} began after the end: {begun:?}");
    program.end();
}

fn interrupted(lab: &Lab) {
    let program = Program::start(lab);
    for (length, gap, in_pause) in [("1h", "1ms", true), ("1ms", "1h", false)] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut live = lab.bare_live(binary(), ["freeze", "a", "--for", length, "--every", gap]);
            if in_pause {
                program.until_frozen(lab, &live);
            } else {
                live.line_where(|line| line.starts_with("  1: "));
            }
            live.signal(signal);
            let summary = live.line_where(|line| line.contains(" in all"));
            assert!(summary.contains("1 pause,") && summary.ends_with("interrupted"), "{summary}");
            assert_eq!(live.end(), 130);
            assert_ne!(program.state(lab), Some('T'), "it returned before all ran");
        }
    }
    program.end();
}

fn killed(lab: &Lab) {
    let program = Program::start(lab);
    let mut live = lab.bare_live(binary(), ["freeze", "a", "--for", "1h", "--every", "1ms"]);
    program.until_frozen(lab, &live);
    live.signal(Signal::SIGKILL);
    live.end();
    eventually("the end of the pause", || (program.state(lab) != Some('T')).then_some(()));
    program.end();
}

fn thawed_by_another(lab: &Lab) {
    let program = Program::start(lab);
    let mut live = lab.bare_live(binary(), ["freeze", "a", "--for", "1h", "--every", "1ms"]);
    // With so short a gap one thaw may meet two pauses, or the next one while it is being begun.
    for _ in 0..3 {
        program.until_frozen(lab, &live);
        lab.falseticker(["thaw", "a"]).expect_code(0);
        let line = live.line_where(|line| line.contains(" held, "));
        assert!(line.ends_with("thawed by another command"), "{line}");
    }
    program.until_frozen(lab, &live);
    live.signal(Signal::SIGINT);
    assert_eq!(live.end(), 130);
    program.end();
}

fn node_ends(lab: &Lab) {
    // What was asked for did not come about; a series without an end has come to its own.
    for (flags, code) in [(&["--count", "2"][..], 3), (&["--until", "1h"], 3), (&[], 0)] {
        let program = Program::start(lab);
        let words = ["freeze", "a", "--for", "1ms", "--every", "1h"];
        let mut live = lab.bare_live(binary(), words.iter().chain(flags));
        live.line_where(|line| line.starts_with("  1: "));
        program.end();
        let summary = live.line_where(|line| line.contains(" in all"));
        assert!(summary.ends_with("then the node's processes ended"), "{summary}");
        assert_eq!(live.end(), code, "{flags:?}");
    }
}

fn presets(lab: &Lab) {
    let program = Program::start(lab);
    for preset in ["gc-young", "gc-full", "vm-migration", "swap-storm", "cpu-steal"] {
        let said = series(lab, &["--preset", preset, "--until", "70ms"]).expect_code(0).json();
        expect_sound(&said);
        assert_eq!(said["preset"], preset);
    }
    let said = series(lab, &["--preset", "gc-young", "--every", "1ms", "--count", "2"]).expect_code(0).json();
    expect_sound(&said);
    let asked = all(&said, "asked_ns");
    assert!(asked.iter().all(|nanos| (40 * MILLISECOND..=60 * MILLISECOND).contains(nanos)), "{asked:?}");
    assert_eq!(said["gap"], "1ms");
    program.end();
}

fn bad_input(lab: &Lab) {
    let program = Program::start(lab);
    let file = |name: &str, text: &str| {
        let path = lab.path(name);
        std::fs::write(&path, text).expect("a file can be written");
        format!("file({})", path.display())
    };
    let (empty, words) = (file("empty", ""), file("words", "200ms\nsoon\n"));
    let (quiet, broken) =
        (file("quiet", "[0.003s][gc] Using G1\n"), file("broken", "[0.1s][gc] GC(0) Pause Full 9x\n"));
    for (flags, fragment) in [
        (vec!["--for", "normal(1s,2s)"], "uniform(FROM,TO)"),
        (vec!["--for", "uniform(2s,1s)"], "nothing in it"),
        (vec!["--for", "uniform(1s,2s"], "character 14"),
        (vec!["--for", "exponential(-1s)"], "-1s"),
        (vec!["--for", "lognormal(1s,NaN)"], "'NaN'"),
        (vec!["--for", "0s"], "longer than nothing"),
        (vec!["--for", "-1s"], "longer than nothing"),
        (vec!["--for", "1ms", "--every", "0s"], "longer than nothing"),
        (vec!["--for", "1ms", "--every", "pareto(1s)"], "takes two values"),
        (vec!["--every", "1s"], "--for"),
        (vec!["--for", "1ms", "--count", "2"], "--every"),
        (vec!["--for", "1ms", "--until", "2s"], "--every"),
        (vec!["--for", "1ms", "--every", "1s", "--count", "0"], "--count"),
        (vec!["--for", "1ms", "--every", "1s", "--until", "0s"], "--until"),
        (vec!["--for", "1ms", "--every", "1s", "--count", "1", "--until", "1s"], "--until"),
        (vec!["--for", "1ms", "--seed", "-1"], "--seed"),
        (vec!["--seed", "1"], "--for"),
        (vec!["--preset", "gc"], "gc-young"),
        (vec!["--for", &empty], "it is empty"),
        (vec!["--for", &words], "line 2, character 1"),
        (vec!["--for", &quiet], "without a pause"),
        (vec!["--for", &broken], "line 1, character 29"),
        (vec!["--for", "1ms", "--every", &words], "line 2"),
        (vec!["--for", "file(/nowhere)", "--every", "1s"], "/nowhere"),
    ] {
        let done = lab.falseticker(["freeze", "a"].iter().chain(&flags)).expect_code(2);
        let done = done.expect_error(fragment).expect_error("help: ");
        assert_eq!(done.stdout, "", "{}", done.report());
        assert!(lab.status("a")["frozen"].is_null(), "{flags:?}");
    }
    let gaps = program.end();
    let longest = gaps.iter().map(|(before, after)| after - before).max().unwrap_or(0);
    assert!(longest < 10_000 * MILLISECOND, "it stood still for {longest} ns");
}

fn real_logs(lab: &Lab) {
    let source = lab.path("Collect.java");
    let text =
        "class Collect { public static void main(String[] a) { for (int i = 0; i < 6; i++) System.gc(); } }";
    std::fs::write(&source, text).expect("a file can be written");
    for collector in ["UseG1GC", "UseParallelGC", "UseSerialGC"] {
        for (what, format) in [("gc*", Format::JvmCollections), ("gc*,safepoint", Format::JvmSafepoints)] {
            let log = lab.path("gc.log");
            let flags = [format!("-XX:+{collector}"), format!("-Xlog:{what}:file={}", log.display())];
            let java = lab.command("java", &flags).arg(&source).env_remove("JAVA_TOOL_OPTIONS");
            java.done().expect_code(0);
            let recording = Recording::read(&log).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(recording.format, format);
            assert!(recording.lengths.len() >= 6, "{collector} {what}: {recording:?}");
            assert!(recording.gaps.is_some_and(|gaps| !gaps.is_empty()), "{collector} {what}");
        }
    }
}
