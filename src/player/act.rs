//! What is done when its time has come, each thing in a thread of its own: pauses, kills, commands, and whatever waits for
//! something.
//!
//! What must hold: the thread is there before the instant, and sleeps until it; what it did, and how late, is written down;
//! what it could not do is told with the reason, and never taken for done. When the timeline is over it ends at once what it
//! has begun.

use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::signal::Signal;

use super::command;
use super::shared::{News, Shared, lock};
use crate::error::{Error, Result};
use crate::freeze::{self, End, Ended, Frozen, How, Thawed};
use crate::history::{Event, HeldProcess};
use crate::process::PidFd;
use crate::scenario::action::{Action, Freeze, Kill, Run};
use crate::scenario::{Due, Planned, Port, Target};
use crate::trap::Hold;
use crate::trigger::{self, OnCommand, OnConnect, OnFile, POLL, Trigger, Waited};
use crate::{HostInstant, Span, host_clock, raw};

/// How long before its instant a freeze looks for its processes, which takes some milliseconds.
const LOOK_AHEAD: Span = Span::from_millis(4);
/// How long before its instant a freeze makes its guards. Not sooner: a node has room for eight freezes at a time.
const PREPARE: Span = Span::from_millis(60);
/// For how long a freeze is tried: a process that is just executing something is traced for that moment.
const TRY_FOR: Span = Span::from_millis(100);
const TRY_AGAIN: Span = Span::from_millis(5);
/// How often who is being killed is looked for again: he may just have been forked.
const ROUNDS: usize = 20;

/// Does what is planned, at its instant, or when what it waits for has happened.
pub fn act(shared: &Shared<'_>, planned: &Planned, due: Option<HostInstant>, dir: &Path) {
    let result = match &planned.due {
        Due::After(after) if due.is_none() => wait_and_do(shared, planned, after, dir),
        _ => due.map_or(Ok(()), |due| at_its_time(shared, planned, due, dir)),
    };
    // What was cut short by the end of the timeline has been told as far as it came.
    if let Err(why) = result {
        failed(shared, planned, &why);
    }
}

fn failed(shared: &Shared<'_>, planned: &Planned, why: &Error) {
    let node = match &planned.to {
        Target::Node(name) => Some(name.clone()),
        _ => None,
    };
    let text = format!("{}: {}", why.attempted(), why.why());
    shared.note(Event::Failed { id: planned.id, node, why: text.clone() });
    shared.tell(News::Failed(planned.id, text));
}

/// Waits for a file, a command or a connection. (Output is looked at by the main loop.)
fn wait_and_do(
    shared: &Shared<'_>,
    planned: &Planned,
    after: &crate::scenario::After,
    dir: &Path,
) -> Result<()> {
    // What happened before the start is not what is waited for.
    if !sleep(shared, shared.start.get().copied()) {
        return Ok(());
    }
    let mut trigger: Box<dyn Trigger> = if let Some(path) = &after.file {
        Box::new(OnFile::prepare(&dir.join(path))?)
    } else if let Some(command) = &after.command {
        Box::new(OnCommand::prepare(command, after.poll.unwrap_or(POLL))?.within(dir))
    } else {
        let node = shared.node(after.node.as_deref().unwrap_or_default())?;
        let port = after.connect.as_ref().map_or(Ok(0), Port::number)?;
        Box::new(OnConnect::prepare(node, port)?)
    };
    let delay = after.drawn_delay();
    let Waited::Fired(fired) = trigger::wait(trigger.as_mut(), delay, Some(shared.over.as_fd()))? else {
        return Ok(());
    };
    shared.note(Event::Fired { id: planned.id, kind: fired.kind.to_owned(), on: fired.on });
    // Whom the trigger holds is let go when this is in force.
    carry_out(shared, planned, None, dir, || drop(trigger))
}

