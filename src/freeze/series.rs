//! Pauses that come again and again: when each begins and how long it is asked to be, and what became of them.
//!
//! A [`Series`] is what was asked for; its [`Pauses`] are an iterator over what to do, which whoever freezes walks
//! through; a [`Done`] is one that is over, and a [`Summary`] says how close to their lengths they were.
//!
//! ```no_run
//! use falseticker::freeze::series::Series;
//! use falseticker::freeze::shape::{Preset, Seed};
//! use falseticker::{Node, host_clock};
//!
//! # fn main() -> falseticker::Result<()> {
//! let node = Node::open("a")?;
//! let (length, gap) = ("lognormal(200ms,0.5)".parse()?, Preset::GcYoung.gap());
//! for pause in (Series { length, gap, count: Some(10), until: None, seed: Seed(7) }).pauses()? {
//!     host_clock::sleep(pause.after);
//!     node.freeze_for(pause.length)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What must hold: the same series (its seed included) gives the same pauses. A gap is the time from the end of one
//! pause to the beginning of the next, so pauses never overlap. No pause begins once [`Series::until`] has gone by
//! since the first began, and one that would last beyond it is cut there.

use super::shape::{Generator, Length, Sampler, Seed};
use super::{Ended, FreezeReport, Thawed};
use crate::{HostInstant, Result, Span};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// How long each pause is.
    pub length: Length,
    /// How long it is from the end of one to the beginning of the next.
    pub gap: Length,
    /// How many there are; without it there is no end to them.
    pub count: Option<u64>,
    /// How long after the beginning of the first all is over.
    pub until: Option<Span>,
    /// From which all that is drawn follows.
    pub seed: Seed,
}

impl Series {
    /// What to do. Reads the files that lengths are drawn from.
    pub fn pauses(&self) -> Result<Pauses> {
        Ok(Pauses {
            lengths: self.length.sampler()?,
            gaps: self.gap.gap_sampler()?,
            from: (self.seed.lengths(), self.seed.gaps()),
            begun: 0,
            count: self.count,
        })
    }

    /// Where a pause of `length` that begins at `now` ends, when the first one began at `first`; `None` if it is too late
    /// for it.
    pub fn end_of(&self, length: Span, now: HostInstant, first: HostInstant) -> Option<Span> {
        let Some(until) = self.until else { return Some(length) };
        let left = first.saturating_add(until).saturating_since(now);
        (left > Span::ZERO).then_some(length.min(left))
    }
}

/// One pause of a series, before it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Its number, from one.
    pub number: u64,
    /// How long after the end of the one before it begins; no time for the first.
    pub after: Span,
    /// How long it is asked to be.
    pub length: Span,
}

/// The pauses of a series, one after the other.
#[derive(Debug)]
pub struct Pauses {
    lengths: Sampler,
    gaps: Sampler,
    from: (Generator, Generator),
    begun: u64,
    count: Option<u64>,
}

impl Pauses {
    /// What their lengths are drawn from.
    pub fn lengths(&self) -> &Sampler {
        &self.lengths
    }

    /// What the gaps between them are drawn from.
    pub fn gaps(&self) -> &Sampler {
        &self.gaps
    }
}

impl Iterator for Pauses {
    type Item = Pause;

    fn next(&mut self) -> Option<Pause> {
        if self.count == Some(self.begun) {
            return None;
        }
        let after = if self.begun == 0 { Span::ZERO } else { self.gaps.sample(&mut self.from.1) };
        self.begun += 1;
        Some(Pause { number: self.begun, after, length: self.lengths.sample(&mut self.from.0) })
    }
}

/// One pause of a series that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was asked for.
    pub pause: Pause,
    /// How long it was to be: as asked, or less where the series was to end.
    pub planned: Span,
    /// How many processes were stopped.
    pub processes: usize,
    /// Just before the first stop was sent.
    pub first_stop: HostInstant,
    /// From here on all stood still.
    pub last_confirmed: HostInstant,
    /// Until here all stood still.
    pub first_resumed: HostInstant,
    /// From here on all ran again.
    pub confirmed: HostInstant,
    /// What ended it; `None` if it was the caller before its time.
    pub ended: Option<Ended>,
}

impl Done {
    /// From what its beginning and its end have told.
    pub fn new(pause: Pause, planned: Span, begun: &FreezeReport, thawed: &Thawed) -> Done {
        Done {
            pause,
            planned,
            processes: begun.processes.len(),
            first_stop: begun.first_stop,
            last_confirmed: begun.last_confirmed,
            first_resumed: thawed.first_resumed,
            confirmed: thawed.confirmed,
            ended: Some(thawed.ended),
        }
    }

