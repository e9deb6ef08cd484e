//! What cannot be reached as it was asked for is refused before it runs, never run unskewed in silence; and a page that is not as
//! it should be is refused too. What the shim does not get into is reached otherwise, unless the shim alone is asked for.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::harness::{Done, Lab, Reading, SECOND, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("refusals: {sentence}")).needs("cc", "gcc");
    vec![
        of("a static program is refused, with what to build instead").shown_by(static_program),
        of("a static Go program is refused, with what to build instead")
            .needs("go", "golang-go")
            .shown_by(static_go),
        of("a 32-bit program is refused").shown_by(bits_32),
        of("a setuid program is refused").shown_by(setuid),
        of("a program built with a sanitizer is refused").shown_by(sanitizer),
        of("a script is refused when its interpreter is").shown_by(script),
        of("a page of another version is refused by every command and by run").shown_by(other_version),
        of("a page that is no page, or truncated, is refused by every command and by run").shown_by(no_page),
        of("a node whose page is missing can still be removed").shown_by(missing_page),
        of("a page of random bytes after its header skews and crashes nobody").shown_by(random_page),
    ]
}

/// It is refused with 125, says this, did not run, and left nothing.
#[track_caller]
fn refused(lab: &Lab, program: &[&str], fragment: &str) -> Done {
    let shim_alone = ["--reach", "preload", "--jump", "-1h"];
    let done = lab.run("a", &shim_alone, program).input("").done().expect_code(125);
    let done = done.expect_error(fragment).expect_error("help:");
    assert_eq!(done.stdout, "", "it ran");
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
    done
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("a plain path")
}

fn static_program(lab: &Lab) {
    refused(lab, &[text(&lab.target("probe").flags(["-static"]).path())], "static");
    refused(lab, &[text(&lab.target("probe").flags(["-static-pie"]).path())], "static");
}

fn static_go(lab: &Lab) {
    let (source, program) = (lab.path("main.go"), lab.path("go-static"));
    std::fs::write(&source, "package main\nfunc main() { println(\"ran\") }\n")
        .expect("a file can be written");
    let build = lab.command("go", ["build", "-o", text(&program), text(&source)]).env("CGO_ENABLED", "0");
    build.env("GOCACHE", lab.path("cache")).env("GOFLAGS", "-mod=mod").done().expect_code(0);
    refused(lab, &[text(&program)], "Go");
}

/// A copy of a program with some bytes of its ELF header changed.
fn patched(lab: &Lab, name: &str, at: u64, bytes: &[u8]) -> PathBuf {
    let copy = lab.path(name);
    std::fs::copy(lab.target("probe").path(), &copy).expect("it can be copied");
    let file = std::fs::OpenOptions::new().write(true).open(&copy).expect("it can be opened");
    file.write_all_at(bytes, at).expect("it can be written");
    copy
}

fn bits_32(lab: &Lab) {
    let compiled = lab.path("bits32");
    let source = lab.path("bits32.c");
    std::fs::write(&source, "void _start(void) { for (;;); }\n").expect("a file can be written");
    let arguments = ["-m32", "-nostdlib", "-o", text(&compiled), text(&source)];
    // Without a 32-bit linker the class and the machine of a header will do: it is refused before it could run.
    let program = if lab.command("cc", arguments).done().code == 0 {
        compiled
    } else {
        patched(lab, "bits32-header", 4, &[1])
    };
    let done = lab.run("a", &["--jump", "-1h"], [text(&program)]).done();
    assert!([125, 126].contains(&done.code), "{}", done.report());
    assert_eq!(done.stdout, "");
    // Another processor's.
    refused(lab, &[text(&patched(lab, "aarch64", 18, &[183, 0]))], "processor");
}

fn setuid(lab: &Lab) {
    let copy = lab.copy_of(Path::new("/bin/date"), "setuid");
    let nobody = nix::unistd::Uid::from_raw(65534);
    if nix::unistd::chown(&copy, Some(nobody), None).is_err() {
        // Who is not root cannot make a file of somebody else; passwd is one.
        return refused_quietly(lab, "/usr/bin/passwd");
    }
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o4755)).expect("its mode can be changed");
    refused_quietly(lab, text(&copy));
    reached(lab, &[text(&copy), "+%s"]);
}

/// Without asking for the shim alone it runs, an hour behind.
#[track_caller]
fn reached(lab: &Lab, program: &[&str]) {
    let done = lab.run("a", &["--jump", "-1h"], program).input("").done().expect_code(0);
    let first = done.text().lines().next().unwrap_or_default();
    let shown: i64 = match Reading::parse(first) {
        Some(reading) => reading.shown / SECOND,
        None => first.parse().unwrap_or_else(|_| panic!("it says {first:?}")),
    };
    let now: i64 = lab.bare(["date", "+%s"]).text().parse().expect("seconds");
    assert!((now - 3600 - shown).abs() < 30, "it shows {shown}, and it is {now}");
}