fn at_its_time(shared: &Shared<'_>, planned: &Planned, due: HostInstant, dir: &Path) -> Result<()> {
    // What waited for something has no instant that it could be late for.
    let late_for = matches!(planned.due, Due::At(_)).then_some(due);
    if late_for.is_none() && !shared.over.wait_until(due) {
        return Ok(());
    }
    carry_out(shared, planned, late_for, dir, || ())
}

/// Sleeps until the instant, if there is one; false if the timeline is over before.
fn sleep(shared: &Shared<'_>, due: Option<HostInstant>) -> bool {
    due.is_none_or(|due| shared.over.wait_until(due))
}

fn carry_out(
    shared: &Shared<'_>,
    planned: &Planned,
    due: Option<HostInstant>,
    dir: &Path,
    in_force: impl FnOnce(),
) -> Result<()> {
    let name = match &planned.to {
        Target::Node(name) => name.clone(),
        Target::Nobody => String::new(),
        Target::Named(command) => {
            if !sleep(shared, due) {
                return Ok(());
            }
            named(shared, command, dir)?
        }
    };
    match &planned.action {
        Action::Run(run) => {
            in_force();
            give(shared, planned, run, due, dir)
        }
        Action::Kill(kill) => {
            let killed = sleep(shared, due).then(|| end(shared, planned, &name, kill, due));
            in_force();
            killed.unwrap_or(Ok(()))
        }
        Action::Freeze(freeze) if freeze.on_read.is_some() => {
            in_force();
            if sleep(shared, due) { at_reads(shared, planned, &name, freeze) } else { Ok(()) }
        }
        Action::Freeze(freeze) => {
            let frozen = stop(shared, &name, freeze, due)?;
            in_force();
            let Some(frozen) = frozen else { return Ok(()) };
            stand(shared, planned, &name, frozen, due)
        }
        Action::Suspend(suspend) => {
            if !sleep(shared, due) {
                return Ok(());
            }
            let node = shared.node(&name)?;
            let begun = node.suspend(&suspend.asked());
            in_force();
            let begun = begun?;
            if let Some(frozen) = begun.frozen() {
                frozen_line(shared, planned, &name, frozen, due);
                shared.over.wait(frozen.until().unwrap_or(HostInstant::MAX), Some(frozen.as_fd()));
            }
            let from = begun.frozen().map(|frozen| frozen.report().last_confirmed);
            let woken = if shared.over.has_come() { begun.wake()? } else { begun.wait()? };
            if let (Some(from), Some(thawed)) = (from, woken) {
                resumed(shared, planned, &name, from, &thawed);
            }
            Ok(())
        }
        Action::Heal(_) => {
            sleep(shared, due);
            in_force();
            let healed = shared.node(&name)?.heal_clocks(crate::Heal::Step)?;
            if let Some(applied) = healed {
                shared.tell(News::Applied { id: planned.id, node: name, applied });
            }
            Ok(())
        }
        on_clock => {
            if !sleep(shared, due) {
                return Ok(());
            }
            let Some((fault, clocks, lasts)) = on_clock.on_clock()? else { return Ok(()) };
            let applied = shared.node(&name)?.fault(fault, clocks, lasts)?;
            host_clock::sleep_until(applied.at);
            in_force();
            shared.tell(News::Applied { id: planned.id, node: name, applied });
            Ok(())
        }
    }
}

/// Whom a command names.
fn named(shared: &Shared<'_>, command: &str, dir: &Path) -> Result<String> {
    let done = command::run(command, dir, Some(shared.over))?;
    let name = done.text.trim().to_owned();
    let refused = |why: String| Error::not_applied(format_args!("ask '{command}' for a node"), why);
    match done.code {
        0 if shared.nodes.contains_key(&name) => Ok(name),
        0 => Err(refused(format!("it says '{name}', and there is no such node"))),
        code => Err(refused(format!("its exit code is {code}"))),
    }
}

fn late(due: Option<HostInstant>, begun: HostInstant) -> Option<i64> {
    due.map(|due| begun.saturating_since(due).as_nanos())
}

