//! Real systems of the examples, judged: what each does on waking, or on a jump, by the checks of its scenario.
//!
//! Each verdict is asserted, also those that say that something broke: whoever mends the system will want to know. A witness must
//! not have been there before the fault. `FALSETICKER_SYSTEM_RUNS` is how often each is played; what was played again is printed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::Value;

use super::{Scene, int};
use crate::harness::{Lab, Live, count_of, spec};

/// How many more plays a system gets to break what it is known to break.
const AGAIN: usize = 2;

/// A scenario, and which of its checks are violated. All others hold, and so do the verdicts that come with every scenario.
struct Example {
    name: &'static str,
    broken: &'static [&'static str],
}

const fn example(name: &'static str, broken: &'static [&'static str]) -> Example {
    Example { name, broken }
}

// Of each, whichever takes longest comes first.
const ETCD: &[Example] = &[example("etcd", &[]), example("etcd-serializable", &["stale-read"])];
const REDIS: &[Example] = &[
    example("redis-sentinel", &["stale-read", "unique-ids"]),
    example("redis-wait", &[]),
    example("redis-lock", &["mutual-exclusion"]),
];
const ZOOKEEPER: &[Example] =
    &[example("zookeeper", &["linearizable"]), example("zookeeper-sync", &["linearizable"])];
const POSTGRESQL: &[Example] = &[
    example("postgresql", &["monotonic-timestamps", "no-negative-durations"]),
    example("postgresql-latest", &["stale-read"]),
];

pub fn trials() -> Vec<Trial> {
    vec![
        spec(
            "systems: an etcd leader answers a serializable read with what is replaced, on waking, and no linearizable one",
        )
        .needs("etcd", "etcd-server")
        .needs("etcdctl", "etcd-client")
        .needs("python3", "python3")
        .shown_by(|lab| judge(lab, ETCD)),
        spec("systems: a redis master loses writes on waking, unless they wait for a replica, and a lock on a jump")
            .needs("redis-server", "redis-server")
            .needs("redis-cli", "redis-tools")
            .needs("python3", "python3")
            .shown_by(|lab| judge(lab, REDIS)),
        spec("systems: a ZooKeeper leader reads what is replaced for half a tick, on waking, after a sync too")
            .needs("java", "openjdk-17-jdk-headless")
            .needs("/usr/share/java/zookeeper.jar", "zookeeper")
            .needs("python3", "python3")
            .shown_by(|lab| judge(lab, ZOOKEEPER)),
        spec("systems: PostgreSQL keeps its data through a pause and a jump, and its time goes back")
            .needs("psql", "postgresql-client")
            .needs("/usr/lib/postgresql", "postgresql")
            .needs("python3", "python3")
            .shown_by(|lab| judge(lab, POSTGRESQL)),
    ]
}

/// Plays all of them as often as is asked for. What a system breaks by losing a race it may also win, on a machine that is busy
/// elsewhere: it gets [`AGAIN`] more plays to break it. A rule that holds does so in all of them.
fn judge(lab: &Lab, examples: &'static [Example]) {
    // PostgreSQL's own user has to come there.
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(lab.path(""), open).expect("its mode can be changed");
    let runs = count_of("FALSETICKER_SYSTEM_RUNS", 1);
    let mut seen = Seen::default();
    for run in 0..runs {
        for (example, (scene, code)) in examples.iter().zip(play(lab, examples, &run.to_string())) {
            let mut missed = seen.take(lab, example, &scene, code);
            for again in 0..AGAIN {
                if missed.is_empty() {
                    break;
                }
                eprintln!("{}: {missed:?} not violated; played again", example.name);
                let (scene, code) =
                    play(lab, std::slice::from_ref(example), &format!("{run}-{again}")).remove(0);
                missed = seen.take(lab, example, &scene, code);
            }
            seen.wrong
                .extend(missed.iter().map(|rule| format!("{}: {rule} is never violated", example.name)));
        }
    }
    let counts: String =
        seen.verdicts.iter().map(|(verdict, count)| format!("\n  {count} x {verdict}")).collect();
    eprintln!("{runs} run(s) of each:{counts}");
    assert!(seen.wrong.is_empty(), "in {runs} run(s):{counts}\n{}", seen.wrong.join("\n"));
}

/// What came of the plays.
#[derive(Default)]
struct Seen {
    verdicts: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Seen {
    /// Takes a play's verdicts down; which rules the system was to break in it, and has not.
    fn take(&mut self, lab: &Lab, example: &Example, scene: &Scene<'_>, code: i32) -> Vec<&'static str> {
        std::fs::remove_dir(nodes(lab, scene)).expect("no node is left");
        let judged = scene.of("verdict");
        for verdict in &judged {
            let name = format!("{}, {}: {}", example.name, verdict["check"], verdict["verdict"]);
            *self.verdicts.entry(name).or_default() += 1;
            self.wrong.extend(is_wrong(example, scene, verdict));
        }
        let is_violated = |verdict: &Value| verdict["verdict"] == "violated";
        if code != i32::from(judged.iter().any(is_violated)) {
            self.wrong.push(format!("{}: exit code {code}", example.name));
        }
        let of = |rule: &str| judged.iter().find(|verdict| verdict["check"] == rule);
        example.broken.iter().copied().filter(|rule| !of(rule).is_some_and(is_violated)).collect()
    }
}

/// Plays all of them at once, since they mostly wait: their exit codes.
fn play<'a>(lab: &'a Lab, examples: &[Example], run: &str) -> Vec<(Scene<'a>, i32)> {
    let scenes: Vec<Scene> = examples.iter().map(|example| scene(lab, example, run)).collect();
    let mut live: Vec<Live> = scenes.iter().skip(1).map(|scene| apart(lab, scene).live()).collect();
    let mut codes = vec![apart(lab, &scenes[0]).done().code];
    codes.extend(live.iter_mut().map(Live::end));
    let begun = |(scene, code)| {
        let code = begun(lab, &scene, code);
        (scene, code)
    };
    scenes.into_iter().zip(codes).map(begun).collect()
}

fn scene<'a>(lab: &'a Lab, example: &Example, run: &str) -> Scene<'a> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example.name).with_extension("toml");
    Scene { lab, file, history: lab.path(&format!("{}-{run}.history", example.name)) }
}

