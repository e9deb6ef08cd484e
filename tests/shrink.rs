//! Timelines that fail, made minimal.

use falseticker::Span;
use falseticker::nemesis::{Fault, Intensity, Nemesis, generate};
use falseticker::scenario::action::{Action, Freeze};
use falseticker::scenario::{Entry, Scenario, When, Who};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::harness::{Done, Lab, binary, count_of, eventually, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("shrink brings the timeline of a nemesis with one guilty pause down to that pause, which still fails when it is played")
            .needs("python3", "python3")
            .shown_by(guilty_pause),
        spec("a shrink that is interrupted keeps what it knows, and goes on without a play that it has made")
            .needs("python3", "python3")
            .shown_by(goes_on),
        spec("shrink refuses what does not fail, and takes no play that could not be made for one that passes")
            .needs("python3", "python3")
            .shown_by(refuses),
    ]
}

/// A program that says every 20 ms that it goes on, and reads its wall clock; nothing of it depends on that.
const BEATS: &str = "import json, time\nwhile True:\n print(json.dumps({'op': 'beat', 'mono_ns': time.monotonic_ns(), 'wall': time.time()}), \
                     flush=True)\n time.sleep(0.02)";
/// How long the timeline is.
const DURATION: Span = Span::from_millis(1_100);

/// As many entries as a nemesis draws over minutes, in little more than a second: all its instants and lengths so many times shorter.
fn drawn(count: usize) -> Vec<Entry> {
    let nemesis = Nemesis {
        mix: vec![Fault::Jump, Fault::Drift, Fault::Slew, Fault::Strobe, Fault::Stall],
        intensity: Intensity::High,
        ..Nemesis::default()
    };
    let long = Span::from_secs(i64::try_from(count).expect("a number") * 12);
    let mut entries = generate(&nemesis, 7, long, &["a".to_owned()]).expect("a timeline is drawn");
    assert!(entries.len() >= count, "{} entries", entries.len());
    entries.truncate(count);
    let shorter = |span: Span| {
        Span::from_nanos((span.as_nanos() / (long.as_nanos() / DURATION.as_nanos())).max(1_000_000))
    };
    for entry in &mut entries {
        if let When::At(at) = &mut entry.when {
            *at = shorter(*at);
        }
        let lasts = match &mut entry.action {
            Action::Jump(jump) => &mut jump.lasts,
            Action::Drift(drift) => &mut drift.lasts,
            Action::Slew(slew) => &mut slew.lasts,
            Action::Strobe(strobe) => &mut strobe.lasts,
            Action::Stall(stall) => &mut stall.lasts,
            _ => continue,
        };
        *lasts = lasts.map(shorter);
        // So short, many a fault is over before anybody has read his clock under it.
        entry.optional = true;
    }
    entries
}

/// A program that must not stand still for long, under the clock faults of a nemesis, and with one pause among them.
fn scenario(count: usize) -> Scenario {
    let mut entries = drawn(count - 1);
    let freeze = Freeze { lasts: "800ms".parse().ok(), ..Freeze::default() };
    entries.push(Entry {
        when: When::At(Span::from_millis(200)),
        who: Some(Who::One("a".to_owned())),
        action: Action::Freeze(freeze),
        optional: false,
    });
    let program = falseticker::scenario::Program::new(["python3", "-c", BEATS]).ready_when_it_says("beat");
    let scenario = Scenario::builder("one guilty pause", DURATION)
        .recovery(Span::from_millis(100))
        .node("a", program)
        .check("progress=1/400ms".parse().expect("a rule"));
    entries.into_iter().fold(scenario, falseticker::scenario::Builder::entry).build().expect("a scenario")
}

fn shrink(lab: &Lab, flags: &[&str]) -> Done {
    lab.command(binary(), ["shrink"]).arg(lab.path("s.toml")).args(flags).done()
}

fn write(lab: &Lab, scenario: &Scenario) {
    std::fs::write(lab.path("s.toml"), scenario.to_toml().expect("a text")).expect("a file can be written");
}