fn give(
    shared: &Shared<'_>,
    planned: &Planned,
    run: &Run,
    due: Option<HostInstant>,
    dir: &Path,
) -> Result<()> {
    if !sleep(shared, due) {
        return Ok(());
    }
    let begun = host_clock::monotonic();
    // Before it is known to have worked: half done is to be undone too.
    if let Some(undo) = &run.undo {
        shared.tell(News::Undo(planned.id, undo.clone()));
    }
    let done = command::run(&run.command, dir, Some(shared.over))?;
    let (command, code) = (run.command.clone(), done.code);
    shared.note(Event::Command { id: planned.id, command, undo: false, code, late_by: late(due, begun) });
    match code {
        0 => shared.tell(News::Reached(planned.id)),
        code => shared
            .tell(News::Failed(planned.id, format!("'{}' has ended with exit code {code}", run.command))),
    }
    Ok(())
}

/// Kills all of a node's processes.
fn end(
    shared: &Shared<'_>,
    planned: &Planned,
    name: &str,
    kill: &Kill,
    due: Option<HostInstant>,
) -> Result<()> {
    let node = shared.node(name)?;
    lock(shared.killed).insert(name.to_owned());
    let (begun, mut pids) = (host_clock::monotonic(), Vec::new());
    for _ in 0..ROUNDS {
        let members = node.members()?;
        if members.is_empty() {
            break;
        }
        for id in members {
            if let Some(process) = PidFd::open(id)?
                && process.signal(Signal::SIGKILL)?
                && !pids.contains(&id.pid)
            {
                pids.push(id.pid);
            }
        }
        host_clock::sleep(Span::from_millis(2));
    }
    if let Some(after) = kill.restart {
        shared.tell(News::Restart(name.to_owned(), begun.saturating_add(after)));
    }
    if pids.is_empty() {
        lock(shared.killed).remove(name);
        return Err(Error::not_applied(format_args!("kill node {name}"), "none of its processes runs"));
    }
    shared.note(Event::Killed { id: planned.id, node: name.to_owned(), pids, late_by: late(due, begun) });
    shared.tell(News::Reached(planned.id));
    Ok(())
}

/// Stops a node at its instant; `None` if the timeline is over before.
fn stop(
    shared: &Shared<'_>,
    name: &str,
    freeze: &Freeze,
    due: Option<HostInstant>,
) -> Result<Option<Frozen>> {
    let node = shared.node(name)?;
    let length = length_of(freeze)?;
    let plan = freeze::Plan {
        end: End::After(length),
        how: freeze.means(),
        outlives: true,
        ..freeze::Plan::default()
    };
    // It sleeps nearly always, and is to be woken in time. Not before a command has named the node: that would inherit it.
    raw::come_first();
    if !sleep(shared, due.map(|due| due.saturating_add(PREPARE.saturating_neg()))) {
        return Ok(None);
    }
    let give_up = due.unwrap_or_else(host_clock::monotonic).saturating_add(TRY_FOR);
    let mut due = due;
    loop {
        let mut over = false;
        let frozen = node.freeze_when(&plan, &mut || {
            let is_over = || Error::not_applied(format_args!("freeze node {name}"), "the timeline is over");
            let look = due.map(|due| due.saturating_add(LOOK_AHEAD.saturating_neg()));
            if !sleep(shared, look) {
                over = true;
                return Err(is_over());
            }
            let members = node.members()?;
            if !sleep(shared, due) {
                over = true;
                return Err(is_over());
            }
            Ok((plan.end, members))
        });
        match frozen {
            Ok(frozen) => return Ok(Some(frozen)),
            Err(_) if over => return Ok(None),
            Err(why) if host_clock::monotonic() >= give_up => return Err(why),
            Err(why) => tracing::info!(%why, "a freeze of node {name} is tried again"),
        }
        due = Some(host_clock::monotonic().saturating_add(TRY_AGAIN));
    }
}

