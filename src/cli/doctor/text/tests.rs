//! Made-up machines and programs, as they are shown.

use falseticker::reach::Means;
use falseticker::reach::elf::Kind;

use super::*;

fn good() -> Finding {
    Finding {
        check: "kernel",
        state: State::Good,
        found: "Linux 6.18.44, x86_64".to_owned(),
        consequence: None,
        remedy: None,
        stops: vec![],
    }
}

fn limited() -> Finding {
    Finding {
        check: "time-namespace",
        state: State::Limited,
        found: "version 1 alone, writable at /sys/fs/cgroup/freezer/a/rather/long/path/of/a/group".to_owned(),
        consequence: Some(
            "freeze --how auto stops processes by signals; frozen by groups they cannot be killed".to_owned(),
        ),
        remedy: Some("mount version 2".to_owned()),
        stops: vec![],
    }
}

#[test]
fn a_machine_in_80_columns() {
    let expected = "\
this machine
  good     kernel         Linux 6.18.44, x86_64
  limited  time-namespace version 1 alone, writable at
                          /sys/fs/cgroup/freezer/a/rather/long/path/of/a/group
                          freeze --how auto stops processes by signals; frozen
                          by groups they cannot be killed
                          help: mount version 2
";
    let text = machine(&[good(), limited()]);
    assert_eq!(text, expected, "\n{text}");
    assert_eq!(missing(&[good(), limited()]), "");
    let gone = Finding { state: State::Missing, ..good() };
    assert_eq!(
        missing(&[gone, limited()]),
        "this machine\n  missing  kernel         Linux 6.18.44, x86_64\n"
    );
}

#[test]
fn a_program_in_80_columns() {
    let report = ProgramReport {
        command: "./script".to_owned(),
        file: "/opt/app".into(),
        interpreters: vec!["/opt/app".into()],
        kind: Some("static".to_owned()),
        sanitizer: None,
        reach: Some(Means::Vdso),
        why: "its interpreter /opt/app is linked statically (static); its vDSO is replaced".to_owned(),
        stopped_by: vec![],
        not_covered: Means::Vdso.reach().covers(Kind::Static).gaps(false)[..2].to_vec(),
        remedies: vec!["use a dynamically linked build".to_owned()],
        arrives: true,
    };
    let expected = "\
./script: static
  run by /opt/app
  reached by vdso: its interpreter /opt/app is linked statically (static); its
    vDSO is replaced
  not covered
    clock reads by syscall(): they show the machine's clock
    clock reads by the syscall instruction: they show the machine's clock
  help: use a dynamically linked build
";
    let text = program(&report);
    assert_eq!(text, expected, "\n{text}");
    let stopped = ProgramReport { stopped_by: vec!["tracing"], arrives: false, ..report.clone() };
    assert!(program(&stopped).contains("  not reached: vdso it would be, and tracing is in the way: "));
    let refused =
        ProgramReport { reach: None, arrives: false, why: "it is a 32-bit program".to_owned(), ..report };
    assert!(program(&refused).contains("\n  not reached: it is a 32-bit program\n"));
}

#[test]
fn a_process_in_80_columns() {
    let report = ProcessReport {
        pid: 12,
        command: "sleep 60".to_owned(),
        user: Some(0),
        kind: Some("dynamic, glibc".to_owned()),
        node: Some("a".to_owned()),
        reach: None,
        could_be: Some(Means::Attach),
        why: Some("it was started without LD_PRELOAD".to_owned()),
        waits: None,
        findings: vec![limited()],
        stopped_by: vec![],
        not_covered: vec![],
        remedies: vec!["falseticker attach --pid 12 --node a".to_owned()],
        arrives: true,
    };
    let expected = "\
process 12 (sleep 60): dynamic, glibc
  not reached, it belongs to node a: it was started without LD_PRELOAD; attach
    can reach it
  help: falseticker attach --pid 12 --node a
of its own
";
    let text = process(&report);
    assert!(text.starts_with(expected), "\n{text}");
    let reached = ProcessReport { reach: Some(Means::Preload), waits: Some("kicked"), why: None, ..report };
    assert!(process(&reached).contains("\n  reached by preload, in node a\n  its waits: kicked\n"));
}