fn guilty_pause(lab: &Lab) {
    let entries = count_of("FALSETICKER_SHRINK_ENTRIES", 12);
    write(lab, &scenario(entries));
    let done = shrink(lab, &["--json"]).expect_code(0).json();
    println!("shrink: {entries} entries, {} plays", done["plays"]);
    assert_eq!((&done["entries"], &done["minimal"]["entries"]), (&entries.into(), &1.into()), "{done}");
    let minimal = Scenario::read(lab.path("s.min.toml")).expect("it reads back");
    let [Entry { action: Action::Freeze(freeze), .. }] = minimal.timeline.as_slice() else {
        panic!("{:?}", minimal.timeline)
    };
    // No progress for 400 ms takes a pause of about as much, and it was one of 800 ms.
    let lasts =
        freeze.lasts.as_ref().and_then(falseticker::freeze::shape::Length::as_fixed).expect("a length");
    assert!(lasts < Span::from_millis(800), "{lasts:?}");
    let text = std::fs::read_to_string(lab.path("s.min.toml")).expect("it is there");
    assert!(text.contains("Fails by progress=1/400ms in 1 of 1 play"), "{text}");
    // It replays: near the least pause that fails not every time, on a machine that does other things.
    eventually("the minimal scenario to fail", || {
        let done = lab.command(binary(), ["play", "-q"]).arg(lab.path("s.min.toml")).done();
        (done.code == 1 && done.stdout.contains("progress=1/400ms: violated")).then_some(())
    });
    assert!(!lab.path("s.shrink.json").exists());
    shrink(lab, &[]).expect_code(2).expect_error("it is there already");
}

fn goes_on(lab: &Lab) {
    write(lab, &scenario(3));
    let mut live = lab.command(binary(), ["shrink", "--keep-magnitudes"]).arg(lab.path("s.toml")).live();
    let state = || -> Option<serde_json::Value> {
        let text = std::fs::read_to_string(lab.path("s.shrink.json")).ok()?;
        Some(serde_json::from_str(&text).expect("the state is whole whenever it is read"))
    };
    let known = eventually("a play to be over", state);
    live.signal(Signal::SIGINT);
    assert_eq!(live.finish(), 130);
    let known_then = state().unwrap_or(known);
    // Another scenario or other options go on from something else.
    shrink(lab, &["--keep-magnitudes", "--runs", "2"]).expect_code(2).expect_error("--runs was 1, and is 2");
    let done = shrink(lab, &["--keep-magnitudes", "--json"]).expect_code(0).json();
    assert_eq!(done["minimal"]["entries"], 1, "{done}");
    for (candidate, tried) in known_then["trials"].as_object().expect("trials") {
        let trials = done["trials"].as_array().expect("trials");
        let again =
            trials.iter().find(|trial| trial["candidate"] == candidate.as_str()).expect("it is known");
        assert_eq!(again["plays"], tried["plays"], "not played again");
    }
    assert!(!lab.path("s.shrink.json").exists());
}

fn refuses(lab: &Lab) {
    let text = |ready: &str, checks: &str| {
        format!(
            "[scenario]\nname = \"fine\"\nduration = \"300ms\"\nrecovery = \"0s\"\n[nodes.a]\ncommand = [\"python3\", \"-c\", \"\"\"{BEATS}\"\"\"]\n\
             {ready}\n[[timeline]]\nat = \"100ms\"\nnode = \"a\"\njump = \"1s\"\n{checks}"
        )
    };
    let checks = "[checks]\nprogress = \"1/100s\"\n";
    let put = |text: &str| std::fs::write(lab.path("s.toml"), text).expect("a file can be written");
    put(&text("", ""));
    shrink(lab, &[]).expect_code(2).expect_error("no [checks] that could be violated");
    shrink(lab, &["--failures", "2", "--check", "fencing"]).expect_code(2).expect_error("make --runs larger");
    shrink(lab, &["--check", "fence"]).expect_code(2).expect_error("there is none of that name");
    shrink(lab, &["--check", "fencing", "-o", "/tmp/s.toml"])
        .expect_code(2)
        .expect_error("another directory");
    put(&text("", checks));
    let done = shrink(lab, &["--check", "programs"]).expect_code(1);
    assert!(
        done.stdout.contains("it does not fail, so there is nothing to shrink: failed in 0 of 1 play"),
        "{}",
        done.report()
    );
    // Nobody listens there: the play cannot begin, and nothing has passed.
    put(&text("ready = { port = 1, within = \"200ms\" }", checks));
    let done = shrink(lab, &["--json"]).expect_code(3).json();
    assert!(done["error"]["why"].as_str().is_some_and(|why| !why.is_empty()), "{done}");
    assert!(!lab.path("s.min.toml").exists() && !lab.path("s.shrink.json").exists());
}
