use super::*;

/// All keys in what was sent.
fn keys(sent: &[u8]) -> Vec<Key> {
    let mut bytes = sent.to_vec();
    std::iter::from_fn(|| take_key(&mut bytes)).collect()
}

#[test]
fn every_key_of_the_footer_means_something_of_its_own() {
    let mut seen = Vec::new();
    for letter in KEYS.iter().filter_map(|(key, ..)| key.chars().next()).filter(|key| *key != '↑') {
        let wish = meaning(Key::Letter(letter), false).unwrap_or_else(|| panic!("{letter}"));
        assert!(!seen.contains(&wish), "{letter}");
        seen.push(wish);
    }
    for key in [Key::Up, Key::Down, Key::Home, Key::End, Key::PageUp, Key::PageDown] {
        let wish = meaning(key, false).unwrap_or_else(|| panic!("{key:?}"));
        assert!(!seen.contains(&wish), "{key:?}");
        seen.push(wish);
    }
}

#[test]
fn while_a_text_is_typed_letters_are_letters() {
    for letter in "qjdfthH?-1é".chars() {
        assert_eq!(meaning(Key::Letter(letter), true), Some(Wish::Edit(Edit::Put(letter))));
    }
    assert_eq!(meaning(Key::Escape, true), Some(Wish::Edit(Edit::Leave)));
    assert_eq!(meaning(Key::Up, true), None);
}

#[test]
fn the_ways_out_are_the_same_everywhere() {
    for typing in [false, true] {
        assert_eq!(meaning(Key::Control('c'), typing), Some(Wish::Interrupt));
        assert_eq!(meaning(Key::Control('z'), typing), Some(Wish::Stop));
        assert_eq!(meaning(Key::Control('q'), typing), None);
    }
    assert_eq!(meaning(Key::Escape, false), Some(Wish::Quit));
}

#[test]
fn what_terminals_send_is_understood() {
    use Key::*;
    for (sent, expected) in [
        (b"j-1h\r".as_slice(), vec![Letter('j'), Letter('-'), Letter('1'), Letter('h'), Enter]),
        (b"\x1b[A\x1bOB\x1b[H\x1b[4~", vec![Up, Down, Home, End]),
        (b"\x1b[5~\x1b[6~\t\x1b[Z", vec![PageUp, PageDown, Tab, BackTab]),
        (b"\x03\x1a\x15\x7f\x08", vec![Control('c'), Control('z'), Control('u'), Back, Back]),
        ("é↑x".as_bytes(), vec![Letter('é'), Letter('↑'), Letter('x')]),
        (b"\x1b", vec![Escape]),
        (b"\x1b\x1bq", vec![Escape]),
        // F5, Ctrl-Up, Alt-h, and what is no text: they mean nothing, and spoil nothing.
        (b"\x1b[15~\x1b[1;5A\x1bh\xff\0q", vec![Letter('q')]),
    ] {
        assert_eq!(keys(sent), expected, "{sent:?}");
    }
}

#[test]
fn what_is_cut_in_the_middle_is_known_to_be() {
    for unfinished in [b"\x1b".as_slice(), b"\x1b[", b"\x1b[1;5", b"\x1bO", b"q\x1b", &[0xe2, 0x86]] {
        assert!(is_unfinished(unfinished), "{unfinished:?}");
    }
    for finished in [b"".as_slice(), b"q", b"\x1b[A", b"\x1b[5~", b"\x1bh", "é".as_bytes(), &[0xff]] {
        assert!(!is_unfinished(finished), "{finished:?}");
    }
    // Such a rest is taken for what it may be in the end, and is no longer there.
    assert_eq!(keys(b"\x1b[1;5"), []);
}
