//! A scenario as its file has it: the keys of an entry beside one another.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as, skip_serializing_none};

use super::action;
use super::model::{After, Head, Program, Who};
use super::text::AsSpan;
use crate::Span;
use crate::freeze::shape::Length;
use crate::nemesis::Nemesis;

/// As the file has an entry: every key beside the others.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawEntry {
    #[serde_as(as = "Option<AsSpan>")]
    pub at: Option<Span>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    pub every: Option<Length>,
    pub count: Option<u32>,
    #[serde_as(as = "Option<[AsSpan; 2]>")]
    pub between: Option<[Span; 2]>,
    pub after: Option<After>,
    pub node: Option<Who>,
    pub optional: Option<bool>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub jump: Option<action::Jump>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub set: Option<action::Set>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub drift: Option<action::Drift>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub slew: Option<action::Slew>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub stall: Option<action::Stall>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub strobe: Option<action::Strobe>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub leap: Option<action::Leap>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub freeze: Option<action::Freeze>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub suspend: Option<action::Suspend>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub kill: Option<action::Kill>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub heal: Option<action::Heal>,
    #[serde(deserialize_with = "super::text::read", serialize_with = "super::text::write")]
    pub run: Option<action::Run>,
    pub undo: Option<String>,
}

/// What is written after a rule's name: `true`, where that is nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "write true, or what the rule needs, as in \"5s\"")]
pub(super) enum RawRule {
    Plain(bool),
    With(String),
}

/// As the file has it.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawScenario {
    pub scenario: Head,
    #[serde(default)]
    pub nodes: IndexMap<String, Program>,
    pub nemesis: Option<Nemesis>,
    #[serde(default)]
    pub timeline: Vec<RawEntry>,
    #[serde(default)]
    pub checks: IndexMap<String, RawRule>,
}
