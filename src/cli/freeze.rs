//! `falseticker freeze NODE [--for SPAN]`.
//!
//! What must hold: with `--for` it is over when the processes run again, however that came about; a signal that ends
//! this command thaws first (until the last process has stopped signals act as ever: the guards see to the rest).

use std::os::fd::AsFd;

use falseticker::freeze::{End, Ended, FreezeReport, Frozen, Plan, Thawed};
use falseticker::node::NodeName;
use falseticker::process::{ProcessId, cmdline};
use falseticker::units::format_span;
use falseticker::{Error, ErrorKind, HostInstant, Node, Result, Span, host_clock};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::{TimeSpec, TimeValLike};
use serde_json::{Value, json};

use super::output::{Output, Reply};
use super::table::{count, short};
use super::{exit, values};

const EXAMPLES: &str = "\
Examples:
  falseticker freeze a --for 15s            in the foreground; Ctrl-C thaws
  falseticker freeze a                      returns once all stand still

If this command is killed while it waits, SIGKILL included, the processes go on within 100 ms.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// Thaw after SPAN, and stay in the foreground until then
    #[arg(long = "for", value_name = "SPAN", allow_hyphen_values = true, value_parser = values::length)]
    pub lasts: Option<Span>,
}

/// Why a pause in the foreground is over.
enum Woken {
    /// By its plan, or by somebody else.
    Ended,
    /// By a signal to this command.
    Signal,
}

/// Freezes a node.
pub fn freeze(args: &Args, output: &Output) -> Result<Reply> {
    let node = Node::open(args.node.as_str())?;
    let end = args.lasts.map_or(End::OnThaw, End::After);
    let frozen = node.freeze(&Plan { end, ..Plan::default() })?;
    let until = frozen.until();
    let line = line(node.name(), frozen.report(), args.lasts);
    let mut json = to_json(node.name(), frozen.report(), until);
    if until.is_none() {
        // Said only once nothing can come between.
        frozen.detach()?;
        return Ok(Reply::done(line, json));
    }
    let signals = Signals::block()?;
    let since = frozen.report().last_confirmed;
    output.say(&line)?;
    let (thawed, said) = match signals.wait(&frozen)? {
        Woken::Signal => (frozen.thaw()?, None),
        Woken::Ended => {
            let thawed = frozen.wait_and_thaw()?;
            let ended = thawed.ended;
            (thawed, Some(ended))
        }
    };
    let after = short(thawed.first_resumed.saturating_since(since));
    let (how, words, code) = match said {
        None => {
            ("interrupted", format!("interrupted; thawed after {after}"), ErrorKind::Interrupted.exit_code())
        }
        Some(Ended::AsPlanned) => ("as-planned", format!("thawed after {after}"), exit::DONE),
        Some(Ended::ByRequest) => {
            ("by-request", format!("thawed by another command after {after}"), exit::DONE)
        }
        Some(Ended::GuardsLost) => {
            let words = format!("thawed after {after} already, since its guards were killed");
            ("guards-lost", words, ErrorKind::NotApplied.exit_code())
        }
    };
    json["thawed"] = thawed_json(how, &thawed);
    Ok(Reply::done(format!("node {}: {words}", node.name()), json).with_code(code))
}

/// "node a: 3 processes frozen within 1.2ms, for 5s".
fn line(node: &NodeName, report: &FreezeReport, lasts: Option<Span>) -> String {
    let stopped = count(report.processes.len(), "process", "processes");
    let within = short(report.last_confirmed.saturating_since(report.first_stop));
    let until = match lasts {
        Some(lasts) => format!(", for {}", format_span(lasts)),
        None => format!("; to go on: falseticker thaw {}", node),
    };
    let mut line = format!("node {}: {stopped} frozen within {within}{until}", node);
    if !report.found_stopped.is_empty() {
        let pids: Vec<String> = report.found_stopped.iter().map(ProcessId::to_string).collect();
        line.push_str(&format!("\n  stopped before by somebody else, and left so: {}", pids.join(" ")));
    }
    line
}

