use falseticker::Error;
use falseticker::freeze::Means;
use falseticker::node::{Pause, Status};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::*;
use crate::cli::status::text::tests::status;
use crate::cli::watch::keys::{Edit, Wish};
use crate::cli::watch::model::tests::{model, name};
use crate::cli::watch::prompt::What;

const SIZES: [(u16, u16); 3] = [(80, 24), (60, 20), (120, 40)];

fn drawn(model: &mut Model, (width, height): (u16, u16), colours: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, Paint { colours })).unwrap();
    terminal.backend().buffer().clone()
}

/// What is seen, a line a row.
fn screen(model: &mut Model, size: (u16, u16)) -> String {
    text_of(&drawn(model, size, false))
}

fn text_of(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(usize::from(buffer.area.width).max(1));
    let line = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
    rows.map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn expect(screen: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(screen.contains(fragment), "{fragment:?} is not in\n{screen}");
    }
}

#[test]
fn two_nodes_in_80_columns() {
    let mut model = model(&["a", "b"]);
    let expected = " falseticker  2 nodes, 2 faulted, 2 processes not reached
  node          offset         rate     processes             last 2m
> a             -1h            200ppm   3 processes running                    ▄
    5 drift 200ppm, 1s ago; read by 1 of 2, last after 808us; 1 not reached
  b             -1h            200ppm   3 processes running                    ▄
    5 drift 200ppm, 1s ago; read by 1 of 2, last after 808us; 1 not reached
── a ───────────────────────────────────────────────────────────────────────────
node a: made by run; shared
  clock  shows                     offset  rate
  wall   2026-11-23T11:00:00.123Z  -1h     200ppm
  mono   3d2h5.25s                 true
  boot   3d2h5.25s                 true
  change  fault         clocks  in force
  3       jump -1h      wall    since 12s, for another 5s
  5       drift 200ppm  wall    since 1s
  over: 2 heal (ended), and 1 earlier
  pid   reach    state     evidence                      command
  1234  preload  sleeping  5 after 808us, 3 after 1.2ms  /usr/bin/redis-server …
  99    preload  sleeping  5 not read, 3 not read        sleep 100
  1234: refused 3 calls to set the clock (--allow-settime passes them on)
  99: symbols alone are taken over: code may not be written there: EPERM
  99: 12 older marks were overwritten
  ... 4 more: Page Down
j jump  d drift  f freeze  t thaw  h heal  H heal all  ↑↓ node  ? help  q quit";
    let screen = screen(&mut model, (80, 24));
    assert_eq!(screen, expected, "\n{screen}");
}

#[test]
fn what_matters_is_seen_at_every_size() {
    for size in SIZES {
        let mut model = model(&["a", "b"]);
        model.tell(&[Err(
            Error::not_applied("freeze node a", "none of its processes runs").remedy("start one")
        )]);
        let screen = screen(&mut model, size);
        let always = ["> a ", "-1h", "200ppm", "3 processes running", "5 drift 200ppm", "read by 1 of 2"];
        expect(&screen, &always);
        expect(&screen, &["cannot freeze node a: none of its processes runs", "help: start one", "q quit"]);
        assert_eq!(screen.contains("last 2m"), size.0 > 60, "{screen}");
    }
}

#[test]
fn it_shrinks_to_nothing_without_harm() {
    for (width, height) in [(30, 8), (20, 4), (10, 3), (80, 2), (3, 1), (1, 1), (0, 0)] {
        let mut model = model(&["a", "b"]);
        model.tell(&[Ok("node a: healed (change 2, wall)".to_owned())]);
        model.follow(Wish::Ask(What::Jump));
        model.help = true;
        screen(&mut model, (width, height));
    }
    expect(&screen(&mut model(&["a"]), (30, 8)), &["> a", "-1h", "? help  q quit"]);
}

#[test]
fn the_chosen_of_many_is_always_seen() {
    let names: Vec<String> = (10..40).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for size in SIZES.into_iter().chain([(80, 8)]) {
        let mut model = model(&names);
        for wish in [Wish::Last, Wish::Up, Wish::Up] {
            model.follow(wish);
        }
        expect(&screen(&mut model, size), &["> n37 "]);
    }
}