/// Where its nodes are: those of two scenarios may have the same names.
fn nodes(lab: &Lab, scene: &Scene<'_>) -> PathBuf {
    lab.nodes().join(scene.history.file_stem().expect("it has a name"))
}

fn apart(lab: &Lab, scene: &Scene<'_>) -> crate::harness::Command {
    let nodes = nodes(lab, scene);
    std::fs::create_dir_all(&nodes).expect("a directory can be made");
    scene.command(&["--quiet", "--seed", "3"]).env("FALSETICKER_DIR", nodes)
}

/// The exit code of a play; of another one, if the machine was too busy to begin with it.
fn begun(lab: &Lab, scene: &Scene<'_>, code: i32) -> i32 {
    let has_begun = code != 3 || !scene.of("start").is_empty();
    if has_begun { code } else { apart(lab, scene).arg("--overwrite").done().code }
}

/// Why a verdict is not what it may be, if so.
fn is_wrong(example: &Example, scene: &Scene<'_>, verdict: &Value) -> Option<String> {
    let check = verdict["check"].as_str().expect("a verdict names its check");
    let is_broken = example.broken.contains(&check);
    match verdict["verdict"].as_str() {
        Some("holds") => return None,
        Some("violated") if is_broken => {}
        _ => return Some(format!("{}: {check} must hold: {verdict}", example.name)),
    }
    let witness = verdict["witness"].as_array().map(Vec::as_slice).unwrap_or_default();
    let done = witness.iter().map(|seen| int(seen, "until_ns")).max();
    // A pause shows once it is over, a jump when it has been read.
    let pauses = scene.of("resumed").into_iter().map(|line| int(&line, "first_resumed_ns"));
    let jumps = scene.of("applied").into_iter().map(|line| int(&line, "at_ns"));
    let is_shown = pauses.chain(jumps).any(|fault| Some(fault) < done);
    (!is_shown).then(|| format!("{}: it was so before the fault: {verdict}", example.name))
}
