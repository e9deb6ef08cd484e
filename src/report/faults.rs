//! The faults of a history: what was planned, what was done of it and when, and who has read it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::Event;

/// A fault, or a heal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// Its number; none of the heal at the end.
    pub id: Option<u32>,
    /// To whom; empty if to nobody, or nobody was named.
    pub node: String,
    /// What, as on the command line.
    pub what: String,
    /// When it was to begin.
    pub planned: Option<i64>,
    /// What it waits for.
    pub awaited: Option<String>,
    /// Whether nothing is wrong if it never arrives.
    pub optional: bool,
    /// What was done, as often as it was.
    pub taken: Vec<Taken>,
    /// The processes that have read their clocks under it.
    pub readers: BTreeSet<i32>,
    /// The least and the greatest time that this took.
    pub latency: Option<(i64, i64)>,
    /// Why it could not be put in force.
    pub failed: Option<String>,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// How.
    pub how: How,
    /// To whom.
    pub node: String,
    /// In words.
    pub what: String,
    /// From here on.
    pub from: i64,
    /// Until here; `None` if that is not known, or it is an instant.
    pub until: Option<i64>,
    /// How much later than planned.
    pub late_by: Option<i64>,
}

/// How something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// To a clock.
    Clock,
    /// The node stood still.
    Frozen,
    /// A thread stood still.
    Held,
    /// Processes were killed.
    Killed,
    /// A command was given.
    Command,
}

/// All of them, as they become known.
#[derive(Debug, Default)]
pub struct Faults {
    /// In the order in which they were planned, or else done.
    pub list: Vec<Fault>,
    by_id: BTreeMap<u32, usize>,
    /// Which of what was done a change of a node's is.
    by_change: BTreeMap<(String, u32), (usize, usize)>,
}

impl Faults {
    /// Takes what a line says of faults.
    pub fn take(&mut self, at: i64, event: &Event) {
        match event {
            Event::Planned { id, node, fault, due, after, optional, .. } => {
                let planned = Fault {
                    id: Some(*id),
                    node: node.clone().unwrap_or_default(),
                    what: fault.describe(),
                    planned: due.filter(|_| after.is_none()),
                    awaited: after.as_ref().map(|after| after.awaited()),
                    optional: *optional,
                    ..Fault::default()
                };
                self.by_id.insert(*id, self.list.len());
                self.list.push(planned);
            }
            Event::Applied { id, node, change, what, until, late_by, .. } => {
                self.applied(at, *id, node, *change, what, *until, *late_by);
            }
            Event::Evidence { node, change, pid, latency, .. } => {
                let Some((index, _)) = self.by_change.get(&(node.clone(), *change)) else { return };
                let fault = &mut self.list[*index];
                fault.readers.insert(*pid);
                let (least, most) = fault.latency.unwrap_or((*latency, *latency));
                fault.latency = Some((least.min(*latency), most.max(*latency)));
            }
            Event::Frozen { id, node, means, late_by, confirmed, processes, .. } => {
                let what = format!("frozen by {means}, {} held", processes.len());
                self.done(*id, How::Frozen, node, what, *confirmed, None, *late_by);
            }
            Event::Resumed { id, node, first_resumed, .. } => {
                let fault = self.by_id.get(id).map(|index| &mut self.list[*index]);
                let taken = fault.into_iter().flat_map(|fault| fault.taken.iter_mut());
                let mut open = taken
                    .filter(|taken| taken.how == How::Frozen && taken.node == *node && taken.until.is_none());
                if let Some(taken) = open.next_back() {
                    taken.until = Some(*first_resumed);
                }
            }
            Event::Held { id, node, pid, tid, until } => {
                let what = format!("thread {tid} of process {pid} held at a read");
                self.done(*id, How::Held, node, what, at, Some(*until), None);
            }
            Event::Killed { id, node, pids, late_by } => {
                self.done(*id, How::Killed, node, format!("{} killed", pids.len()), at, None, *late_by);
            }
            Event::Command { id, command, undo, code, late_by } => {
                let what = format!("{}{command}: exit code {code}", if *undo { "undo " } else { "" });
                self.done(*id, How::Command, "", what, at, None, *late_by);
            }
            Event::Failed { id, node, why } => {
                let index = self.by_number(*id, node.as_deref().unwrap_or_default(), "");
                self.list[index].failed = Some(why.clone());
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a line")]
    fn applied(
        &mut self,
        at: i64,
        id: Option<u32>,
        node: &str,
        change: u32,
        what: &str,
        until: Option<i64>,
        late_by: i64,
    ) {
        if let Some(ended) = what.strip_prefix("end of ").and_then(|number| number.parse().ok()) {
            if let Some(taken) = self.by_change(node, ended) {
                taken.until = Some(at);
            }
            return;
        }
        if what == "heal" {
            let all = self.list.iter_mut().flat_map(|fault| fault.taken.iter_mut());
            all.filter(|taken| taken.how == How::Clock && taken.node == node && taken.what != "heal")
                .filter(|taken| taken.until.is_none_or(|until| until > at))
                .for_each(|taken| taken.until = Some(at));
        }
        let index = match id {
            Some(id) => self.by_number(id, node, what),
            None => {
                let node = node.to_owned();
                self.list.push(Fault { node, what: what.to_owned(), ..Fault::default() });
                self.list.len() - 1
            }
        };
        self.by_change.insert((node.to_owned(), change), (index, self.list[index].taken.len()));
        let node = node.to_owned();
        let taken =
            Taken { how: How::Clock, node, what: what.to_owned(), from: at, until, late_by: Some(late_by) };
        self.list[index].taken.push(taken);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a line")]
    fn done(
        &mut self,
        id: u32,
        how: How,
        node: &str,
        what: String,
        from: i64,
        until: Option<i64>,
        late_by: Option<i64>,
    ) {
        let index = self.by_number(id, node, &what);
        self.list[index].taken.push(Taken { how, node: node.to_owned(), what, from, until, late_by });
    }

    /// That of a number, named for a node if it had none; a history whose beginning is missing may not have planned it.
    fn by_number(&mut self, id: u32, node: &str, what: &str) -> usize {
        let list = &mut self.list;
        let index = *self.by_id.entry(id).or_insert_with(|| {
            list.push(Fault { id: Some(id), what: what.to_owned(), ..Fault::default() });
            list.len() - 1
        });
        if self.list[index].node.is_empty() {
            self.list[index].node = node.to_owned();
        }
        index
    }

    fn by_change(&mut self, node: &str, change: u32) -> Option<&mut Taken> {
        let (index, taken) = self.by_change.get(&(node.to_owned(), change))?;
        self.list[*index].taken.get_mut(*taken)
    }
}

impl Fault {
    /// Its number; or whose heal it is.
    pub fn name(&self) -> String {
        self.id.map_or_else(|| format!("{} of {}", self.what, self.node), |id| id.to_string())
    }
}
