//! The specification of falseticker, as tests over its command line and real programs.
//!
//! One binary, one file a capability. A test whose program is not installed is reported as ignored, with the Debian package that has
//! it; where the variable `CI` is set it fails. A test that fails prints every command that it gave, what came of it, and what
//! `falseticker status --json` says. Counts come from variables (`FALSETICKER_KILLS`), and are printed.
//! With `--nocapture` the table of waits is printed too.
//!
//! Most of a trial is waiting, so three of them run at once on two cores; `--test-threads` says otherwise.

mod armed;
mod attach;
mod bad_input;
mod capture;
mod checks;
mod choice;
mod containers;
mod doctor;
mod early;
mod evidence;
mod faults;
mod freeze;
mod freezers;
mod harness;
mod laboratory;
mod leaseholder;
mod nodes;
mod pid_namespaces;
mod policies;
mod programs;
mod reaches;
mod reads;
mod recipes;
mod refusals;
mod report;
mod run;
mod sandboxes;
mod scenarios;
mod settings;
mod shapes;
mod shim;
mod shrink;
mod soak;
mod suspend;
mod sweep;
mod traps;
mod triggers;
mod visible;
mod wait_crowd;
mod wait_processes;
mod wait_semantics;
mod wait_stress;
mod waits;
mod watch;
mod writers;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(programs::TICKER) {
        return programs::tick();
    }
    let mut arguments = libtest_mimic::Arguments::from_args();
    if let Ok(cores) = std::thread::available_parallelism() {
        arguments.test_threads.get_or_insert(cores.get() + cores.get().div_ceil(2));
    }
    harness::catch_panics();
    harness::default_signals();
    harness::own_group();
    let trials = [
        reads::trials(),
        reaches::trials(),
        shim::trials(),
        early::trials(),
        sandboxes::trials(),
        settings::trials(),
        writers::trials(),
        policies::trials(),
        faults::trials(),
        attach::trials(),
        evidence::trials(),
        pid_namespaces::trials(),
        choice::trials(),
        containers::trials(),
        freeze::trials(),
        traps::trials(),
        freezers::trials(),
        soak::trials(),
        visible::trials(),
        shapes::trials(),
        suspend::trials(),
        scenarios::trials(),
        checks::trials(),
        laboratory::trials(),
        leaseholder::trials(),
        recipes::trials(),
        report::trials(),
        shrink::trials(),
        sweep::trials(),
        run::trials(),
        capture::trials(),
        triggers::trials(),
        nodes::trials(),
        bad_input::trials(),
        refusals::trials(),
        doctor::trials(),
        wait_semantics::trials(),
        wait_processes::trials(),
        wait_crowd::trials(),
        wait_stress::trials(),
        programs::trials(),
        waits::trials(),
        armed::trials(),
        watch::trials(),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    if arguments.nocapture {
        waits::tell();
        laboratory::tell();
    }
    harness::clear_targets();
    conclusion.exit_code()
}
