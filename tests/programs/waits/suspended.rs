//! Programs that are suspended: they tick on afterwards as before, and none of them makes up for what its clocks have not
//! counted. (Frozen alone for as long, Erlang's send_interval ticks 40 times at once.)

use libtest_mimic::Trial;

use super::Program;
use super::ticker::{PERIOD, Ticker, between, seconds};
use crate::harness::{Lab, SECOND, spec};

const SUSPENDED: i64 = 2 * SECOND;
/// For how long ticks are counted afterwards.
const SPAN: std::time::Duration = std::time::Duration::from_millis(1000);

pub fn trials(programs: impl Iterator<Item = Program>) -> Vec<Trial> {
    let trial = |program: Program| {
        let sentence = format!("suspend: {} ticks on afterwards, and makes up for nothing", program.name);
        let spec =
            program.needs.iter().fold(spec(sentence), |spec, (path, package)| spec.needs(path, package));
        spec.shown_by(move |lab| ticks_on(lab, &(program.words)(lab)))
    };
    programs.map(trial).collect()
}

fn ticks_on(lab: &Lab, program: &[String]) {
    let mut bare = Ticker::new(lab.bare_live(&program[0], &program[1..]));
    let mut ticker = Ticker::new(lab.run("a", &["--monotonic"], program).live());
    // What a program does at its start is over when it has ticked.
    std::thread::sleep(SPAN / 2);
    let begin = ticker.look();
    let said = lab.fault_json(&["suspend", "a", "--for", "2s"]);
    assert_eq!(said["unfollowed"], serde_json::json!([]));
    let woken = [bare.look(), ticker.look()];
    std::thread::sleep(SPAN);
    let end = [bare.look(), ticker.look()];
    let mut report = String::new();
    for way in begin.ways.keys() {
        let (during, early) = between(&begin, &woken[1], way);
        let [beside, after] = [0, 1].map(|which| between(&woken[which], &end[which], way));
        let most = seconds(begin.at, woken[1].at - SUSPENDED) / PERIOD.as_secs_f64();
        report += &format!(" {way} {during}/{} ({})", after.0, beside.0);
        let what = format!(
            "{way}: {during} ticks of at most {most:.1} while it was suspended, {} after it, bare {}; {} early",
            after.0,
            beside.0,
            early + after.1
        );
        assert!(during <= most * 1.25 + 5.0, "it makes up for what its clock has not counted: {what}");
        assert!(after.0 >= beside.0 / 2.0 - 2.0, "it hardly ticks: {what}");
        assert_eq!(early + after.1, 0, "waits return before their time: {what}");
    }
    eprintln!(
        "{}: ticks while suspended/in {SPAN:?} after it (bare):{report}",
        program[0].rsplit('/').next().unwrap_or_default()
    );
    assert_eq!([bare.live.finish(), ticker.live.finish()], [0, 0]);
}