fn refused_quietly(lab: &Lab, program: &str) {
    refused(lab, &[program], "LD_PRELOAD");
}

fn sanitizer(lab: &Lab) {
    for (flag, word) in [("-fsanitize=address", "ddress"), ("-fsanitize=thread", "hread")] {
        let program = lab.target("probe").flags([flag]).path();
        refused(lab, &[text(&program)], word);
        reached(lab, &[text(&program)]);
    }
}

fn script(lab: &Lab) {
    let interpreter = lab.target("probe").flags(["-static"]).path();
    let script = lab.path("script");
    std::fs::write(&script, format!("#!{}\n", interpreter.display())).expect("a file can be written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode can be changed");
    refused(lab, &[text(&script)], "static");
    reached(lab, &[text(&script)]);
    std::fs::write(&script, "#!/usr/bin/env -S -i sh\n/bin/date +%s\n").expect("a file can be written");
    refused(lab, &[text(&script)], "LD_PRELOAD");
    reached(lab, &[text(&script)]);
}

/// Damages the page of a node, and expects every command to refuse it with this in its message.
#[track_caller]
fn damaged(lab: &Lab, fragment: &str, damage: impl Fn(&std::fs::File)) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let page =
        std::fs::OpenOptions::new().write(true).open(lab.nodes().join("a/page")).expect("there is a page");
    damage(&page);
    for words in
        [&["jump", "a", "-1h"][..], &["drift", "a", "2x"], &["stall", "a"], &["status", "a"], &["env", "a"]]
    {
        let done = lab.falseticker(words);
        assert!([2, 3].contains(&done.code), "{}", done.report());
        done.expect_error(fragment).expect_error("help:");
    }
    let done = lab
        .run("a", &["--jump", "-1h"], ["sh", "-c", "echo ran"])
        .done()
        .expect_code(125)
        .expect_error(fragment);
    assert_eq!(done.stdout, "", "it ran");
    // One that is put there by its environment goes on as without the shim, and does not crash.
    let shim = lab.nodes().join("a/falseticker.so");
    let bare = lab.command("sh", ["-c", "date +%s"]).env("LD_PRELOAD", &shim).done().expect_code(0);
    let now: i64 = lab.bare(["date", "+%s"]).text().parse().expect("seconds");
    assert!((bare.text().parse::<i64>().expect("seconds") - now).abs() < 20);
    // Another node does not suffer from it.
    lab.falseticker(["create", "b"]).expect_code(0);
    lab.falseticker(["jump", "b", "-1h"]).expect_code(0);
    lab.falseticker(["remove", "b"]).expect_code(0);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn other_version(lab: &Lab) {
    damaged(lab, "version", |page| page.write_all_at(&99_u32.to_le_bytes(), 8).expect("it can be written"));
}

fn no_page(lab: &Lab) {
    damaged(lab, "page", |page| page.write_all_at(b"nonsense", 0).expect("it can be written"));
    damaged(lab, "page", |page| page.set_len(4096).expect("it can be truncated"));
    damaged(lab, "page", |page| page.set_len(0).expect("it can be truncated"));
}

fn missing_page(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    std::fs::remove_file(lab.nodes().join("a/page")).expect("it can be removed");
    lab.run("a", &["--jump", "-1h"], ["sh", "-c", "echo ran"]).done().expect_code(125);
    lab.falseticker(["status"]).expect_code(3).expect_error("help:");
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn random_page(lab: &Lab) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for _ in 0..crate::harness::count_of("FALSETICKER_PAGES", 5) {
        lab.falseticker(["create", "a"]).expect_code(0);
        let page = std::fs::OpenOptions::new()
            .write(true)
            .open(lab.nodes().join("a/page"))
            .expect("there is a page");
        let length = page.metadata().expect("it has a length").len();
        let bytes: Vec<u8> = (64..length).step_by(8).flat_map(|_| random()).collect();
        page.write_all_at(&bytes, 64).expect("it can be written");
        let probe = lab.target("probe").path();
        let done = lab.in_node("a", [&probe]).input("all 0\nwall 0\n").done().expect_code(0);
        assert!(done.stdout.lines().filter(|line| *line == "done").count() == 2, "{}", done.report());
        lab.falseticker(["status"]);
        lab.falseticker(["remove", "a"]).expect_code(0);
    }
}
