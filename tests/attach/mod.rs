//! Running processes that join a node, and leave it: without restart, without a wrong reading, or not at all.

mod cycles;
mod follow;
mod join;
mod programs;
mod refuse;
mod safe;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Lab, Live, Probe, SECOND};

const HOUR: i64 = 3600 * SECOND;

pub fn trials() -> Vec<Trial> {
    [join::trials(), refuse::trials(), safe::trials(), follow::trials(), cycles::trials(), programs::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// `attach --pid PID --node NODE`.
#[track_caller]
fn attach(lab: &Lab, node: &str, pid: i32) -> Value {
    let said = lab
        .falseticker(["attach", "--pid", &pid.to_string(), "--node", node, "--json"])
        .expect_code(0)
        .json();
    said["attached"][0].clone()
}

/// `detach --pid PID`.
#[track_caller]
fn detach(lab: &Lab, pid: i32) -> Value {
    let said = lab.falseticker(["detach", "--pid", &pid.to_string(), "--json"]).expect_code(0).json();
    said["detached"][0].clone()
}

/// The probe, in no node.
#[track_caller]
fn bare_probe(lab: &Lab) -> Probe {
    Probe::new(lab.bare_live(lab.target("probe").path(), [""; 0]))
}

/// Has a node go whose last process has ended: the next command sweeps it.
#[track_caller]
fn sweep(lab: &Lab) {
    lab.falseticker(["status"]).expect_code(0);
}

/// The bytes of a process's vDSO.
#[track_caller]
fn vdso_of(pid: i32) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("it has a vDSO");
    let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
    let address = |text: &str| u64::from_str_radix(text, 16).expect("an address");
    let (from, to) = (address(from), address(to));
    let mut bytes = vec![0; usize::try_from(to - from).expect("it is small")];
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).expect("its memory may be read");
    memory.read_exact_at(&mut bytes, from).expect("it is mapped");
    bytes
}

/// The numbers of the line that follows a word.
#[track_caller]
fn numbers(live: &mut Live, word: &str) -> Vec<i64> {
    let line = live.line_where(|line| line.starts_with(word));
    line.split(' ')
        .skip(1)
        .map(|number| number.parse().unwrap_or_else(|_| panic!("it says {line:?}")))
        .collect()
}

/// Who a live program says that it is: "WORD PID".
#[track_caller]
fn says_pid(live: &mut Live, word: &str) -> i32 {
    i32::try_from(numbers(live, word)[0]).expect("a pid")
}
