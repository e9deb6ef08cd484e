//! What is written and what is refused; verdicts as JUnit's XML.

use libtest_mimic::Trial;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::{Value, json};

use super::made;
use crate::harness::{Lab, binary, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("report writes the page beside the history, or what is named, and never over a file that is there")
            .shown_by(writes),
        spec("report shows Jepsen's operations and judges them, and refuses what is no history").shown_by(jepsens),
        spec("check writes its verdicts as JUnit's XML, which says the same").shown_by(judged),
        spec("play writes its verdicts as JUnit's XML, and their report shows the clocks that it faulted")
            .shown_by(played),
    ]
}

fn writes(lab: &Lab) {
    let history = lab.path("h");
    std::fs::write(&history, made::history(2_000).text()).expect("a file can be written");
    let report = |flags: &[&str]| lab.command(binary(), ["report"]).arg(&history).args(flags).done();
    let page = || std::fs::read(lab.path("h.html")).expect("it is there");
    assert!(report(&[]).expect_code(0).stdout.contains("h.html"));
    let first = page();
    // The same history is the same page; nothing of the machine or the instant is in it.
    report(&["--overwrite"]).expect_code(0);
    assert!(page() == first, "the same history has another page");
    report(&[]).expect_code(2).expect_error("there is a file of that name");
    let named = |name: &str| lab.path(name).to_string_lossy().into_owned();
    let (svg, png) = (named("h.svg"), named("h.png"));
    let told = report(&["--svg", &svg, "--png", &png, "--json"]).expect_code(0).json();
    let formats: Vec<&Value> =
        told["files"].as_array().into_iter().flatten().map(|file| &file["format"]).collect();
    assert_eq!(formats, [&json!("svg"), &json!("png")]);
    let text = std::fs::read_to_string(&svg).expect("it is text");
    for shown in made::NODES.iter().chain(&["lost-update: violated", "1.1", "1.2"]) {
        assert!(text.contains(shown), "{shown}");
    }
    assert!(!text.contains("its rate"), "no clock of it had one of its own");
    let bytes = std::fs::read(&png).expect("it is there");
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("it is a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
    reader.next_frame(&mut pixels).expect("all of it is there");
    // The vermilion of a violation is in it.
    assert!(pixels.chunks(3).any(|pixel| pixel == [192, 74, 0]));
    report(&["-o", "/nonexistent/h.html"]).expect_code(2).expect_error("No such file");
    report(&["--rule", "fence", "--overwrite"]).expect_code(2).expect_error("there is none of that name");
}

/// A write that is read after it was replaced.
const STALE: &str = r"{:type :invoke, :f :write, :value 1, :process 0, :time 0}
{:type :ok, :f :write, :value 1, :process 0, :time 1000}
{:type :invoke, :f :write, :value 2, :process 0, :time 2000}
{:type :ok, :f :write, :value 2, :process 0, :time 3000}
{:type :invoke, :f :read, :value nil, :process 1, :time 4000}
{:type :ok, :f :read, :value 1, :process 1, :time 5000}
";

fn jepsens(lab: &Lab) {
    let history = lab.path("jepsen.edn");
    let report = |text: &str| {
        std::fs::write(&history, text).expect("a file can be written");
        lab.command(binary(), ["report", "--overwrite", "--json"]).arg(&history).done()
    };
    let checks = report(STALE).expect_code(0).json()["checks"].clone();
    let verdict = |name: &str| {
        let found = checks.as_array().into_iter().flatten().find(|check| check["check"] == name);
        found.map(|check| check["verdict"].clone())
    };
    assert_eq!(verdict("stale-read"), Some(json!("violated")));
    assert_eq!(verdict("fencing"), Some(json!("unknown")));
    let page = std::fs::read_to_string(lab.path("jepsen.edn.html")).expect("it is there");
    for shown in ["stale-read: <strong>violated</strong>", "2us to 3us", "ops: 1", "3 operations"] {
        assert!(page.contains(shown), "{shown}");
    }
    // Without times there is an order, and no seconds.
    let ordered: String = STALE
        .lines()
        .map(|line| format!("{}}}\n", &line[..line.find(", :time").expect("it has one")]))
        .collect();
    report(&ordered).expect_code(0);
    let page = std::fs::read_to_string(lab.path("jepsen.edn.html")).expect("it is there");
    assert!(page.contains("order of the lines") && page.contains("line 3 to line 4"));
    report("hello\n").expect_code(2).expect_error("line 1 is no header of a history");
    report("").expect_code(2).expect_error("it is empty");
}

/// Compares XML with verdicts as objects.
#[track_caller]
fn says_the_same(xml: &[u8], checks: &Value) {
    let text = std::str::from_utf8(xml).expect("it is text");
    let report = Report::deserialize_from_str(text).expect("it is JUnit's XML");
    let cases = &report.test_suites[0].test_cases;
    let checks = checks.as_array().expect("there are verdicts");
    assert!(!checks.is_empty() && cases.len() == checks.len(), "{text}");
    for (case, check) in cases.iter().zip(checks) {
        assert_eq!(case.name.as_str(), check["check"]);
        let why = check["why"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let why = why.collect::<Vec<_>>().join("; ");
        match (&case.status, check["verdict"].as_str()) {
            (TestCaseStatus::Success { .. }, Some("holds")) => {}
            (TestCaseStatus::Skipped { message, .. }, Some("unknown")) => {
                assert_eq!(message.as_ref().map(|text| text.as_str()), Some(why.as_str()));
            }
            (
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, message, description, .. },
                Some("violated"),
            ) => {
                assert_eq!(message.as_ref().map(|text| text.as_str()), Some(why.as_str()));
                for seen in check["witness"].as_array().into_iter().flatten() {
                    let what = seen["what"].as_str().expect("it is a text");
                    assert!(description.as_ref().is_some_and(|text| text.contains(what)), "{what}: {text}");
                }
            }
            (status, verdict) => panic!("{verdict:?} is told as {status:?}"),
        }
    }
    let failures = checks.iter().filter(|check| check["verdict"] == "violated").count();
    assert_eq!((report.failures, report.errors), (failures, 0));
}

fn judged(lab: &Lab) {
    let (history, xml) = (lab.path("jepsen.edn"), lab.path("checks.xml"));
    std::fs::write(&history, STALE.replace(":f :read, :value 1", ":f :read, :value \"<&]]>\\\"\""))
        .expect("a file can be written");
    let check = |flags: &[&str]| {
        lab.command(binary(), ["check", "--json", "--junit"]).arg(&xml).arg(&history).args(flags).done()
    };
    let told = check(&[]).expect_code(1).json();
    says_the_same(&std::fs::read(&xml).expect("it is there"), &told["checks"]);
    check(&[]).expect_code(2).expect_error("there is a file of that name");
    let told = check(&["--overwrite", "--rule", "fencing"]).expect_code(0).json();
    says_the_same(&std::fs::read(&xml).expect("it is there"), &told["checks"]);
}

/// A node whose clock is stepped and drifts, and which is frozen, and whose program tells of writes by tokens that go back.
const SCENARIO: &str = r#"[scenario]
name = "reported"
duration = "900ms"
recovery = "200ms"

[nodes.storage]
command = ["bash", "-c", '''
echo '{"op": "write", "process": "s", "value": 1, "token": 2}'
echo '{"op": "write", "process": "s", "value": 2, "token": 1}'
exec 9<> <(:)
while :; do : $EPOCHREALTIME; read -t 0.02 -u 9; done''']

[[timeline]]
at = "200ms"
node = "storage"
jump = { by = "-5s", for = "300ms" }

[[timeline]]
at = "600ms"
node = "storage"
freeze = { for = "100ms" }

[[timeline]]
at = "750ms"
node = "storage"
drift = { rate = "1000ppm", for = "100ms" }

[checks]
fencing = true
stale-read = true
"#;

fn played(lab: &Lab) {
    let path = |name: &str| lab.path(name).to_string_lossy().into_owned();
    let (file, history, xml) = (path("s.toml"), path("h"), path("checks.xml"));
    std::fs::write(&file, SCENARIO).expect("a file can be written");
    let play = || lab.falseticker(["play", &file, "--json", "--history", &history, "--junit", &xml]);
    let told = play().expect_code(1).json();
    says_the_same(&std::fs::read(&xml).expect("it is there"), &told["checks"]);
    shows_clocks(lab, &history);
    let svg = path("h.svg");
    lab.falseticker(["report", &history, "--svg", &svg]).expect_code(0);
    let picture = std::fs::read_to_string(&svg).expect("it is text");
    assert!(picture.contains("its rate") && picture.contains("1000 ppm"), "{picture}");
    // What would be lost is refused before anything is started.
    std::fs::remove_file(&history).expect("it is there");
    play().expect_code(2).expect_error("there is a file of that name");
    assert!(!lab.path("h").exists());
}

/// The edges of a step are where it was applied, and not where the clock was sampled next; the pause is between its instants.
fn shows_clocks(lab: &Lab, history: &str) {
    lab.falseticker(["report", history]).expect_code(0);
    let page = std::fs::read_to_string(format!("{history}.html")).expect("it is there");
    let json = page.split(r#"id="data">"#).nth(1).and_then(|rest| rest.split("</script>").next());
    let data: Value = serde_json::from_str(json.expect("it has data")).expect("it is JSON");
    let numbers = |list: &Value| -> Vec<f64> {
        list.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let (at, off) = (numbers(&data["curves"]["at"]), &data["curves"]["off"][0]);
    let shown = |instant: f64| {
        let index =
            at.iter().position(|at| (at - instant).abs() < 4e-10).expect("the instant is in the curve");
        off[index].as_f64().expect("it is known")
    };
    assert!(shown(0.2 - 1e-9).abs() < 1e-6 && (shown(0.2) + 5.0).abs() < 1e-6, "{data}");
    assert!((shown(0.5 - 1e-9) + 5.0).abs() < 1e-6 && shown(0.5).abs() < 1e-6, "{data}");
    let (kinds, from, until) =
        (data["bars"]["kind"].as_array(), numbers(&data["bars"]["from"]), numbers(&data["bars"]["until"]));
    let frozen =
        kinds.and_then(|kinds| kinds.iter().position(|kind| kind == "frozen")).expect("there is a pause");
    assert!(from[frozen] >= 0.6 && until[frozen] - from[frozen] > 0.05, "{data}");
}