fn length_of(freeze: &Freeze) -> Result<Span> {
    freeze
        .lasts
        .as_ref()
        .and_then(crate::freeze::shape::Length::as_fixed)
        .ok_or_else(|| Error::not_applied("freeze", "its length is not known"))
}

fn frozen_line(
    shared: &Shared<'_>,
    planned: &Planned,
    name: &str,
    frozen: &Frozen,
    due: Option<HostInstant>,
) {
    let report = frozen.report();
    let held = |process: &freeze::FrozenProcess| HeldProcess {
        pid: process.id.pid,
        tid: process.tid,
        stop_sent_ns: process.stop_sent.as_nanos(),
        confirmed_ns: process.confirmed.as_nanos(),
    };
    shared.note(Event::Frozen {
        id: planned.id,
        node: name.to_owned(),
        means: report.means.to_string(),
        late_by: late(due, report.first_stop),
        first_stop: report.first_stop.as_nanos(),
        confirmed: report.last_confirmed.as_nanos(),
        processes: report.processes.iter().map(held).collect(),
    });
    shared.tell(News::Reached(planned.id));
}

fn resumed(shared: &Shared<'_>, planned: &Planned, name: &str, from: HostInstant, thawed: &Thawed) {
    let ended = match thawed.ended {
        Ended::AsPlanned => "as-planned",
        Ended::ByRequest => "by-request",
        Ended::GuardsLost => "guards-lost",
    };
    shared.note(Event::Resumed {
        id: planned.id,
        node: name.to_owned(),
        first_resumed: thawed.first_resumed.as_nanos(),
        confirmed: thawed.confirmed.as_nanos(),
        ended: ended.to_owned(),
    });
    shared.tell(News::Stood(name.to_owned(), from, thawed.first_resumed));
}

/// Waits for a pause's end.
fn stand(
    shared: &Shared<'_>,
    planned: &Planned,
    name: &str,
    frozen: Frozen,
    due: Option<HostInstant>,
) -> Result<()> {
    frozen_line(shared, planned, name, &frozen, due);
    let from = frozen.report().last_confirmed;
    shared.over.wait(frozen.until().unwrap_or(HostInstant::MAX), Some(frozen.as_fd()));
    let thawed = if shared.over.has_come() { frozen.thaw()? } else { frozen.wait_and_thaw()? };
    resumed(shared, planned, name, from, &thawed);
    Ok(())
}

/// Holds threads right after they have read their clock.
fn at_reads(shared: &Shared<'_>, planned: &Planned, name: &str, freeze: &Freeze) -> Result<()> {
    let node = shared.node(name)?;
    let length = length_of(freeze)?;
    let Some(plan) = freeze.trap(length, freeze.seed.unwrap_or(planned.seed)) else { return Ok(()) };
    let mut armed = node.trap(&plan)?;
    let mut told = 0;
    while told < plan.count && !shared.over.has_come() {
        shared.over.wait(host_clock::monotonic().saturating_add(Span::from_secs(1)), Some(armed.as_fd()));
        armed.listen();
        for firing in armed.fired() {
            told += 1;
            shared.note(Event::Held {
                id: planned.id,
                node: name.to_owned(),
                pid: firing.pid,
                tid: firing.tid,
                until: firing.until.as_nanos(),
            });
            shared.tell(News::Reached(planned.id));
            if matches!(plan.hold, Hold::Node(_)) {
                let how = if freeze.thread.is_empty() { freeze.means() } else { How::Signal };
                stand(shared, planned, name, armed.freeze_node(node, how)?, None)?;
            }
        }
        if armed.is_spent() && told < plan.count {
            return Err(Error::not_applied(
                format_args!("hold reads of node {name}"),
                "another command has ended it",
            ));
        }
    }
    // Who is held is held as long as was asked for, unless the timeline is over.
    if let Hold::Thread(length) = plan.hold
        && told > 0
    {
        shared.over.wait(host_clock::monotonic().saturating_add(length), None);
    }
    if shared.over.has_come() {
        armed.release();
    }
    Ok(())
}
