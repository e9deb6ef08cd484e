//! The paused leaseholder: a write is lost without fencing tokens and none with them, by each kind of fault, and the demonstration
//! tells of it. `FALSETICKER_SEEDS=20` plays each scenario with as many seeds; `FALSETICKER_TEXTBOOK=1` the minute-long one, too.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Lab, binary, count_of, eventually, spec};

const KINDS: [&str; 4] = ["freeze", "on-read", "jump", "suspend"];
const TEXTBOOK: &str = "textbook";

pub fn trials() -> Vec<Trial> {
    let kinds = KINDS.into_iter().map(|kind| {
        spec(format!("leaseholder, {kind}: a write is lost without fencing tokens, and none with them"))
            .shown_by(move |lab| differ(lab, kind))
    });
    let others = [
        spec("leaseholder, textbook: a lease of 30 s and a pause of 45 s, likewise")
            .where_possible(|| match std::env::var_os("FALSETICKER_TEXTBOOK") {
                Some(_) => Ok(()),
                None => Err("it takes minutes: FALSETICKER_TEXTBOOK=1".to_owned()),
            })
            .shown_by(|lab| differ(lab, TEXTBOOK)),
        spec("leaseholder: the two variants of a scenario differ in one word").shown_by(one_word),
        spec("leaseholder: without a fault nothing is lost, tokens or not").shown_by(without_fault),
        spec("demo tells of a write that is lost and of one that is refused, as the histories have them")
            .shown_by(demo),
        spec("demo that is interrupted leaves nothing and says so, also by a binary of another name")
            .shown_by(interrupted),
    ];
    kinds.chain(others).collect()
}

fn path(kind: &str, variant: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/leaseholder");
    folder.join(format!("{kind}-{variant}.toml"))
}

fn text(kind: &str, variant: &str) -> String {
    std::fs::read_to_string(path(kind, variant)).expect("the scenario is there")
}

/// How many seeds each is played with.
fn seeds() -> u64 {
    count_of("FALSETICKER_SEEDS", 1) as u64
}

/// A check's verdict, by its name.
fn verdict<'a>(checks: &'a Value, name: &str) -> &'a str {
    let found = checks.as_array().into_iter().flatten().find(|check| check["check"] == name);
    found.and_then(|check| check["verdict"].as_str()).unwrap_or("missing")
}

/// Plays one variant with all seeds; in how many of them the check came to that.
fn count(lab: &Lab, kind: &str, variant: &str, wanted: &[(&str, &str)]) -> u64 {
    let mut as_wanted = 0;
    for seed in 1..=seeds() {
        let history = lab.path(&format!("{kind}-{variant}-{seed}"));
        let done = lab
            .command(binary(), ["play", "--json", "--seed", &seed.to_string(), "--history"])
            .arg(&history)
            .arg(path(kind, variant))
            .done();
        let done = done.expect_code(i32::from(variant == "unsafe"));
        let checks = done.json()["checks"].clone();
        for whole in ["arrived", "programs"] {
            assert_eq!(verdict(&checks, whole), "holds", "{kind} {variant}, seed {seed}: {checks:#}");
        }
        let is_so = wanted.iter().all(|(check, wanted)| verdict(&checks, check) == *wanted);
        assert!(is_so, "{kind} {variant}, seed {seed}: {checks:#}");
        as_wanted += u64::from(is_so);
        // Both clients believe that they hold the lease in either variant: that is what the tokens are for.
        let belief = lab.command(binary(), ["check", "--rule", "mutual-exclusion"]).arg(&history).done();
        assert!(belief.expect_code(1).stdout.contains("mutual-exclusion: violated"));
        std::fs::remove_file(&history).expect("the history was written");
    }
    as_wanted
}

fn differ(lab: &Lab, kind: &str) {
    let broken = count(lab, kind, "unsafe", &[("lost-update", "violated"), ("fencing", "violated")]);
    let sound = count(lab, kind, "safe", &[("lost-update", "holds"), ("fencing", "holds")]);
    let seeds = seeds();
    println!("| {kind} | violated in {broken} of {seeds} | holds in {sound} of {seeds} |");
}

