//! Builds the shim and the replacement image and hands them to the binary, so that one file carries all.
//!
//! Both are compiled by `rustc` itself, not by cargo: they must be optimised and freestanding whatever the profile
//! of this crate is, and they are linked here because rustc's own version script for a cdylib leaves no room for local
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
    let build = |name: &str, root: &str, features: &[&str]| {
        let parts =
            Parts { assembly: out.join(format!("{name}.s")), archive: out.join(format!("lib{name}.a")) };
        let mut more = vec![
            "-Clto=fat".to_owned(),
            format!("--extern=falseticker_page={}", page.display()),
            emit("asm", &parts.assembly),
            emit("link", &parts.archive),
        ];
        more.extend(features.iter().map(|feature| format!("--cfg=feature=\"{feature}\"")));
        compile(name, &shim.join(root), "staticlib", &more);
        without_line_numbers(&parts.assembly);
        parts
    };
    link_shim(&build("falseticker_preload", "src/lib.rs", &[]), &shim.join("exports.list"), &out);
    link_image(&build("falseticker_image", "src/image.rs", &["image"]), &shim.join("image"), &out);
}

/// What rustc makes of a crate.
struct Parts {
    assembly: PathBuf,
    /// It adds the compiler's own arithmetic.
    archive: PathBuf,
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
/// turn into direct calls, which rustc itself does not: the shim must run before it is relocated.
fn link_shim(parts: &Parts, exports: &Path, out: &Path) {
    let list = fs::read_to_string(exports).expect("the list of exports is in the source tree");
    let text = fs::read_to_string(&parts.assembly).expect("it was just written");
    let (script, versioned) = (out.join("versions.map"), out.join("versioned.s"));
    fs::write(&script, version_script(&list, &text)).expect("OUT_DIR is writable");
    let aliases: String = exported(&list).filter_map(|export| alias(export, &text)).collect();
    fs::write(&versioned, text + &aliases).expect("OUT_DIR is writable");
    let mut linker = linker();
    linker.args(["-Wl,-z,relro", "-Wl,-z,initfirst", "-Wl,-soname,falseticker.so"]);
    linker.arg(format!("-Wl,--version-script={}", script.display()));
    run(linker.arg("-o").arg(out.join("falseticker.so")).arg(versioned).arg(&parts.archive));
}

/// Links the replacement image as one segment, by a script of its own; without a build id, so that it is the same everywhere.
fn link_image(parts: &Parts, scripts: &Path, out: &Path) {
    let mut linker = linker();
    linker.args(["-Wl,-soname,linux-vdso.so.1", "-Wl,-z,max-page-size=4096", "-Wl,--eh-frame-hdr"]);
    linker.arg("-Wl,--build-id=none");
    linker.arg(format!("-Wl,--script={}", scripts.join("image.lds").display()));
    linker.arg(format!("-Wl,--version-script={}", scripts.join("exports.map").display()));
    run(linker.arg("-o").arg(out.join("falseticker-vdso.so")).arg(&parts.assembly).arg(&parts.archive));
}

/// A shared object: no library under it, nothing undefined.
fn linker() -> Command {
    let mut linker = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    linker.args(["-shared", "-nostdlib", "-nostartfiles", "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,noexecstack"]);
    linker.args(["-Wl,--gc-sections", "-Wl,-Bsymbolic", "-Wl,--strip-debug", "-Wl,--hash-style=both"]);
    linker
}

/// The list of exports, without comments.
fn exported(list: &str) -> impl Iterator<Item = &str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The function behind an export: for a version of a symbol, its name and the version's number.
fn function(export: &str) -> String {
    match export.split_once('@') {
        Some((name, version)) => {
            format!(
                "{name}_{}",
                version.trim_start_matches("@").trim_start_matches("GLIBC_").replace('.', "_")
            )
        }
        None => export.to_owned(),
    }
}

/// What gives a function the name and version under which it is exported. One that `assembly` does not have is a jump to the
/// plain name's, at an address of its own: of two names for one address the linker would keep one.
fn alias(export: &str, assembly: &str) -> Option<String> {
    let (name, _) = export.split_once('@')?;
    let function = function(export);
    let own = globals(assembly).any(|global| global == function);
    let jump = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        _ if own => String::new(),
        Ok("x86_64") => {
            format!(".text\n.globl {function}\n.type {function},@function\n{function}: jmp {name}\n")
        }
        other => panic!("how to jump on {other:?} is to be said here"),
    };
    Some(format!("{jump}.symver {function}, {export}\n"))
}

/// The global names of an assembler file.
fn globals(assembly: &str) -> impl Iterator<Item = &str> {
    assembly.lines().filter_map(|line| line.trim().strip_prefix(".globl")).map(str::trim)
}

/// A version script with the versions that are listed, and every global name local that is not. Plain names stay without
/// a version, so that they stand for each.
fn version_script(list: &str, assembly: &str) -> String {
    let plain: Vec<_> = exported(list).filter(|export| !export.contains('@')).collect();
    let behind: Vec<_> = exported(list).filter(|export| export.contains('@')).map(function).collect();
    let hidden =
        globals(assembly).filter(|name| !plain.contains(name)).chain(behind.iter().map(String::as_str));
    let local: String = hidden.map(|name| format!("{name}; ")).collect();
    let mut versions: Vec<_> =
        exported(list).filter_map(|export| export.rsplit_once('@')).map(|(_, v)| v).collect();
    versions.sort_unstable();
    versions.dedup();
    let script = versions.iter().enumerate().map(|(index, version)| match index.checked_sub(1) {
        None => format!("{version} {{ local: {local}}};\n"),
        Some(before) => format!("{version} {{ }} {};\n", versions[before]),
    });
    script.collect()
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