fn to_json(node: &NodeName, report: &FreezeReport, until: Option<HostInstant>) -> Value {
    let command = |id: ProcessId| cmdline(id).map(|words| words.join(" ")).unwrap_or_default();
    let processes = report.processes.iter().map(|process| {
        json!({
            "pid": process.id.pid,
            "command": command(process.id),
            "stop_sent_ns": process.stop_sent.as_nanos(),
            "confirmed_ns": process.confirmed.as_nanos(),
        })
    });
    let found = report.found_stopped.iter().map(|id| json!({ "pid": id.pid, "command": command(*id) }));
    json!({
        "node": node,
        "processes": processes.collect::<Vec<_>>(),
        "found_stopped": found.collect::<Vec<_>>(),
        "first_stop_ns": report.first_stop.as_nanos(),
        "last_confirmed_ns": report.last_confirmed.as_nanos(),
        "until_ns": until.map(HostInstant::as_nanos),
        "thawed": null,
    })
}

fn thawed_json(how: &str, thawed: &Thawed) -> Value {
    json!({
        "ended": how,
        "first_resumed_ns": thawed.first_resumed.as_nanos(),
        "confirmed_ns": thawed.confirmed.as_nanos(),
    })
}

/// The signals that end this command, as something to wait for.
struct Signals(SignalFd);

impl Signals {
    fn block() -> Result<Self> {
        let refused = |errno: Errno| Error::not_applied("wait for signals", errno.desc());
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block().map_err(refused)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map(Signals)
            .map_err(refused)
    }

    /// Waits for the end of a pause or for a signal.
    fn wait(&self, frozen: &Frozen) -> Result<Woken> {
        let until = frozen.until().unwrap_or(HostInstant::MAX);
        loop {
            let left = until.saturating_since(host_clock::monotonic()).as_nanos();
            if left <= 0 {
                return Ok(Woken::Ended);
            }
            let mut fds = [
                PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
                PollFd::new(frozen.as_fd(), PollFlags::POLLIN),
            ];
            match ppoll(&mut fds, Some(TimeSpec::nanoseconds(left)), None) {
                Err(Errno::EINTR) | Ok(0) => {}
                Err(errno) => return Err(Error::not_applied("wait for the end of the pause", errno.desc())),
                Ok(_) if fds.first().is_some_and(|fd| fd.any() == Some(true)) => return Ok(Woken::Signal),
                Ok(_) => return Ok(Woken::Ended),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use falseticker::freeze::FrozenProcess;

    use super::*;

    fn report(found_stopped: Vec<ProcessId>) -> FreezeReport {
        let at = HostInstant::from_nanos;
        // Pids that nobody has.
        let process = |pid, sent, confirmed| FrozenProcess {
            id: ProcessId { pid, start_ticks: 0 },
            stop_sent: at(sent),
            confirmed: at(confirmed),
        };
        FreezeReport {
            processes: vec![process(i32::MAX, 1_000, 4_000), process(i32::MAX - 1, 2_000, 6_000)],
            found_stopped,
            first_stop: at(1_000),
            last_confirmed: at(6_000),
        }
    }

    #[test]
    fn a_freeze_is_an_object_of_these_fields() {
        let name: NodeName = "a".parse().unwrap();
        let until = Some(HostInstant::from_nanos(9_000));
        let expected = json!({
            "node": "a",
            "processes": [
                { "pid": i32::MAX, "command": "", "stop_sent_ns": 1_000, "confirmed_ns": 4_000 },
                { "pid": i32::MAX - 1, "command": "", "stop_sent_ns": 2_000, "confirmed_ns": 6_000 },
            ],
            "found_stopped": [],
            "first_stop_ns": 1_000, "last_confirmed_ns": 6_000, "until_ns": 9_000,
            "thawed": null,
        });
        assert_eq!(to_json(&name, &report(Vec::new()), until), expected);
        let thawed = Thawed {
            ended: Ended::ByRequest,
            first_resumed: HostInstant::from_nanos(7_000),
            confirmed: HostInstant::from_nanos(8_000),
        };
        let expected = json!({ "ended": "by-request", "first_resumed_ns": 7_000, "confirmed_ns": 8_000 });
        assert_eq!(thawed_json("by-request", &thawed), expected);
    }

    #[test]
    fn who_had_been_stopped_before_is_told() {
        let name: NodeName = "a".parse().unwrap();
        let text = line(&name, &report(Vec::new()), None);
        assert_eq!(text, "node a: 2 processes frozen within 5us; to go on: falseticker thaw a");
        let text =
            line(&name, &report(vec![ProcessId { pid: 12, start_ticks: 0 }]), Some(Span::from_secs(5)));
        assert!(text.starts_with("node a: 2 processes frozen within 5us, for 5s\n"), "{text}");
        assert!(text.ends_with("left so: 12"), "{text}");
    }
}