#[test]
fn details_are_scrolled_to_their_end_and_no_further() {
    let mut model = model(&["a"]);
    for _ in 0..20 {
        model.follow(Wish::PageDown);
    }
    let end = screen(&mut model, (80, 24));
    expect(&end, &["    77 ./static: it is statically linked"]);
    assert!(!end.contains("Page Down"), "{end}");
    model.follow(Wish::PageUp);
    expect(&screen(&mut model, (80, 24)), &["Page Down"]);
}

#[test]
fn a_question_takes_the_place_of_the_keys_and_has_the_cursor() {
    let mut model = model(&["a"]);
    model.follow(Wish::Ask(What::Jump));
    for letter in "-1h".chars() {
        model.follow(Wish::Edit(Edit::Put(letter)));
    }
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &mut model, Paint { colours: false })).unwrap();
    expect(&text_of(terminal.backend().buffer()), &["jump a by: -1h   (a span: -1h30m, +250ms; Enter, Esc)"]);
    terminal.backend_mut().assert_cursor_position((14, 23));
    // Of a long one the end is seen.
    for letter in "0123456789".repeat(10).chars() {
        model.follow(Wish::Edit(Edit::Put(letter)));
    }
    expect(&screen(&mut model, (60, 20)), &["89"]);
}

#[test]
fn a_pause_is_told_with_what_is_left_of_it() {
    let frozen = |until_ns| {
        let mut frozen = status();
        frozen.frozen = Some(falseticker::node::FrozenStatus {
            pids: vec![1234],
            since_ns: Some(58_000_000_000),
            until_ns,
            guards: vec![7],
            pauses: vec![pause(until_ns)],
        });
        shown(frozen)
    };
    expect(&frozen(Some(63_000_000_000)), &["1 frozen", "frozen, 3s more"]);
    expect(&frozen(None), &["frozen until thawed"]);
    let mut over = status();
    over.last_pause =
        Some(Pause { actual_ns: Some(1_000_000_000), last_resume_ns: Some(59_500_000_000), ..pause(None) });
    over.changes.clear();
    expect(&shown(over), &["3 processes running", "    1 not reached; paused for 1s, 500ms ago\n"]);
}

fn pause(until_ns: Option<i64>) -> Pause {
    Pause {
        how: Means::Signal,
        why: None,
        held: Vec::new(),
        found_stopped: Vec::new(),
        requested_ns: None,
        actual_ns: None,
        first_stop_ns: None,
        since_ns: Some(58_000_000_000),
        until_ns,
        first_resume_ns: None,
        last_resume_ns: None,
        controller: None,
        guards: vec![7],
    }
}

fn shown(status: Status) -> String {
    let mut model = Model::default();
    model.take_in(vec![(name("a"), Seen::There(Box::new(status)))]);
    screen(&mut model, (80, 24))
}

#[test]
fn a_node_without_faults_or_processes_says_so() {
    let mut bare = status();
    (bare.changes, bare.processes, bare.not_reached) = Default::default();
    (bare.clocks.wall.state, bare.clocks.wall.rate_ppm) = ("true", 0.0);
    expect(&shown(bare), &["true           1x       no process", "no fault yet"]);
}

#[test]
fn nodes_that_are_gone_or_damaged_and_none_at_all_are_told() {
    let mut model = Model::default();
    expect(&screen(&mut model, (80, 24)), &["0 nodes", "falseticker run --node a -- PROGRAM", "q quit"]);
    let why = Error::bad_input("read the page of node b", "it is corrupt").remedy("falseticker remove b");
    model.take_in(vec![(name("a"), Seen::Gone), (name("b"), Seen::Damaged(why))]);
    expect(
        &screen(&mut model, (80, 24)),
        &["> a             gone", "b             damaged", "it is corrupt"],
    );
}

#[test]
fn help_has_every_key() {
    for size in SIZES {
        let mut model = model(&["a"]);
        model.follow(Wish::Help);
        let screen = screen(&mut model, size);
        for (key, ..) in KEYS {
            expect(&screen, &[&format!("│ {key:<4}")]);
        }
    }
}

#[test]
fn without_colours_the_same_is_said() {
    let (mut model, size) = (model(&["a", "b"]), SIZES[0]);
    let (plain, coloured) = (drawn(&mut model, size, false), drawn(&mut model, size, true));
    assert_eq!(text_of(&plain), text_of(&coloured));
    let has_colour = |buffer: &Buffer| buffer.content.iter().any(|cell| cell.fg != Color::Reset);
    assert!(has_colour(&coloured) && !has_colour(&plain));
}
