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
    compile("falseticker_page", &shim.join("page/src/lib.rs"), "rlib", &[emit("link", &page)]);
    let (assembly, archive) = (out.join("falseticker_preload.s"), out.join("libfalseticker_preload.a"));
    let more = [
        "-Clto=fat".to_owned(),
        format!("--extern=falseticker_page={}", page.display()),
        emit("asm", &assembly),
        emit("link", &archive),
    ];
    compile("falseticker_preload", &shim.join("src/lib.rs"), "staticlib", &more);
    without_line_numbers(&assembly);
    link(&assembly, &archive, &shim.join("exports.map"), &out.join("falseticker.so"));
}

fn emit(kind: &str, to: &Path) -> String {
    format!("--emit={kind}={}", to.display())
}

/// Compiles one crate, freestanding, and with the model of an executable: calls inside it go straight to their targets.
fn compile(name: &str, source: &Path, kind: &str, more: &[String]) {
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc.args(["--edition=2024", "--crate-name", name, "--crate-type", kind]);
    rustc.args(["-Cpanic=abort", "-Copt-level=3", "-Crelocation-model=pie", "-Ccodegen-units=1"]);
    rustc.args(["-Cno-vectorize-loops", "-Cno-vectorize-slp", "-Cforce-unwind-tables=yes", "-Cdebuginfo=0"]);
    rustc.args(["--cap-lints=allow", "--target", &env::var("TARGET").expect("cargo sets TARGET")]);
    run(rustc.args(more).arg(source));
}

/// Takes out of an assembler file what a plain assembler need not understand: where each line came from.
fn without_line_numbers(assembly: &Path) {
    let text = fs::read_to_string(assembly).expect("rustc has written its assembler file");
    let is_noise = |line: &&str| {
        let line = line.trim_start();
        line.starts_with(".file") || line.starts_with(".loc")
    };
    let kept: Vec<&str> = text.lines().filter(|line| !is_noise(line)).collect();
    fs::write(assembly, kept.join("\n") + "\n").expect("OUT_DIR is writable");
}

/// Links the shared object: no library under it, nothing undefined, loaded before everything else.
///
/// From the assembler file, since the assembler marks calls through the global offset table as ones that the linker may
/// turn into direct calls, which rustc itself does not: the shim must run before it is relocated. The archive adds the
/// compiler's own arithmetic.
fn link(assembly: &Path, archive: &Path, exports: &Path, output: &Path) {
    let names = fs::read_to_string(exports).expect("the list of exports is in the source tree");
    let mut linker = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    linker.args(["-shared", "-nostdlib", "-nostartfiles", "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,relro"]);
    linker.args(["-Wl,-z,initfirst", "-Wl,-z,noexecstack", "-Wl,--gc-sections", "-Wl,-Bsymbolic"]);
    linker.args(["-Wl,--strip-debug", "-Wl,-soname,falseticker.so", "-Wl,--hash-style=both"]);
    linker.arg(format!("-Wl,--version-script={}", exports.display()));
    for name in exported(&names) {
        linker.arg(format!("-Wl,--undefined={name}"));
    }
    run(linker.arg("-o").arg(output).arg(assembly).arg(archive));
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
