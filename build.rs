//! Builds the shim and hands it to the binary, so that one file carries all.
//!
//! The shim is compiled by `rustc` itself, not by cargo: it must be optimised and freestanding whatever the profile
//! of this crate is, and it is linked here because rustc's own version script for a cdylib leaves no room for local
//! and versioned names. Needs no more than Rust and a C linker (`CC`, or `cc`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let shim = root.join("preload");
    println!("cargo::rerun-if-changed=preload");
    println!("cargo::rerun-if-env-changed=CC");

    let page = out.join("libfalseticker_page.rlib");
    compile("falseticker_page", &shim.join("page/src/lib.rs"), "rlib", &page, &[]);
    let archive = out.join("libfalseticker_preload.a");
    let page_is = format!("falseticker_page={}", page.display());
    compile(
        "falseticker_preload",
        &shim.join("src/lib.rs"),
        "staticlib",
        &archive,
        &["-C", "lto=fat", "--extern", &page_is],
    );
    link(&archive, &shim.join("exports.map"), &out.join("falseticker.so"));
}

/// Compiles one crate, freestanding. With the model of an executable and all in one unit, calls inside the library go
/// straight to their targets and need no relocation; the linker's `-Bsymbolic` makes that true.
fn compile(name: &str, source: &Path, kind: &str, output: &Path, more: &[&str]) {
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc.args(["--edition", "2024", "--crate-name", name, "--crate-type", kind]);
    rustc.args([
        "-C",
        "panic=abort",
        "-C",
        "opt-level=3",
        "-C",
        "relocation-model=pie",
        "-C",
        "codegen-units=1",
    ]);
    rustc.args(["-C", "no-vectorize-loops", "-C", "no-vectorize-slp", "-C", "force-unwind-tables=yes"]);
    rustc.args(["-C", "debuginfo=0", "-C", "overflow-checks=no", "-C", "debug-assertions=no"]);
    rustc.args(["--cap-lints", "warn", "--target", &env::var("TARGET").expect("cargo sets TARGET")]);
    rustc.args(more).arg("-o").arg(output).arg(source);
    run(&mut rustc);
}

/// Links the shared object: no library under it, nothing undefined, loaded before everything else.
fn link(archive: &Path, exports: &Path, output: &Path) {
    let names = fs::read_to_string(exports).expect("the list of exports is in the source tree");
    let mut linker = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    linker.args(["-shared", "-nostdlib", "-nostartfiles", "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,relro"]);
    linker.args([
        "-Wl,-z,initfirst",
        "-Wl,-z,noexecstack",
        "-Wl,--gc-sections",
        "-Wl,-Bsymbolic",
        "-Wl,--strip-debug",
    ]);
    linker.args(["-Wl,-soname,falseticker.so", "-Wl,--hash-style=both", "-Wl,--build-id=sha1"]);
    linker.arg(format!("-Wl,--version-script={}", exports.display()));
    for name in exported(&names) {
        linker.arg(format!("-Wl,--undefined={name}"));
    }
    linker.arg("-o").arg(output).arg(archive);
    run(&mut linker);
}

/// The names in the `global:` part of a version script.
fn exported(script: &str) -> impl Iterator<Item = &str> {
    let global = script.split("global:").nth(1).and_then(|rest| rest.split("local:").next()).unwrap_or("");
    global.split(';').map(str::trim).filter(|name| !name.is_empty())
}

fn run(command: &mut Command) {
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("building the shim failed ({status}): {shown}"),
        Err(why) => panic!(
            "building the shim: cannot start {shown}: {why}; a Rust toolchain and a C linker are needed"
        ),
    }
}