fn one_word(_: &Lab) {
    for kind in KINDS.into_iter().chain([TEXTBOOK]) {
        let word = ", \"--fencing\"";
        let safe = text(kind, "safe");
        assert_eq!(safe.matches(word).count(), 1, "{kind}");
        assert_eq!(
            safe.replace(word, "").replace("-safe.toml", "-unsafe.toml"),
            text(kind, "unsafe"),
            "{kind}"
        );
    }
}

/// The same programs for the same time, and nothing done to them: so it is the fault that breaks them.
fn without_fault(lab: &Lab) {
    let (head, rest) = text("freeze", "unsafe").split_once("[[timeline]]").map(owned).expect("a timeline");
    let (_, checks) = rest.split_once("[checks]").map(owned).expect("checks");
    let file = lab.path("calm.toml");
    let calm = format!("{head}[checks]\nmutual-exclusion = true{checks}").replace("\"4s\"", "\"2500ms\"");
    std::fs::write(&file, calm).expect("a file can be written");
    let done = lab.command(binary(), ["play", "--json"]).arg(&file).done().expect_code(0);
    let checks = done.json()["checks"].clone();
    for rule in ["mutual-exclusion", "lost-update", "fencing", "recovers-within=1s"] {
        assert_eq!(verdict(&checks, rule), "holds", "{checks:#}");
    }
}

fn owned((one, two): (&str, &str)) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

fn demo(lab: &Lab) {
    let folder = lab.path("demo");
    let done = lab.command(binary(), ["demo", "--seed", "7", "--directory"]).arg(&folder).done();
    let done = done.expect_code(0);
    let story = &done.stdout;
    let (without, with) = story.split_once("WITH FENCING TOKENS").expect("both are told");
    for said in ["FROZEN", "THAWED", "is ACCEPTED", "lost-update: violated", "fencing: violated"] {
        assert!(without.contains(said), "{said}: {story}");
    }
    for said in ["FROZEN", "THAWED", "is REFUSED", "lost-update: holds", "fencing: holds"] {
        assert!(with.contains(said), "{said}: {story}");
    }
    assert!(with.contains("(--seed 7)"), "{story}");
    for name in ["unsafe", "safe"] {
        let page = std::fs::read_to_string(folder.join(format!("{name}.html"))).expect("a report is written");
        assert!(page.contains("alice") && page.contains("lost-update"), "{name}");
    }
    // What is told stands in the histories.
    for (name, last) in [("unsafe", "ok"), ("safe", "fail")] {
        let history = folder.join(format!("{name}.history")).to_string_lossy().into_owned();
        let ops = lab.falseticker(["log", &history, "--event", "op", "--json"]).expect_code(0).json();
        let resumed =
            lab.falseticker(["log", &history, "--event", "resumed", "--json"]).expect_code(0).json();
        let thawed = resumed["lines"][0]["first_resumed_ns"].as_i64().expect("an instant");
        let first = ops["lines"].as_array().into_iter().flatten().find(|op| {
            op["op"] == "write" && op["process"] == "alice" && op["until_ns"].as_i64() > Some(thawed)
        });
        assert_eq!(first.expect("alice finishes her write")["phase"], last, "{name}");
    }
}

fn interrupted(lab: &Lab) {
    let folder = lab.path("demo");
    let renamed = lab.copy_of(Path::new(binary()), "ft");
    let mut demo = lab.command(renamed, ["demo", "--json", "--directory"]).arg(&folder).live();
    let history = folder.join("unsafe.history");
    eventually("the play has begun", || {
        std::fs::read_to_string(&history).ok().filter(|text| text.contains(r#""event":"start""#))
    });
    demo.signal(Signal::SIGINT);
    let told = demo.line();
    assert!(told.contains("interrupted"), "{told}");
    assert_eq!(demo.finish(), 130);
}
