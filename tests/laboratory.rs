//! The laboratory (`examples/laboratory/`): each failure comes with its fault, does not come without it, and its remedy prevents it.
//!
//! `FALSETICKER_SEEDS=20 cargo test --test integration -- laboratory --nocapture` plays each scenario by twenty seeds and prints the
//! table: a verdict that is not known counts as a failure, whichever of the two was expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Lab, Live, binary, count_of, spec};

/// A failure and its remedies: a folder of the laboratory.
struct Pair {
    folder: &'static str,
    sentence: &'static str,
    variants: &'static [Variant],
}

/// A scenario of it.
#[derive(Clone, Copy)]
struct Variant {
    file: &'static str,
    /// What its checks come to.
    verdict: &'static str,
    /// What its history has to show besides: that there was something to be prevented.
    shows: &'static [&'static str],
    /// Which rules are broken all the same.
    breaks: &'static [&'static str],
}

const fn broken(file: &'static str) -> Variant {
    Variant { file, verdict: "violated", shows: &[], breaks: &[] }
}

const fn sound(file: &'static str, shows: &'static [&'static str]) -> Variant {
    Variant { file, verdict: "holds", shows, breaks: &[] }
}

const PAIRS: &[Pair] = &[
    Pair {
        folder: "election",
        sentence: "a leader by lease is deposed and does not know it; a store that knows the terms refuses it",
        variants: &[
            broken("wall"),
            sound("monotonic", &[]),
            broken("paused"),
            // Two still believe at one time that they lead: that is what the terms are for.
            Variant { breaks: &["mutual-exclusion"], ..sound("terms", &[r#""op":"write","phase":"fail""#]) },
        ],
    },
    Pair {
        folder: "detector",
        sentence: "a fixed timeout has healthy workers declared dead; suspicion that is learned does not",
        variants: &[
            broken("unsafe"),
            sound("safe", &[r#""op":"dead","phase":"ok","process":"monitor","value":"x""#]),
        ],
    },
    Pair {
        folder: "payments",
        sentence: "who asks again for want of an answer pays twice; a key prevents it",
        variants: &[broken("unsafe"), sound("safe", &["Is it paid?"])],
    },
    Pair {
        folder: "last-write",
        sentence: "the last write by the wall clock is not the last one; by versions it is",
        variants: &[broken("unsafe"), sound("safe", &[])],
    },
    Pair {
        folder: "ids",
        sentence: "a generator whose clock is put back gives its numbers out again, unless it remembers",
        variants: &[broken("unsafe"), sound("safe", &[])],
    },
    Pair {
        folder: "cache",
        sentence: "a cache by the wall clock shows what has ended; by the monotonic clock it does not",
        variants: &[broken("unsafe"), sound("safe", &[])],
    },
    Pair {
        folder: "tokens",
        sentence: "a token by the wall clock is good again after its end; by the monotonic clock it is not",
        variants: &[broken("unsafe"), sound("safe", &[])],
    },
    Pair {
        folder: "durations",
        sentence: "a request takes less than nothing by the wall clock, and not by the monotonic clock",
        variants: &[broken("unsafe"), sound("safe", &[])],
    },
    Pair {
        folder: "commit-wait",
        sentence: "a later transaction has an earlier timestamp, unless commits wait, and by a bound that holds",
        variants: &[broken("unsafe"), sound("safe", &[]), broken("lying")],
    },
];

/// How many scenarios are played at a time.
const AT_A_TIME: usize = 3;

/// The lines of the table, by folder and scenario.
static TABLE: Mutex<BTreeMap<(usize, usize), String>> = Mutex::new(BTreeMap::new());

pub fn trials() -> Vec<Trial> {
    let trial = |(index, pair): (usize, &'static Pair)| {
        spec(format!("laboratory: {}", pair.sentence))
            .needs("python3", "python3")
            .shown_by(move |lab| show(lab, index, pair))
    };
    let flags = spec("laboratory: a remedy is one flag of its programs, and nothing else").shown_by(one_flag);
    PAIRS.iter().enumerate().map(trial).chain([flags]).collect()
}

/// Prints the table of what was played, if anything was.
pub fn tell() {
    let Ok(table) = TABLE.lock() else { return };
    if !table.is_empty() {
        println!("| scenario | judged by | with its fault | without it |\n| --- | --- | --- | --- |");
        table.values().for_each(|row| println!("{row}"));
    }
}

/// A scenario that is played by seed after seed.
struct Played {
    file: PathBuf,
    variant: Variant,
    /// How often it came to what it should.
    came: usize,
}

fn show(lab: &Lab, index: usize, pair: &Pair) {
    let seeds = count_of("FALSETICKER_SEEDS", 1);
    let folder = lab.path(pair.folder);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/laboratory").join(pair.folder);
    lab.command("cp", ["-rL".as_ref(), source.as_os_str(), folder.as_os_str()]).done().expect_code(0);
    let mut all = Vec::new();
    for variant in pair.variants {
        let file = folder.join(variant.file).with_extension("toml");
        all.push(Played { file: file.clone(), variant: *variant, came: 0 });
        if variant.verdict == "violated" {
            let calm = sound(variant.file, &[]);
            all.push(Played { file: without_faults(&file), variant: calm, came: 0 });
        }
    }
    let mut wrong = Vec::new();
    for seed in 1..=seeds {
        for some in all.chunks_mut(AT_A_TIME) {
            let plays: Vec<Live> = some.iter().map(|played| play(lab, &played.file, seed)).collect();
            for (played, mut live) in some.iter_mut().zip(plays) {
                let code = live.end();
                std::fs::remove_dir(nodes(lab, &played.file)).expect("it has left no nodes");
                match judged(lab, played, seed, code) {
                    Ok(()) => played.came += 1,
                    Err(why) => wrong.push(format!("{}, seed {seed}: {why}", played.file.display())),
                }
            }
        }
    }
    enter(index, pair, &all, seeds);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same scenario, to which nothing is done: its timeline is the end of the file.
fn without_faults(file: &Path) -> PathBuf {
    let text = std::fs::read_to_string(file).expect("the scenario is there");
    let (calm, timeline) = text.split_once("[[timeline]]").expect("it has a timeline");
    assert!(calm.contains("[checks]") && !timeline.contains("[nodes"), "the timeline comes last");
    let path = file.with_extension("calm.toml");
    std::fs::write(&path, calm).expect("a file can be written");
    path
}

/// Nodes of one name that are played at a time are in directories of their own.
fn nodes(lab: &Lab, file: &Path) -> PathBuf {
    lab.nodes().join(file.file_stem().expect("a file has a name"))
}

/// Each play has a history of its own: none is judged by another one's.
fn history(file: &Path, seed: usize) -> PathBuf {
    file.with_extension(format!("{seed}.history"))
}

fn play(lab: &Lab, file: &Path, seed: usize) -> Live {
    std::fs::create_dir(nodes(lab, file)).expect("a directory can be made");
    let play = lab.command(binary(), ["play", "--quiet", "--seed"]).arg(seed.to_string()).arg(file);
    let play = play.arg("--history").arg(history(file, seed));
    play.env("FALSETICKER_DIR", nodes(lab, file)).live()
}

/// Whether a play came to what it should, by its history.
fn judged(lab: &Lab, played: &Played, seed: usize, code: i32) -> Result<(), String> {
    let (variant, history) = (&played.variant, history(&played.file, seed));
    let text = std::fs::read_to_string(&history).map_err(|why| why.to_string())?;
    let lines = text.lines().filter(|line| line.contains(r#""event":"verdict""#));
    let verdicts: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    let (own, checks): (Vec<_>, Vec<_>) =
        verdicts.iter().partition(|line| line["check"] == "arrived" || line["check"] == "programs");
    let is_as_expected = code == i32::from(variant.verdict == "violated")
        && own.len() == 2
        && own.iter().all(|line| line["verdict"] == "holds")
        && !checks.is_empty()
        && checks.iter().all(|line| line["verdict"] == variant.verdict);
    if !is_as_expected {
        let last = text.lines().rev().take(8).collect::<Vec<_>>().join("\n  ");
        return Err(format!(
            "exit code {code}, and not {}; its history ends with\n  {last}",
            variant.verdict
        ));
    }
    if let Some(shown) = variant.shows.iter().find(|shown| !text.contains(**shown)) {
        return Err(format!("its history does not show {shown}"));
    }
    let is_broken =
        |rule: &&str| lab.falseticker(["check", &history.to_string_lossy(), "--rule", rule]).code == 1;
    let kept = variant.breaks.iter().find(|rule| !is_broken(rule));
    kept.map_or(Ok(()), |rule| Err(format!("{rule} is not violated")))
}

/// Enters a pair into the table: a row a scenario.
fn enter(index: usize, pair: &Pair, all: &[Played], seeds: usize) {
    let Ok(mut table) = TABLE.lock() else { return };
    let mut all = all.iter();
    for (number, variant) in pair.variants.iter().enumerate() {
        let count = |played: Option<&Played>| {
            let told = |played: &Played| format!("{} {} of {seeds}", played.variant.verdict, played.came);
            played.map(told).unwrap_or_default()
        };
        let with = count(all.next());
        let without = if variant.verdict == "violated" { count(all.next()) } else { String::new() };
        let rules = rules(pair.folder, variant.file);
        let row = format!("| `{}/{}` | {rules} | {with} | {without} |", pair.folder, variant.file);
        table.insert((index, number), row);
    }
}

/// Each remedy, beside the scenario that lacks it.
const REMEDIES: &[(&str, &str, &str, &str)] = &[
    ("election", "wall", "monotonic", "--monotonic"),
    ("election", "paused", "terms", "--terms"),
    ("detector", "unsafe", "safe", "--phi"),
    ("payments", "unsafe", "safe", "--idempotent"),
    ("last-write", "unsafe", "safe", "--versions"),
    ("ids", "unsafe", "safe", "--never-back"),
    ("cache", "unsafe", "safe", "--monotonic"),
    ("durations", "unsafe", "safe", "--monotonic"),
    ("commit-wait", "unsafe", "safe", "--commit-wait"),
];

fn one_flag(_: &Lab) {
    for (folder, broken, sound, flag) in REMEDIES {
        let (broken, sound) = (text(folder, broken), text(folder, sound));
        let word = format!(", \"{flag}\"");
        assert!(sound.contains(&word) && !broken.contains(&word), "{folder}: {flag}");
        // Terms need no good clock, and withstand what is done besides.
        let broken = if *flag == "--terms" { broken.replace(", \"--monotonic\"", "") } else { broken };
        let (broken, sound) = (deeds(&broken), deeds(&sound.replace(&word, "")));
        assert!(sound == broken || *flag == "--terms" && sound.starts_with(&broken), "{folder}: {flag}");
    }
}

/// What a scenario does: not what it is called and says of itself, nor for how long.
fn deeds(text: &str) -> String {
    let is_deed = |line: &&str| !["#", "name = ", "duration = "].iter().any(|word| line.starts_with(word));
    text.lines().filter(is_deed).map(|line| format!("{line}\n")).collect::<String>().trim().to_owned()
}

fn text(folder: &str, file: &str) -> String {
    let path = format!("{}/examples/laboratory/{folder}/{file}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// By which rules a scenario is judged.
fn rules(folder: &str, file: &str) -> String {
    let text = text(folder, file);
    let checks = text.split("[checks]\n").nth(1).unwrap_or_default();
    let names = checks.lines().map_while(|line| line.split_once(" = ")).map(|(name, _)| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}
