//! Histories that are looked at.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::Scene;
use crate::harness::{Lab, binary, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("log prints, filters and follows a history, and accepts one that is cut off").shown_by(log),
        spec("log refuses what is no history, or a newer one").shown_by(refuses),
    ]
}

fn log(lab: &Lab) {
    let text = "[scenario]\nname = \"told\"\nduration = \"1s\"\nrecovery = \"100ms\"\n\
                [nodes.a]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]\n\
                [nodes.b]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]\n\
                [[timeline]]\nat = \"200ms\"\nnode = [\"a\", \"b\"]\njump = { by = \"1s\", for = \"100ms\" }\n";
    let scene = Scene::new(lab, "told", text);
    let path = scene.history.to_string_lossy().into_owned();
    let mut player = scene.command(&[]).live();
    player.line_where(|line| line.contains("a: started"));
    let mut follower = lab.command(binary(), ["log", &path, "--follow"]).live();
    follower.line_where(|line| line.contains("a: jump +1s"));
    assert_eq!(player.end(), 0, "{}", player.transcript().report());
    follower.line_where(|line| line.contains("end, complete"));
    assert_eq!(follower.end(), 0);

    let print = |flags: &[&str]| lab.falseticker(["log", &path].iter().chain(flags)).expect_code(0).stdout;
    let plain = print(&[]);
    assert!(plain.contains("arrived: holds") && !plain.contains("has read its clock"), "{plain}");
    assert!(print(&["--event", "evidence"]).contains("has read its clock"));
    let of_b = print(&["--node", "b"]);
    assert!(of_b.contains("b: jump") && !of_b.contains("a: "), "{of_b}");
    assert_eq!(print(&["--id", "1", "--all"]).lines().filter(|line| line.contains("a: ")).count(), 3);
    assert!(print(&["--json"]).starts_with('{'));

    let whole = std::fs::read(&scene.history).expect("it is there");
    std::fs::write(&scene.history, &whole[..whole.len() - 7]).expect("a file can be written");
    let cut = print(&[]);
    assert!(cut.contains("the last line is cut off") && cut.contains("arrived: holds"), "{cut}");
    let mut follower = lab.command(binary(), ["log", &path, "--follow"]).live();
    follower.line_where(|line| line.contains("programs: holds"));
    follower.signal(Signal::SIGINT);
    assert_eq!(follower.end(), 130);
}

fn refuses(lab: &Lab) {
    let path = lab.path("h");
    let refused = |text: &str, why: &str| {
        std::fs::write(&path, text).expect("a file can be written");
        lab.falseticker(["log", &path.to_string_lossy()]).expect_code(2).expect_error(why);
    };
    refused("", "it is empty");
    refused("hello\n", "line 1 is no header");
    refused("{\"format\":\"falseticker-history\",\"version\":99}\n", "it is of version 99");
    lab.falseticker(["log", "/nonexistent"]).expect_code(2).expect_error("No such file");
}
