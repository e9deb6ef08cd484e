//! The shim, which ld.so loads before all other libraries.
//!
//! It takes over libc's symbols, `syscall()`, and detours the process's own vDSO for whoever goes past them: so Go's reads
//! are covered, but not what it does by system calls of its own: it waits, sets and connects past libc.

use super::super::privilege::Raised;
use super::{Cover, Coverage, Part, Reach, attempted, native, subject};
use crate::error::{Error, Result};
use crate::reach::classify::Program;
use crate::reach::elf::Kind;

/// [`Means::Preload`](super::Means::Preload).
#[derive(Clone, Copy, Debug)]
pub struct Preload;

impl Reach for Preload {
    fn name(&self) -> &'static str {
        "preload"
    }

    fn can_reach(&self, program: &Program) -> Result<()> {
        let refuse = |why: String, remedy: &str| {
            let why = format!("{} {why}", subject(program));
            Err(Error::not_applied(attempted(program), why).remedy(remedy))
        };
        native(program)?;
        match program.kind {
            Kind::Static | Kind::StaticPie => {
                let why =
                    format!("is linked statically ({}), so that nothing can be preloaded", program.kind);
                return refuse(why, "use a dynamically linked build; gcc makes one without -static");
            }
            Kind::GoStatic => {
                return refuse(
                    "is a static Go program, so that nothing can be preloaded".to_owned(),
                    "use a dynamically linked build; CGO_ENABLED=1 go build -ldflags=-linkmode=external makes one",
                );
            }
            Kind::Dynamic(_) | Kind::GoDynamic(_) | Kind::Loader(_) | Kind::Foreign { .. } => {}
        }
        if let Some(sanitizer) = program.sanitizer {
            let why =
                format!("is built with {sanitizer}, whose runtime refuses to come after a preloaded library");
            return refuse(why, &runtime_first(program));
        }
        match program.raised {
            Some(Raised::Caller) => Err(Error::not_applied(
                attempted(program),
                "the real and effective ids of this process differ, and ld.so then ignores LD_PRELOAD",
            )
            .remedy("run falseticker without a set-id bit")),
            Some(raised) => refuse(
                format!("is {raised}, and ld.so then ignores LD_PRELOAD"),
                "run a copy without the bit or the capabilities, or run as its owner",
            ),
            None if program.drops_preload => Err(Error::not_applied(
                attempted(program),
                "the env in its first line takes LD_PRELOAD out of the environment",
            )
            .remedy("take -i, - and LD_PRELOAD out of that line")),
            None => Ok(()),
        }
    }

    fn covers(&self, kind: Kind) -> Coverage {
        let go = matches!(kind, Kind::GoDynamic(_) | Kind::GoStatic);
        Coverage::of(|part| match part {
            Part::RawReads => Cover::Not("they show the machine's clock"),
            Part::Deadlines if go => Cover::But("Go's own end by the machine's clock"),
            Part::Timers if go => Cover::But("Go's own expire by the machine's clock"),
            Part::Lengths if go => {
                Cover::Not("Go waits by system calls of its own, as long as the machine says")
            }
            Part::Lengths => {
                Cover::But("SO_RCVTIMEO, SO_SNDTIMEO, io_uring and aio_suspend go by the machine's clock")
            }
            Part::Settings if go => Cover::But("Go's own are not refused"),
            Part::ConnectTraps if go => Cover::Not("Go connects by system calls of its own"),
            Part::Execs => Cover::But(
                "where execs are not followed, only those that keep LD_PRELOAD and can be preloaded",
            ),
            _ => Cover::Whole,
        })
    }
}

/// How a program that was built with a sanitizer gets the shim all the same: behind the sanitizer's runtime.
fn runtime_first(program: &Program) -> String {
    match &program.sanitizer_runtime {
        Some(runtime) => format!(
            "the sanitizer's runtime must come first, and the shim behind it: \
             falseticker run -- sh -c 'LD_PRELOAD=\"{runtime} $LD_PRELOAD\" exec {}'",
            program.command.display()
        ),
        None => "the sanitizer's runtime must come first: link it as a library (clang: -shared-libsan), or run a build \
                 without it"
            .to_owned(),
    }
}
