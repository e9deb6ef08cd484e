//! What an action means: a clock fault of the command line's, a way of freezing, a trap, a suspend; and how it is told.

use super::{
    Action, Drift, Freeze, Held, Jump, Kill, Leap, Means, ReadOf, Set, Slew, Stall, Strobe, Suspend,
    WallAfter,
};
use crate::fault::{self, Clocks, Fault};
use crate::freeze::How;
use crate::freeze::shape::Preset;
use crate::trap::{self, Hold, On, Pick};
use crate::units::format_span;
use crate::{Result, Span};

/// A clock fault, the clocks that it touches, and for how long.
pub type OnClock = (Fault, Clocks, Option<Span>);

impl Action {
    /// The key under which it stands.
    pub fn key(&self) -> &'static str {
        match self {
            Action::Jump(_) => "jump",
            Action::Set(_) => "set",
            Action::Drift(_) => "drift",
            Action::Slew(_) => "slew",
            Action::Stall(_) => "stall",
            Action::Strobe(_) => "strobe",
            Action::Leap(_) => "leap",
            Action::Freeze(_) => "freeze",
            Action::Suspend(_) => "suspend",
            Action::Kill(_) => "kill",
            Action::Heal(_) => "heal",
            Action::Run(_) => "run",
        }
    }

    /// What it does to the clocks, where it is a clock fault.
    pub fn on_clock(&self) -> Result<Option<OnClock>> {
        Ok(Some(match self {
            Action::Jump(Jump { by, clock, lasts }) => (fault::Jump { by: *by }.into(), *clock, *lasts),
            Action::Set(Set { to, lasts }) => (fault::Set { to: *to }.into(), Clocks::Wall, *lasts),
            Action::Drift(Drift { rate, clock, lasts }) => {
                (fault::Drift { rate: *rate }.into(), *clock, *lasts)
            }
            Action::Slew(Slew { by, rate, clock, lasts }) => {
                (fault::Slew::new(*by, *rate)?.into(), *clock, *lasts)
            }
            Action::Stall(Stall { clock, lasts }) => (fault::Stall.into(), *clock, *lasts),
            Action::Strobe(Strobe { amplitude, period, lasts }) => {
                let fault = fault::Strobe { amplitude: *amplitude, period: *period };
                (fault.into(), Clocks::Wall, *lasts)
            }
            Action::Leap(Leap { kind, window }) => {
                (fault::Leap::new(*kind, *window)?.fault()?, Clocks::Wall, None)
            }
            _ => return Ok(None),
        }))
    }

    /// As it is written on the command line, without the node.
    pub fn describe(&self) -> String {
        if let Action::Leap(Leap { kind, window }) = self {
            let window = window.map_or(String::new(), |window| format!(" --window {}", format_span(window)));
            return format!("leap {kind}{window}");
        }
        if let Ok(Some((fault, clocks, lasts))) = self.on_clock() {
            let lasts = lasts.map_or(String::new(), |lasts| format!(" --for {}", format_span(lasts)));
            let clocks = if clocks == Clocks::All { " --clock all" } else { "" };
            return format!("{}{lasts}{clocks}", fault.describe());
        }
        match self {
            Action::Freeze(freeze) => freeze.describe(),
            Action::Suspend(suspend) => format!("suspend --for {}", format_span(suspend.lasts)),
            Action::Kill(Kill { restart: None }) => "kill".to_owned(),
            Action::Kill(Kill { restart: Some(after) }) => {
                format!("kill, started again after {}", format_span(*after))
            }
            Action::Run(run) => format!("run {}", run.command),
            _ => self.key().to_owned(),
        }
    }
}

impl Freeze {
    fn describe(&self) -> String {
        let length = self.lasts.clone().or(self.preset.map(Preset::length));
        let lasts = length.map_or(String::new(), |lasts| format!(" --for {lasts}"));
        let on_read = self.on_read.map_or("", |clock| match clock {
            ReadOf::Wall => " --on-read wall",
            ReadOf::Mono => " --on-read mono",
        });
        format!("freeze{lasts}{on_read}")
    }

    /// By which means.
    pub fn means(&self) -> How {
        match self.how {
            None if !self.thread.is_empty() => How::Thread(self.thread.clone()),
            None | Some(Means::Signal) => How::Signal,
            Some(Means::Auto) => How::Auto,
            Some(Means::Cgroup) => How::Cgroup,
            Some(Means::Thread) => How::Thread(self.thread.clone()),
        }
    }

    /// The trap that it arms, holding for so long; `None` if it is a plain pause.
    pub fn trap(&self, length: Span, seed: u64) -> Option<trap::Plan> {
        let on = match self.on_read? {
            ReadOf::Wall => On::Wall,
            ReadOf::Mono => On::Mono,
        };
        let pick = match self.probability {
            Some(probability) => Pick::Probability { probability, seed },
            None => Pick::Nth(self.nth.unwrap_or(1)),
        };
        let hold = match self.hold {
            Some(Held::Node) => Hold::Node(length),
            None | Some(Held::Thread) => Hold::Thread(length),
        };
        Some(trap::Plan { on, pick, count: self.count.unwrap_or(1), hold })
    }
}

impl Suspend {
    /// What is asked of the node.
    pub fn asked(&self) -> fault::Suspend {
        let corrected =
            self.wall == Some(WallAfter::Corrected) || self.after.is_some() || self.slew.is_some();
        let wall = if corrected && self.wall != Some(WallAfter::Stale) {
            fault::WallAfter::Corrected { after: self.after.unwrap_or(Span::ZERO), slew: self.slew }
        } else {
            fault::WallAfter::Stale
        };
        fault::Suspend { length: self.lasts, wall }
    }
}
