//! The end of a scenario, however it came: the same steps in the same order, and then the verdicts.

use super::{Play, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::history::Event;
use crate::player::hire::remove;
use crate::player::record::Record;
use crate::player::shared::lock;
use crate::player::verdict::judge;
use crate::player::{Outcome, command};
use crate::{Heal, HostInstant};

impl Play<'_> {
    /// The end, however it came.
    pub(super) fn finish(mut self, ended: Result<Stop>, seed: u64) -> Result<Outcome> {
        self.over.come();
        self.stopping = true;
        (self.next_sample, self.next_look) = (HostInstant::MAX, HostInstant::MAX);
        let _ = self.look();
        let unfinished: Vec<String> = self.cast.unfinished().cloned().collect();
        if !matches!(ended, Ok(Stop::Time)) {
            for node in self.nodes.values() {
                if let Err(why) = node.heal(Heal::Step) {
                    tracing::warn!("{why}");
                }
            }
        }
        let undone = self.undo();
        self.cast.stop();
        while self.cast.keepers().next().is_some() {
            let _ = self.once(HostInstant::MAX);
        }
        let Play { cast, nodes, watches, timeline, known, history, record, .. } = self;
        let problems = cast.problems.clone();
        drop(cast);
        remove(nodes);
        let mut history = lock(history);
        let mut known = known;
        known.failed.extend(undone);
        let (reason, why) = match &ended {
            Ok(Stop::Time) => ("complete", None),
            Ok(Stop::Interrupted) => ("interrupted", None),
            Err(why) => ("failed", Some(format!("cannot {}: {}", why.attempted(), why.why()))),
        };
        let checks = match &ended {
            Ok(Stop::Time) => judge(timeline, &watches, &known, &problems, &unfinished),
            _ => Vec::new(),
        };
        let ruled = record.filter(|_| !checks.is_empty()).map(Record::judge);
        let checks: Vec<_> = checks.into_iter().chain(ruled.unwrap_or_default()).collect();
        for check in &checks {
            history.now(Event::Verdict(check.clone()));
        }
        history.now(Event::End { reason: reason.to_owned(), why });
        let stop = ended?;
        if let Some(why) = history.failure() {
            return Err(Error::new(ErrorKind::NotApplied, why.attempted(), why.why()));
        }
        Ok(Outcome { seed, checks, interrupted: stop == Stop::Interrupted })
    }

    /// Takes commands back, the last one first; which could not be.
    fn undo(&mut self) -> Vec<(u32, String)> {
        let mut failed = Vec::new();
        for (id, undo) in std::mem::take(&mut self.undo).into_iter().rev() {
            let code = match command::run(&undo, self.dir, None) {
                Ok(done) => done.code,
                Err(why) => {
                    tracing::warn!("{why}");
                    -1
                }
            };
            let told = Event::Command { id, command: undo.clone(), undo: true, code, late_by: None };
            lock(self.history).now(told);
            if code != 0 {
                failed.push((id, format!("'{undo}' has ended with exit code {code}")));
            }
        }
        failed
    }
}