    /// How long all stood still.
    pub fn actual(&self) -> Span {
        self.first_resumed.saturating_since(self.last_confirmed)
    }

    /// By how much that is longer than it was to be; `None` if somebody has ended it before.
    pub fn excess(&self) -> Option<Span> {
        (self.ended == Some(Ended::AsPlanned))
            .then(|| self.actual().saturating_add(self.planned.saturating_neg()))
    }
}

/// What a series has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many pauses there were.
    pub count: usize,
    /// How long the node stood still in all.
    pub total: Span,
    /// Actual minus planned length of those that ended as planned; `None` if none did.
    pub excess: Option<Excess>,
}

/// By how much pauses were longer than planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Half of them by less.
    pub median: Span,
    /// 99 of 100 by no more (the nearest rank).
    pub p99: Span,
    /// The worst.
    pub longest: Span,
}

impl Summary {
    /// Of these.
    pub fn of(done: &[Done]) -> Summary {
        let total = done.iter().fold(Span::ZERO, |sum, done| sum.saturating_add(done.actual()));
        let mut excess: Vec<Span> = done.iter().filter_map(Done::excess).collect();
        excess.sort();
        let rank = |percent: usize| excess.get((excess.len() * percent).div_ceil(100).max(1) - 1).copied();
        let excess = rank(50).zip(rank(99)).zip(rank(100));
        Summary {
            count: done.len(),
            total,
            excess: excess.map(|((median, p99), longest)| Excess { median, p99, longest }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(count: Option<u64>) -> Series {
        let of = |text: &str| text.parse().unwrap();
        Series {
            length: of("exponential(300ms)"),
            gap: of("uniform(1s,2s)"),
            count,
            until: None,
            seed: Seed(7),
        }
    }

    #[test]
    fn has_as_many_pauses_as_asked_the_first_at_once() {
        let pauses: Vec<Pause> = series(Some(5)).pauses().unwrap().collect();
        assert_eq!(pauses.iter().map(|pause| pause.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(pauses[0].after, Span::ZERO);
        assert!(pauses[1..].iter().all(|pause| pause.after >= Span::from_secs(1)));
        assert_eq!(series(None).pauses().unwrap().take(1_000).count(), 1_000);
    }

    #[test]
    fn the_lengths_do_not_depend_on_the_gaps() {
        let other = Series { gap: "5s".parse().unwrap(), ..series(Some(20)) };
        let lengths =
            |series: &Series| series.pauses().unwrap().map(|pause| pause.length).collect::<Vec<_>>();
        assert_eq!(lengths(&series(Some(20))), lengths(&other));
        assert_ne!(lengths(&other), lengths(&Series { seed: Seed(8), ..other.clone() }));
    }

    #[test]
    fn a_pause_is_cut_where_the_series_ends() {
        let at = HostInstant::from_nanos;
        let (length, first) = (Span::from_secs(2), at(1_000));
        let series = Series { until: Some(Span::from_secs(3)), ..series(None) };
        let second = |n: i64| first.saturating_add(Span::from_secs(n));
        assert_eq!(series.end_of(length, first, first), Some(length));
        assert_eq!(series.end_of(length, second(1), first), Some(length));
        assert_eq!(series.end_of(length, second(2), first), Some(Span::from_secs(1)));
        assert_eq!(series.end_of(length, second(3), first), None);
        assert_eq!(Series { until: None, ..series }.end_of(length, HostInstant::MAX, first), Some(length));
    }

    #[test]
    fn a_summary_is_of_those_that_ended_as_planned() {
        let at = HostInstant::from_nanos;
        let done = |excess: i64, ended| Done {
            pause: Pause { number: 1, after: Span::ZERO, length: Span::from_nanos(1_000) },
            planned: Span::from_nanos(1_000),
            processes: 1,
            first_stop: at(0),
            last_confirmed: at(10),
            first_resumed: at(1_010 + excess),
            confirmed: at(9_000),
            ended,
        };
        let planned = Some(Ended::AsPlanned);
        let mut all: Vec<Done> = (1..=100).map(|excess| done(excess, planned)).collect();
        all.push(done(-900, Some(Ended::ByRequest)));
        all.push(done(-900, None));
        let summary = Summary::of(&all);
        let span = Span::from_nanos;
        assert_eq!((summary.count, summary.total), (102, span(100 * 1_000 + 5_050 + 200)));
        let expected = Excess { median: span(50), p99: span(99), longest: span(100) };
        assert_eq!(summary.excess, Some(expected));
        assert_eq!(Summary::of(&[]), Summary::default());
        assert_eq!(Summary::of(&all[..1]).excess.unwrap().p99, span(1));
    }
}
