//! Real systems of the examples, judged: what each does on waking, or on a jump, by the checks of its scenario.
//!
//! Each verdict is asserted, also those that say that something broke: whoever mends the system will want to know. A witness must
//! not have been there before the fault. `FALSETICKER_SYSTEM_RUNS` is how often each is played.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::Value;

use super::{Scene, int};
use crate::harness::{Lab, Live, count_of, spec};

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

/// Plays all of them as often as is asked for.
fn judge(lab: &Lab, examples: &'static [Example]) {
    // PostgreSQL's own user has to come there.
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(lab.path(""), open).expect("its mode can be changed");
    let runs = count_of("FALSETICKER_SYSTEM_RUNS", 1);
    let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for run in 0..runs {
        for (example, (scene, code)) in examples.iter().zip(play(lab, examples, run)) {
            std::fs::remove_dir(nodes(lab, &scene)).expect("no node is left");
            let judged = scene.of("verdict");
            let is_judged = |rule: &&str| judged.iter().any(|verdict| verdict["check"] == *rule);
            if code != i32::from(!example.broken.is_empty()) || !example.broken.iter().all(is_judged) {
                wrong.push(format!("{}: exit code {code}", example.name));
            }
            for verdict in judged {
                let name = format!("{}, {}: {}", example.name, verdict["check"], verdict["verdict"]);
                *verdicts.entry(name).or_default() += 1;
                wrong.extend(is_wrong(example, &scene, &verdict));
            }
        }
    }
    let counts: String = verdicts.iter().map(|(verdict, count)| format!("\n  {count} x {verdict}")).collect();
    eprintln!("{runs} run(s) of each:{counts}");
    assert!(wrong.is_empty(), "in {runs} run(s):{counts}\n{}", wrong.join("\n"));
}

/// Plays all of them at once, since they mostly wait: their exit codes.
fn play<'a>(lab: &'a Lab, examples: &[Example], run: usize) -> Vec<(Scene<'a>, i32)> {
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

fn scene<'a>(lab: &'a Lab, example: &Example, run: usize) -> Scene<'a> {
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

/// Why a verdict is not what it must be, if so.
fn is_wrong(example: &Example, scene: &Scene<'_>, verdict: &Value) -> Option<String> {
    let check = verdict["check"].as_str().expect("a verdict names its check");
    let is_broken = example.broken.contains(&check);
    let wanted = if is_broken { "violated" } else { "holds" };
    if verdict["verdict"] != wanted {
        return Some(format!("{}: {check} must be {wanted}: {verdict}", example.name));
    }
    let witness = verdict["witness"].as_array().map(Vec::as_slice).unwrap_or_default();
    let done = witness.iter().map(|seen| int(seen, "until_ns")).max();
    // A pause shows once it is over, a jump when it has been read.
    let pauses = scene.of("resumed").into_iter().map(|line| int(&line, "first_resumed_ns"));
    let jumps = scene.of("applied").into_iter().map(|line| int(&line, "at_ns"));
    let is_shown = !is_broken || pauses.chain(jumps).any(|fault| Some(fault) < done);
    (!is_shown).then(|| format!("{}: it was so before the fault: {verdict}", example.name))
}
