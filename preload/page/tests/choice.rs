//! Choices among programs: what names them, what parses, and that what was written is what is read.
#![cfg(not(loom))]

use falseticker_page::choice::{CHOICE_SIZE, Choice, Rule, encode, is_name};
use proptest::prelude::*;

fn encoded(rule: Rule, names: &[&[u8]]) -> Option<Vec<u8>> {
    encode(rule, names).map(Iterator::collect)
}

#[test]
fn a_name_without_a_slash_is_the_last_part_of_a_path_and_one_with_a_slash_all_of_it() {
    for (name, path, is_named) in [
        (&b"etcd"[..], &b"/usr/bin/etcd"[..], true),
        (b"etcd", b"/usr/bin/etcdctl", false),
        (b"etcd", b"/usr/etcd/bin", false),
        (b"etcd", b"etcd", true),
        (b"/usr/bin/etcd", b"/usr/bin/etcd", true),
        (b"/usr/bin/etcd", b"/opt/etcd", false),
        (b"/etcd", b"/usr/bin/etcd", false),
        (b"etcd", b"", false),
        (b"a\nb", b"/x/a\nb", true),
    ] {
        let only = encoded(Rule::Only, &[b"other", name]).unwrap();
        let skip = encoded(Rule::Skip, &[name, b"other"]).unwrap();
        assert_eq!(Choice::parse(&only).unwrap().selects(path), is_named, "{name:?} {path:?}");
        assert_eq!(Choice::parse(&skip).unwrap().selects(path), !is_named, "{name:?} {path:?}");
    }
}

#[test]
fn a_program_is_named_by_any_of_its_paths() {
    let paths: [&[u8]; 2] = [b"/bin/sh", b"/usr/bin/dash"];
    for name in [&b"sh"[..], b"dash", b"/bin/sh", b"/usr/bin/dash"] {
        let only = encoded(Rule::Only, &[name]).unwrap();
        assert!(Choice::parse(&only).unwrap().selects_any(&paths), "{name:?}");
        let skip = encoded(Rule::Skip, &[name]).unwrap();
        assert!(!Choice::parse(&skip).unwrap().selects_any(&paths), "{name:?}");
    }
    let only = encoded(Rule::Only, &[b"bash"]).unwrap();
    assert!(!Choice::parse(&only).unwrap().selects_any(&paths));
    assert!(!Choice::parse(&only).unwrap().selects_any(&[]), "it has no path that is known");
}

#[test]
fn nothing_written_chooses_everything() {
    assert_eq!(Choice::parse(b""), Some(Choice::ALL));
    assert!(Choice::ALL.selects(b"/bin/true") && Choice::ALL.selects(b""));
    assert_eq!(Choice::ALL.names().count(), 0);
}

#[test]
fn what_is_no_choice_is_refused() {
    let cut = encoded(Rule::Only, &[b"etcd"]).unwrap();
    for length in 1..cut.len() {
        assert_eq!(Choice::parse(&cut[..length]), None, "{length} bytes of {}", cut.len());
    }
    for names in [&b"\0"[..], b"a\0\0", b"a/b\0", b"/a/\0", b"/\0"] {
        let bytes = [b"falseticker choice 1: only\n", names].concat();
        assert_eq!(Choice::parse(&bytes), None, "{names:?}");
    }
    assert_eq!(Choice::parse(b"falseticker choice 2: only\netcd\0"), None, "of a version to come");
    assert_eq!(encoded(Rule::Only, &[]), None);
    for name in [&b""[..], b"a\0", b"./a", b"a/", b"/"] {
        assert!(!is_name(name) && encoded(Rule::Skip, &[name]).is_none(), "{name:?}");
    }
    let long = vec![b'x'; CHOICE_SIZE];
    assert_eq!(encoded(Rule::Skip, &[&long]), None);
}

/// Names and paths of few letters, so that some are the same.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'/'), any::<u8>()], 0..6)
}

proptest! {
    #[test]
    fn any_bytes_are_a_choice_or_none(
        only in any::<Option<bool>>(), rest in prop::collection::vec(any::<u8>(), 0..5000), path in text(),
    ) {
        let line = only.map_or(&b""[..], |only| if only { b"falseticker choice 1: only\n" } else { b"falseticker choice 1: skip\n" });
        let bytes = [line, &rest].concat();
        if let Some(choice) = Choice::parse(&bytes) {
            prop_assert!(bytes.len() <= CHOICE_SIZE);
            prop_assert!(choice.names().all(is_name));
            let _: bool = choice.selects(&path);
        }
    }

    #[test]
    fn what_was_encoded_parses_as_the_same(
        only in any::<bool>(), names in prop::collection::vec(text(), 0..8), paths in prop::collection::vec(text(), 0..3),
    ) {
        let rule = if only { Rule::Only } else { Rule::Skip };
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let bytes = encoded(rule, &names);
        prop_assert_eq!(bytes.is_some(), !names.is_empty() && names.iter().all(|name| is_name(name)));
        let Some(bytes) = bytes else { return Ok(()) };
        let choice = Choice::parse(&bytes).unwrap();
        prop_assert_eq!(choice.rule(), rule);
        prop_assert_eq!(choice.names().collect::<Vec<_>>(), names.clone());
        // The model: by whole strings.
        let is_named = paths.iter().any(|path| names.iter().any(|name| {
            name == path || !name.contains(&b'/') && path.ends_with(&[b"/", *name].concat())
        }));
        prop_assert_eq!(choice.selects_any(&paths), is_named == only);
    }
}
