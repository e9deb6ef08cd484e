//! The programs that every reach has to reach, one of each kind of binary.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::harness::{Lab, Target, source};

/// A kind of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    /// How it is built.
    build: Build,
    /// Whether the shim gets into it.
    pub loads_shim: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    C { libc: &'static str, flags: &'static [&'static str] },
    Go { cgo: bool },
}

const fn c(name: &'static str, libc: &'static str, flags: &'static [&'static str], loads_shim: bool) -> Kind {
    Kind { name, build: Build::C { libc, flags }, loads_shim }
}

/// All of them.
pub const ALL: [Kind; 7] = [
    c("static glibc", "glibc", &["-static"], false),
    c("static-pie glibc", "glibc", &["-static-pie", "-fPIE"], false),
    c("static musl", "musl", &["-static"], false),
    c("dynamic glibc", "glibc", &[], true),
    c("dynamic musl", "musl", &[], true),
    Kind { name: "static Go", build: Build::Go { cgo: false }, loads_shim: false },
    Kind { name: "dynamic Go", build: Build::Go { cgo: true }, loads_shim: true },
];

impl Kind {
    pub fn is_go(self) -> bool {
        matches!(self.build, Build::Go { .. })
    }

    /// What it takes to build it: a program, and the package that has it.
    pub fn needs(self) -> (&'static str, &'static str) {
        match self.build {
            Build::C { libc: "musl", .. } => ("musl-gcc", "musl-tools"),
            Build::C { .. } => ("cc", "gcc"),
            Build::Go { .. } => ("go", "golang-go"),
        }
    }

    /// The probe as such a program.
    #[track_caller]
    pub fn probe(self, lab: &Lab) -> PathBuf {
        match self.build {
            Build::C { libc, flags } => Target::new("probe").of(libc).flags(flags.iter().copied()).path(),
            Build::Go { cgo } => go(lab, cgo),
        }
    }
}

/// Builds the probe in Go, one at a time: the compiler uses every processor.
fn go(lab: &Lab, cgo: bool) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = lab.path("probe-go");
    let build = lab.command("go", ["build", "-o"]).arg(&program);
    let build = if cgo { build.args(["-ldflags", "-linkmode=external"]) } else { build };
    let build = build.arg(go_source(lab, cgo)).env("CGO_ENABLED", if cgo { "1" } else { "0" });
    build.done().expect_code(0);
    program
}

/// The source; what is to be linked with the C library has to say so.
fn go_source(lab: &Lab, cgo: bool) -> PathBuf {
    if !cgo {
        return source("probe.go");
    }
    let text = std::fs::read_to_string(source("probe.go")).expect("the source is there");
    let with_c = text.replacen("import (", "import \"C\"\n\nimport (", 1);
    let path = lab.path("probe_cgo.go");
    std::fs::write(&path, with_c).expect("the lab has room");
    path
}
