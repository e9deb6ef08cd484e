//! The fuzz targets, driven without a fuzzer: mutations of the examples and of a history.
//!
//! For as many seconds as FALSETICKER_FUZZ_SECONDS says. With a nightly compiler and cargo-fuzz, `fuzz/` does it better.

use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::Scene;
use crate::harness::{Lab, count_of, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("whatever is done to a scenario's text, it is a scenario or an error with a place")
            .shown_by(scenarios),
        spec("whatever is done to a history's bytes, it is a history or an error").shown_by(histories),
    ]
}

/// A generator that is good enough for mutations.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (most.max(1) as u64)).expect("it is below a usize")
    }
}

/// Mutates the seeds for a while, and each result some more.
fn drive(seeds: &[Vec<u8>], one: fn(&[u8])) {
    let seconds = count_of("FALSETICKER_FUZZ_SECONDS", 1);
    let until = Instant::now() + Duration::from_secs(seconds as u64);
    let seed = std::process::id();
    let (mut draw, mut rounds) = (Draw(u64::from(seed) + 1), 0);
    for seed in seeds {
        one(seed);
    }
    while Instant::now() < until {
        let mut bytes = seeds[draw.below(seeds.len())].clone();
        for _ in 0..=draw.below(4) {
            let (at, other) = (draw.below(bytes.len()), &seeds[draw.below(seeds.len())]);
            let length = draw.below(12).min(bytes.len() - at);
            match draw.below(5) {
                0 => drop(bytes.drain(at..at + length)),
                1 => bytes[at] = u8::try_from(draw.below(256)).expect("a byte"),
                2 => bytes.insert(at, b"\"[]{}=,.#-+0123456789smhx\n"[draw.below(26)]),
                3 => {
                    let from = draw.below(other.len());
                    let piece = other[from..(from + 20).min(other.len())].to_vec();
                    bytes.splice(at..at + length, piece);
                }
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(b'#');
            }
        }
        one(&bytes);
        rounds += 1;
    }
    eprintln!("{rounds} mutations of {} texts in {seconds} s, seed {seed}", seeds.len());
}

fn scenarios(_: &Lab) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).expect("there are examples").flatten();
    let files = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "toml"));
    let seeds: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.path()).expect("it can be read")).collect();
    assert!(seeds.len() >= 4);
    drive(&seeds, falseticker::scenario::fuzz::one);
}

fn histories(lab: &Lab) {
    let text = "[scenario]\nname = \"x\"\nduration = \"500ms\"\n\
                [nodes.a]\ncommand = [\"bash\", \"-c\", \"echo '{\\\"op\\\": \\\"x\\\"}'; exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]\n\
                [[timeline]]\nat = \"100ms\"\nnode = \"a\"\njump = { by = \"1s\", for = \"100ms\" }\n\
                [[timeline]]\nat = \"100ms\"\nnode = \"a\"\nfreeze = \"50ms\"\n";
    let scene = Scene::new(lab, "seed", text);
    scene.play(&[]);
    drive(&[std::fs::read(&scene.history).expect("it is there")], falseticker::history::fuzz::one);
}
