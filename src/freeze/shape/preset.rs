//! Pauses of real systems: how long they are and how often they come, with the source of the figures.
//!
//! What must hold: each figure that a source gives is the source's; where it gives none, the figure is ours, and is said
//! to be. None of these is what *your* system does: that is what its own log is for (`file(PATH)`).

use std::fmt;

use clap::ValueEnum;

use super::{Kind, Length};
use crate::Span;

/// A known kind of pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Young collections of a tuned JVM: 40 to 60 ms, every 3 s
    GcYoung,
    /// Full collections of a JVM that runs out of memory: 5 to 31 s, every 2 to 25 s
    GcFull,
    /// Blackouts of live migration: 50 ms in the median, 300 ms at the 99th percentile, every minute
    VmMigration,
    /// A program whose memory is paged out: half a minute to two minutes, every minute
    SwapStorm,
    /// A virtual processor that takes turns with another: 30 ms off, 30 ms on
    CpuSteal,
}

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 5] =
        [Preset::GcYoung, Preset::GcFull, Preset::VmMigration, Preset::SwapStorm, Preset::CpuSteal];

    /// How long its pauses are.
    pub fn length(self) -> Length {
        let span = Span::from_millis;
        Length(match self {
            Preset::GcYoung => Kind::Uniform { from: span(40), to: span(60) },
            Preset::GcFull => Kind::Uniform { from: span(5_200), to: span(31_200) },
            // A lognormal of this median and sigma has its 99th percentile at 300 ms: 50 ms * exp(2.326 * 0.77).
            Preset::VmMigration => Kind::Lognormal { median: span(50), sigma: 0.77 },
            Preset::SwapStorm => Kind::Uniform { from: span(33_500), to: span(120_000) },
            Preset::CpuSteal => Kind::Fixed(span(30)),
        })
    }

    /// How long it is from one to the next.
    pub fn gap(self) -> Length {
        let span = Span::from_millis;
        Length(match self {
            Preset::GcYoung => Kind::Fixed(span(3_000)),
            Preset::GcFull => Kind::Uniform { from: span(2_000), to: span(25_000) },
            Preset::VmMigration | Preset::SwapStorm => Kind::Fixed(span(60_000)),
            Preset::CpuSteal => Kind::Fixed(span(30)),
        })
    }

    /// Where the figures are from.
    pub fn source(self) -> &'static str {
        match self {
            Preset::GcYoung => {
                "S. Ghike, Garbage Collection Optimization for High-Throughput and Low-Latency Java Applications, \
                 LinkedIn Engineering, 2014: young collections of 40 to 60 ms every three seconds"
            }
            Preset::GcFull => {
                "pauses and the times between them in the logs of three Elasticsearch nodes, \
                 github.com/elastic/elasticsearch, issues 33618 (heap 11.7 GB: 5.2 s), 75665 (20 GB: 6.4 and 6.3 s, 2 s \
                 apart) and 9212 (90 GB: 31.2 and 29.8 s, 25 s apart)"
            }
            Preset::VmMigration => {
                "A. Ruprecht et al., VM Live Migration At Scale, VEE 2018, doi 10.1145/3186411.3186415: blackouts of 50 ms \
                 in the median, 300 ms at the 99th percentile; the gap is ours"
            }
            Preset::SwapStorm => {
                "P. Parhar, Long Class-Unloading Pauses with JDK8, Oracle blogs, 2014: 33.5 and 34.4 s for about one \
                 second of processor time, because of paging; Elasticsearch Reference, Disable swapping: minutes instead \
                 of milliseconds; that these are two at most, and the gap, are ours"
            }
            Preset::CpuSteal => {
                "Xen Project wiki, Credit Scheduler: a virtual processor runs for up to 30 ms before another; that there \
                 is one other, which never sleeps, is ours"
            }
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Preset::GcYoung => "gc-young",
            Preset::GcFull => "gc-full",
            Preset::VmMigration => "vm-migration",
            Preset::SwapStorm => "swap-storm",
            Preset::CpuSteal => "cpu-steal",
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        Preset::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| {
            let names = Preset::ALL.map(Preset::name).join(", ");
            crate::Error::bad_input(format_args!("use the preset '{text}'"), "there is none of that name")
                .remedy(format_args!("the presets are {names}"))
        })
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
