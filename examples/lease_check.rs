//! A program's lease, judged in a `#[test]` of its own: `cargo test --example lease_check`, or `cargo run --example lease_check`.
//!
//! Two clients take turns at a lease of two seconds, which a file grants by the time since boot; they give it back after one and a half. One measures what is left of it by the
//! wall clock, and that steps back by a minute: it works on while the other one has been given the lease. They print what they do as
//! operations, and `mutual-exclusion` judges whether there were ever two holders at one true instant.

use falseticker::history::Verdict;
use falseticker::player::{Options, play};
use falseticker::scenario::action::{Action, Jump};
use falseticker::scenario::{After, Program, Scenario};
use falseticker::{Result, Span};

/// The program under test; times are hundredths of a second. Bash reads its wall clock itself, `/proc/uptime` is the kernel's own.
const CLIENT: &str = r#"
    exec 9<> <(:)
    wall() { now=$((${EPOCHREALTIME/./} / 10000)); }
    boot() { read -r now _ < /proc/uptime; now=${now/./}; }
    tell() {
        boot
        printf '{"op": "%s", "phase": "%s", "process": "%s", "mono_ns": %d}\n' "$1" "$2" "$name" $((now * 10000000))
    }
    free() { boot; read -r until < "$lease"; ((now >= until)); }
    name=$0 clock=$1 lease=$2
    exec 8<> "$lease"
    while tell acquire invoke; do
        while flock 8; ! free; do flock -u 8; read -t 0.02 -u 9; done
        echo $((now + 200)) > "$lease"
        flock -u 8
        tell acquire ok
        $clock; end=$((now + 150))
        while $clock; ((now < end)); do tell hold ok; read -t 0.02 -u 9; done
        tell release ok
    done"#;

/// Whether two clients ever hold the lease at once when the clock of one of them steps back.
fn two_hold_it(clock: &str) -> Result<Verdict> {
    let lease = std::env::temp_dir().join(format!("lease-{clock}-{}", std::process::id()));
    let client = |name: &str| Program::new(["bash", "-c", CLIENT, name, clock, &lease.to_string_lossy()]);
    let says_hold =
        After { output: Some("hold".to_owned()), node: Some(format!("a-{clock}")), ..After::default() };
    let back = Jump { by: Span::from_secs(-60), ..Jump::default() };
    let scenario = Scenario::builder("two clients and a lease", Span::from_secs(4))
        .node(&format!("a-{clock}"), client("a").ready_when_it_says("hold"))
        .node(&format!("b-{clock}"), Program { needs: vec![format!("a-{clock}")], ..client("b") })
        .after(says_hold, &format!("a-{clock}"), Action::Jump(back))
        .check("mutual-exclusion".parse()?)
        .build()?;
    let outcome = play(&scenario, Options::default());
    let _ = std::fs::remove_file(&lease);
    let checks = outcome?.checks;
    Ok(checks.last().expect("the rule's verdict").verdict)
}

fn main() -> Result<()> {
    for (clock, what) in [("wall", "the wall clock"), ("boot", "the time since boot")] {
        println!("no two holders of a lease by {what}: {}", two_hold_it(clock)?.word());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_by_the_wall_clock_has_two_holders_when_it_steps_back() -> Result<()> {
        assert_eq!(two_hold_it("wall")?, Verdict::Violated);
        Ok(())
    }

    #[test]
    fn a_lease_by_the_time_since_boot_never_has() -> Result<()> {
        assert_eq!(two_hold_it("boot")?, Verdict::Holds);
        Ok(())
    }
}
