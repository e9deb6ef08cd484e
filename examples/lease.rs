//! A program's lease, tested from a `#[test]`: `cargo test --example lease`, or `cargo run --example lease` to watch it.
//!
//! The program holds a lease of two seconds and works until it is over. One variant measures the lease by the wall
//! clock, the other by the time since boot. When the wall clock steps back, the first one goes on working long after
//! everybody else has taken its lease for expired: two holders, if the next one has come.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use falseticker::fault::{Clocks, Jump};
use falseticker::{HostInstant, Node, Result, Span, host_clock};

/// How long the lease is, by everybody else's account.
const LEASE: Span = Span::from_secs(2);

/// The program under test: bash reads its clock itself, and `/proc/uptime` is the kernel's own.
const BY_WALL_CLOCK: &str = r#"
    let end=EPOCHSECONDS+2
    while ((EPOCHSECONDS < end)); do echo works; sleep 0.05; done"#;
const BY_UPTIME: &str = r#"
    uptime() { read -r up _ < /proc/uptime; up=${up%.*}; }
    uptime; let end=up+2
    while uptime; ((up < end)); do echo works; sleep 0.05; done"#;

/// A holder that works, in a node of its own.
struct Holder {
    process: Child,
    output: BufReader<ChildStdout>,
    acquired: HostInstant,
}

impl Holder {
    fn start(node: &Node, program: &str) -> Self {
        let mut command = node.command("bash");
        let mut process =
            command.args(["-c", program]).stdout(Stdio::piped()).spawn().expect("bash is installed");
        let output = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        let mut holder = Holder { process, output, acquired: host_clock::monotonic() };
        assert!(holder.works(), "it has the lease");
        holder
    }

    /// Waits for its next sign of work; false once it has stopped.
    fn works(&mut self) -> bool {
        let mut line = String::new();
        self.output.read_line(&mut line).is_ok_and(|length| length > 0)
    }

    /// Whether it still works a good second after its lease is over by the true clock.
    fn outlives_its_lease(mut self) -> bool {
        let over = self.acquired.saturating_add(LEASE).saturating_add(Span::from_millis(1500));
        let mut alive = true;
        while alive && host_clock::monotonic() < over {
            alive = self.works();
        }
        self.process.kill().ok();
        self.process.wait().ok();
        alive
    }
}

/// Whether a holder outlives its lease when its wall clock steps back by a minute.
fn breaks_when_the_clock_steps_back(program: &str) -> Result<bool> {
    let node = Node::create(&format!("lease-{}-{}", std::process::id(), program.len()))?;
    let holder = Holder::start(&node, program);
    node.fault(Jump { by: Span::from_secs(-60) }, Clocks::Wall, None)?;
    Ok(holder.outlives_its_lease())
}

fn main() -> Result<()> {
    for (name, program) in [("the wall clock", BY_WALL_CLOCK), ("the time since boot", BY_UPTIME)] {
        let broken = breaks_when_the_clock_steps_back(program)?;
        println!("a lease by {name}: {}", if broken { "still worked upon after its end" } else { "safe" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_by_the_wall_clock_is_outlived_when_the_clock_steps_back() -> Result<()> {
        assert!(breaks_when_the_clock_steps_back(BY_WALL_CLOCK)?);
        Ok(())
    }

    #[test]
    fn a_lease_by_the_time_since_boot_is_safe() -> Result<()> {
        assert!(!breaks_when_the_clock_steps_back(BY_UPTIME)?);
        Ok(())
    }

    #[test]
    fn the_holder_has_read_its_clock_under_the_fault() -> Result<()> {
        let node = Node::create(&format!("lease-evidence-{}", std::process::id()))?;
        let mut holder = Holder::start(&node, BY_WALL_CLOCK);
        let jump = node.fault(Jump { by: Span::from_secs(-60) }, Clocks::Wall, None)?;
        let (mut read, until) = (false, host_clock::monotonic().saturating_add(Span::from_secs(5)));
        // Its children that sleep read no clock, so the answer is not yes for all; its own is.
        while !read && host_clock::monotonic() < until {
            let answer = node.wait_until_read(&jump, Span::from_millis(50))?;
            let pid = i32::try_from(holder.process.id()).expect("a pid");
            read = answer.asked.iter().any(|asked| asked.id.pid == pid && asked.latency.is_some());
        }
        assert!(read, "bash reads its clock 20 times a second");
        holder.process.kill().ok();
        holder.process.wait().ok();
        Ok(())
    }
}
