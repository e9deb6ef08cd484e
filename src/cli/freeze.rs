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
    let line = line(&node, frozen.report(), args.lasts);
    let mut json = to_json(&node, frozen.report(), until);
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
fn line(node: &Node, report: &FreezeReport, lasts: Option<Span>) -> String {
    let stopped = count(report.processes.len(), "process", "processes");
    let within = short(report.last_confirmed.saturating_since(report.first_stop));
    let until = match lasts {
        Some(lasts) => format!(", for {}", format_span(lasts)),
        None => format!("; to go on: falseticker thaw {}", node.name()),
    };
    let mut line = format!("node {}: {stopped} frozen within {within}{until}", node.name());
    if !report.found_stopped.is_empty() {
        let pids: Vec<String> = report.found_stopped.iter().map(ProcessId::to_string).collect();
        line.push_str(&format!("\n  stopped before by somebody else, and left so: {}", pids.join(" ")));
    }
    line
}

fn to_json(node: &Node, report: &FreezeReport, until: Option<HostInstant>) -> Value {
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
        "node": node.name(),
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
