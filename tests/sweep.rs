//! Where scenarios begin to fail.

use falseticker::Span;
use falseticker::units::parse_span;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Done, Lab, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("sweep finds the step back that a lease's holder survives: the lease minus its renewal margin")
            .needs("python3", "python3")
            .shown_by(lease),
        spec("sweep finds the same threshold of a lock in redis")
            .needs("python3", "python3")
            .needs("redis-server", "redis-server")
            .shown_by(redis),
        spec("sweep says where it fails already, where it holds as well, and which keys there are")
            .shown_by(answers),
    ]
}

/// The lease minus its renewal margin, in examples/sweep.
const THEORY: Span = Span::from_millis(1_500);

/// Sweeps an example: once over two values far from its threshold and one at it; or, with FALSETICKER_SWEEP_RUNS, over all of it.
fn example(lab: &Lab, name: &str) {
    let file = format!("{}/examples/sweep/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let state = lab.path("state").to_string_lossy().into_owned();
    let runs = std::env::var("FALSETICKER_SWEEP_RUNS").ok();
    let (from, to, within) = if runs.is_some() { ("0s", "-10s", "1%") } else { ("-1s", "-2s", "500ms") };
    let runs = runs.as_deref().unwrap_or("1");
    let flags =
        ["--vary", "timeline[0].jump", "--from", from, "--to", to, "--within", within, "--runs", runs];
    let done = lab.falseticker(["sweep", &file, "--state", &state, "--json"].iter().chain(&flags));
    let done = done.expect_code(0).json();
    let size = |key: &str| {
        let text = done["threshold"][key].as_str().expect("a span");
        parse_span(text).expect("a span").saturating_neg()
    };
    let (held, failed) = (size("held"), size("failed"));
    println!("sweep {name}: {held:?} to {failed:?}, {} plays (FALSETICKER_SWEEP_RUNS)", done["plays"]);
    let off = |percent: i64| Span::from_nanos(THEORY.as_nanos() / 100 * percent);
    let near = if runs == "1" { 35 } else { 5 };
    assert!(held >= off(100 - near) && failed <= off(100 + near) && held < failed, "{done}");
    assert!(!lab.path("state").exists());
}

fn lease(lab: &Lab) {
    example(lab, "lease");
}

fn redis(lab: &Lab) {
    example(lab, "redis-lock");
}

/// A program that must not stand still for long.
const SCENARIO: &str = r#"[scenario]
name = "answers"
duration = "1s"
recovery = "0s"

[nodes.a]
command = ["python3", "-c", """
import json, time
while True:
    print(json.dumps({'op': 'beat', 'mono_ns': time.monotonic_ns()}), flush=True)
    time.sleep(0.02)
"""]
ready = { output = "beat" }

[[timeline]]
at = "100ms"
node = "a"
freeze = { for = "300ms" }

[checks]
progress = "1/500ms"
"#;

fn answers(lab: &Lab) {
    std::fs::write(lab.path("s.toml"), SCENARIO).expect("a file can be written");
    let file = lab.path("s.toml").to_string_lossy().into_owned();
    let sweep = |path: &str, from: &str, to: &str, flags: &[&str]| -> Done {
        let all = ["sweep", &file, "--vary", path, "--from", from, "--to", to];
        lab.falseticker(all.iter().chain(flags))
    };
    sweep("timeline[0].freeze", "0s", "1s", &[])
        .expect_code(2)
        .expect_error("its type is table; there are for");
    sweep("timeline[1].freeze.for", "0s", "1s", &[]).expect_code(2).expect_error("there are [0] to [0]");
    sweep("timeline[0].freeze.for", "0s", "100ppm", &[]).expect_code(2).expect_error("one is a span");
    // The scenario ends before the pause would.
    sweep("timeline[0].freeze.for", "0s", "2s", &[])
        .expect_code(2)
        .expect_error("timeline[0].freeze.for = 2s");
    let held = sweep("timeline[0].freeze.for", "0s", "1ms", &["--json"]).expect_code(1).json();
    assert_eq!((&held["plays"], &held["threshold"]), (&2.into(), &Value::Null), "{held}");
    let failed = sweep("timeline[0].freeze.for", "880ms", "1ms", &[]).expect_code(1);
    assert!(failed.stdout.contains("timeline[0].freeze.for fails at 880ms already"), "{}", failed.report());
}
