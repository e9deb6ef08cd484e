use super::*;
use crate::cli::status::text::tests::status;
use crate::cli::watch::prompt::What;

pub fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

/// A made-up node of that name, as it was seen.
pub fn there(text: &str) -> (NodeName, Seen) {
    (name(text), Seen::There(Box::new(Status { name: text.to_owned(), ..status() })))
}

/// A model of made-up nodes.
pub fn model(names: &[&str]) -> Model {
    let mut model = Model::default();
    model.take_in(names.iter().map(|name| there(name)).collect());
    model
}

fn typed(model: &mut Model, text: &str) -> Then {
    for letter in text.chars() {
        model.follow(Wish::Edit(Edit::Put(letter)));
    }
    model.follow(Wish::Edit(Edit::Enter))
}

fn chosen(model: &Model) -> Option<&str> {
    model.chosen_node().map(|node| node.name.as_str())
}

#[test]
fn the_chosen_node_stays_chosen_while_others_come_and_go() {
    let mut model = model(&["b", "c"]);
    model.follow(Wish::Down);
    assert_eq!(chosen(&model), Some("c"));
    model.take_in(vec![there("a"), there("b"), there("c")]);
    assert_eq!(chosen(&model), Some("c"));
    model.take_in(vec![there("a")]);
    assert_eq!(chosen(&model), Some("a"));
    model.take_in(Vec::new());
    assert_eq!(chosen(&model), None);
}

#[test]
fn a_node_keeps_its_past_while_it_is_gone() {
    let mut model = model(&["a", "b"]);
    model.take_in(vec![(name("a"), Seen::Gone), there("b")]);
    assert!(model.nodes()[0].past.range().is_some());
    model.take_in(vec![there("b")]);
    model.take_in(vec![(name("a"), Seen::Gone)]);
    assert_eq!(model.nodes()[0].past.range(), None);
}

#[test]
fn a_question_is_about_the_node_that_was_chosen_when_it_was_asked() {
    let mut model = model(&["a", "b"]);
    model.follow(Wish::Ask(What::Jump));
    model.take_in(vec![there("b")]);
    match typed(&mut model, "-1h") {
        Then::Do(Deed::Jump(node, by)) => {
            assert_eq!((node.as_str(), by), ("a", falseticker::Span::from_secs(-3_600)));
        }
        other => panic!("{other:?}"),
    }
    assert!(model.prompt.is_none());
}

#[test]
fn an_answer_that_cannot_be_read_stays_to_be_put_right() {
    let mut model = model(&["a"]);
    model.follow(Wish::Ask(What::Freeze));
    assert!(matches!(typed(&mut model, "5"), Then::Nothing));
    let Some(Said::Failed(why)) = model.said.clone() else { panic!("{:?}", model.said) };
    assert!(why.contains("help: write 5s"), "{why}");
    assert!(matches!(typed(&mut model, "s"), Then::Do(Deed::Freeze(_, Some(_)))));
    assert_eq!(model.said, None);
}

#[test]
fn a_question_can_be_left() {
    let mut model = model(&["a"]);
    model.follow(Wish::Ask(What::HealAll));
    assert!(matches!(model.follow(Wish::Edit(Edit::Leave)), Then::Nothing));
    assert!(model.prompt.is_none());
    model.follow(Wish::Ask(What::HealAll));
    assert!(matches!(typed(&mut model, "n"), Then::Nothing));
    assert!(model.prompt.is_none());
}

#[test]
fn thawing_and_healing_need_no_question_but_a_node() {
    let mut empty = Model::default();
    for wish in [Wish::Thaw, Wish::Heal, Wish::Ask(What::Jump), Wish::Ask(What::HealAll)] {
        assert!(matches!(empty.follow(wish), Then::Nothing));
        assert_eq!(empty.said.take(), Some(Said::Failed("there is no node".to_owned())));
        assert!(empty.prompt.is_none());
    }
    let mut model = model(&["a", "b"]);
    assert!(matches!(model.follow(Wish::Thaw), Then::Do(Deed::Thaw(node)) if node.as_str() == "a"));
    assert!(matches!(model.follow(Wish::Heal), Then::Do(Deed::Heal(nodes)) if nodes == [name("a")]));
}

#[test]
fn help_ends_by_any_key_and_that_key_quits_nothing() {
    let mut model = model(&["a"]);
    model.follow(Wish::Help);
    assert!(model.help);
    assert!(matches!(model.follow(Wish::Quit), Then::Nothing));
    assert!(!model.help);
    assert!(matches!(model.follow(Wish::Quit), Then::Quit));
}

#[test]
fn what_came_of_several_is_told_whole() {
    let mut model = Model::default();
    model.tell(&[Ok("node a: healed".to_owned()), Err(Error::not_applied("heal node b", "it is damaged"))]);
    let all = "node a: healed\ncannot heal node b: it is damaged".to_owned();
    assert_eq!(model.said, Some(Said::Failed(all)));
}
