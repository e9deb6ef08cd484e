//! Draws a model.
//!
//! What must hold: nothing is said by colour alone; whatever the size of the terminal, nothing is drawn outside of it, and
//! what was said last and the keys are seen before details are.

use falseticker::units::format_span;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::keys::KEYS;
use super::model::{Model, Said, Seen, Watched};
use super::past::WINDOW;
use super::summary::{self, Tone};
use crate::cli::status::text;
use crate::cli::table::{count, cut, folded};

/// The columns of a node's first line; bars have the rest.
const COLUMNS: [(&str, u16); 4] = [("node", 14), ("offset", 15), ("rate", 9), ("processes", 22)];
/// Fewer bars than this say nothing.
const FEWEST_BARS: usize = 6;
/// Lines of what was said last.
const MOST_SAID: usize = 4;
/// Fewer lines of details are not worth their rule.
const FEWEST_DETAILS: u16 = 4;
/// The sign of the chosen node, and what stands before the others.
const MARGINS: (&str, &str) = ("> ", "  ");

/// How it is painted.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    pub colours: bool,
}

impl Paint {
    fn of(self, tone: Tone) -> Style {
        let colour = match tone {
            Tone::Plain => return Style::default(),
            Tone::Faulted => Color::Yellow,
            Tone::Still => Color::Cyan,
            Tone::Wrong => Color::Red,
        };
        if self.colours { Style::default().fg(colour) } else { Style::default() }
    }
}

fn strong() -> Style {
    Style::default().add_modifier(Modifier::BOLD)
}

/// Draws all of it.
pub fn draw(frame: &mut Frame, model: &mut Model, paint: Paint) {
    let area = frame.area();
    let said = said(model, paint, area.width);
    let said_lines = u16::try_from(said.len()).unwrap_or(0).min(area.height.saturating_sub(2));
    let [head, middle, below, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(said_lines),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(head_line(model, head.width), head);
    draw_middle(frame, model, paint, middle);
    frame.render_widget(Paragraph::new(said), below);
    draw_foot(frame, model, foot);
    if model.help {
        draw_help(frame, area);
    }
}

fn head_line(model: &Model, width: u16) -> Line<'static> {
    let statuses = || {
        model.nodes().iter().filter_map(|node| match &node.seen {
            Seen::There(status) => Some(status),
            Seen::Gone | Seen::Damaged(_) => None,
        })
    };
    let mut said = vec![count(model.nodes().len(), "node", "nodes")];
    let faulted = statuses().filter(|status| status.clocks.wall.state != "true").count();
    let frozen = statuses().filter(|status| status.frozen.is_some()).count();
    let escaped: usize = statuses().map(|s| s.not_reached.iter().filter(|one| one.chosen).count()).sum();
    said.extend((faulted > 0).then(|| format!("{faulted} faulted")));
    said.extend((frozen > 0).then(|| format!("{frozen} frozen")));
    said.extend((escaped > 0).then(|| format!("{} not reached", count(escaped, "process", "processes"))));
    let line = format!(" falseticker  {}", said.join(", "));
    let width = usize::from(width);
    Line::styled(format!("{:<width$}", cut(&line, width)), strong().add_modifier(Modifier::REVERSED))
}

/// The nodes, and below them what there is to say of the chosen one.
fn draw_middle(frame: &mut Frame, model: &mut Model, paint: Paint, area: Rect) {
    if model.nodes().is_empty() {
        let help = "There are no nodes yet. In another terminal:\n\n  falseticker run --node a -- PROGRAM";
        frame.render_widget(Paragraph::new(help), area);
        return;
    }
    let wanted = u16::try_from(model.nodes().len()).unwrap_or(u16::MAX).saturating_mul(2).saturating_add(1);
    // Half of it at most, so that details can be seen, if there is enough of it for both.
    let half = (area.height / 2).max(3) | 1;
    let list = if area.height < half + FEWEST_DETAILS { area.height } else { wanted.min(half) };
    let [list, details] = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).areas(area);
    draw_list(frame, model, paint, list);
    if details.height > 0 {
        draw_details(frame, model, paint, details);
    }
}

fn draw_list(frame: &mut Frame, model: &Model, paint: Paint, area: Rect) {
    let mut lines = vec![columns_line(area.width)];
    let fitting = usize::from(area.height.saturating_sub(1) / 2).max(1);
    // The chosen one is always seen.
    let first = (model.chosen() + 1).saturating_sub(fitting);
    for (index, node) in model.nodes().iter().enumerate().skip(first).take(fitting) {
        lines.extend(node_lines(node, index == model.chosen(), paint, area.width));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn columns_line(width: u16) -> Line<'static> {
    let mut line = MARGINS.1.to_owned();
    for (name, width) in COLUMNS {
        line.push_str(&cell(name, width));
    }
    if bars_in(width) > 0 {
        line.push_str(&format!("last {}", format_span(WINDOW)));
    }
    Line::styled(line, Style::default().add_modifier(Modifier::DIM | Modifier::UNDERLINED))
}

/// So many bars have room beside the columns.
fn bars_in(width: u16) -> usize {
    let taken: u16 = COLUMNS.iter().map(|(_, width)| width).sum();
    let left = usize::from(width.saturating_sub(taken + 2));
    if left < FEWEST_BARS { 0 } else { left }
}

/// A text in its column, and a space behind it.
fn cell(text: &str, width: u16) -> String {
    let width = usize::from(width);
    format!("{:<width$}", cut(text, width.saturating_sub(1)))
}

/// The two lines of a node.
fn node_lines(node: &Watched, chosen: bool, paint: Paint, width: u16) -> [Line<'static>; 2] {
    let margin = if chosen { MARGINS.0 } else { MARGINS.1 };
    let name = cell(node.name.as_str(), COLUMNS[0].1);
    let name =
        if chosen { Piece::styled(name, strong().add_modifier(Modifier::REVERSED)) } else { name.into() };
    let mut first = vec![Piece::raw(margin), name];
    let below = match &node.seen {
        Seen::There(status) => {
            let said = [summary::offset_of(status), summary::rate_of(status), summary::state_of(status)];
            for ((text, tone), (_, width)) in said.into_iter().zip(COLUMNS.into_iter().skip(1)) {
                first.push(Piece::styled(cell(&text, width), paint.of(tone)));
            }
            first.push(node.past.bars(bars_in(width)).into());
            summary::last_fault_of(status)
        }
        Seen::Gone => {
            first.push("gone".into());
            vec![("waiting for it to come back".to_owned(), Tone::Plain)]
        }
        Seen::Damaged(why) => {
            first.push(Piece::styled("damaged", paint.of(Tone::Wrong)));
            vec![(why.to_string().replace('\n', " "), Tone::Wrong)]
        }
    };
    let mut second = vec![Piece::raw("    ")];
    for (index, (text, tone)) in below.into_iter().enumerate() {
        second.extend((index > 0).then(|| Piece::raw("; ")));
        second.push(Piece::styled(cut(&text, usize::MAX), paint.of(tone)));
    }
    [Line::from(first), Line::from(second)]
}

/// What `status` says of the chosen node, below a rule with its offset's range.
fn draw_details(frame: &mut Frame, model: &mut Model, paint: Paint, area: Rect) {
    let Some(node) = model.chosen_node() else { return };
    let width = usize::from(area.width);
    let text = match &node.seen {
        Seen::There(status) => text::within(status, width),
        Seen::Gone => format!("node {}: gone", node.name),
        Seen::Damaged(why) => folded(&why.to_string(), 0, 2, width),
    };
    let rule = cut(&format!("── {} ", range_of(node)), width);
    let rule = format!("{rule:─<width$}");
    let mut lines: Vec<Line> = text.lines().map(|line| detail_line(line, paint)).collect();
    let below = usize::from(area.height.saturating_sub(1));
    let most = u16::try_from(lines.len().saturating_sub(below)).unwrap_or(u16::MAX);
    model.scrolled = model.scrolled.min(most);
    let first = usize::from(model.scrolled);
    let more = lines.len().saturating_sub(first + below);
    lines.drain(..first);
    lines.truncate(below);
    if more > 0
        && let Some(last) = lines.last_mut()
    {
        *last = Line::styled(format!("  ... {} more: Page Down", more + 1), strong());
    }
    lines.insert(0, Line::styled(rule, Style::default().add_modifier(Modifier::DIM)));
    frame.render_widget(Paragraph::new(lines), area);
}

/// "a: offset from -1h to 0s in the last 2m".
fn range_of(node: &Watched) -> String {
    let offset = |nanos: i64| if nanos == 0 { "0s".to_owned() } else { text::offset(nanos) };
    match node.past.range().map(|(low, high)| (offset(low), offset(high))) {
        Some((low, high)) if low != high => {
            format!("{}: offset from {low} to {high} in the last {}", node.name, format_span(WINDOW))
        }
        _ => node.name.to_string(),
    }
}

fn detail_line(line: &str, paint: Paint) -> Line<'static> {
    let style = if line.starts_with("node ") {
        strong()
    } else if line.trim_start().starts_with("not reached") || line.contains("not read") {
        paint.of(Tone::Wrong)
    } else {
        Style::default()
    };
    Line::styled(line.to_owned(), style)
}

/// What was said last, folded.
fn said(model: &Model, paint: Paint, width: u16) -> Vec<Line<'static>> {
    let (text, style) = match &model.said {
        None => return Vec::new(),
        Some(Said::Done(text)) => (text, Style::default()),
        Some(Said::Failed(text)) => (text, paint.of(Tone::Wrong).add_modifier(Modifier::BOLD)),
    };
    let lines = text.lines().map(|line| folded(line, 1, 3, usize::from(width)));
    let lines: Vec<String> =
        lines.flat_map(|line| line.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let mut lines: Vec<Line> = lines.into_iter().map(|line| Line::styled(line, style)).collect();
    if lines.len() > MOST_SAID {
        lines.truncate(MOST_SAID - 1);
        lines.push(Line::styled(" ...", style));
    }
    lines
}

/// The keys, or the question that is open.
fn draw_foot(frame: &mut Frame, model: &Model, area: Rect) {
    let width = usize::from(area.width);
    let Some(prompt) = &model.prompt else {
        frame.render_widget(keys_line(width), area);
        return;
    };
    let question = prompt.question();
    let taken = question.chars().count() + prompt.text().chars().count();
    let hint = format!("   ({}; Enter, Esc)", prompt.hint());
    // The end of what is typed is seen, however long it is.
    let skipped = (taken + 1).saturating_sub(width);
    let typed: String =
        format!("{question}{}", cut(prompt.text(), usize::MAX)).chars().skip(skipped).collect();
    let column = u16::try_from(typed.chars().count()).unwrap_or(0);
    let pieces = vec![
        Piece::styled(typed, strong()),
        Piece::styled(hint, Style::default().add_modifier(Modifier::DIM)),
    ];
    frame.render_widget(Line::from(pieces), area);
    frame.set_cursor_position((area.x + column.min(area.width.saturating_sub(1)), area.y));
}

/// As many keys as there is room for; the ways to help and out always.
fn keys_line(width: usize) -> Line<'static> {
    let length = |(key, word, _): &(&str, &str, &str)| key.chars().count() + word.len() + 3;
    let (first, last) = KEYS.split_at(KEYS.len() - 2);
    let mut left = width.saturating_sub(last.iter().map(length).sum::<usize>());
    let fit = first.iter().take_while(|key| {
        let fits = length(key) <= left;
        left = left.saturating_sub(length(key));
        fits
    });
    let pieces = fit
        .chain(last)
        .flat_map(|(key, word, _)| [Piece::styled(*key, strong()), Piece::raw(format!(" {word}  "))]);
    Line::from(pieces.collect::<Vec<_>>())
}

fn draw_help(frame: &mut Frame, area: Rect) {
    let mut lines: Vec<Line> = KEYS
        .iter()
        .map(|(key, _, sentence)| {
            Line::from(vec![Piece::styled(format!(" {key:<4}"), strong()), Piece::raw(*sentence)])
        })
        .collect();
    let about = [
        "",
        " offset and rate are the wall clock's, against the machine's own.",
        " read by: who has read its clock since the last fault, and how soon.",
        " not reached: its clock is the machine's.",
    ];
    lines.extend(about.into_iter().map(Line::raw));
    let width = lines.iter().map(Line::width).max().unwrap_or(0) + 3;
    let wide = u16::try_from(width).unwrap_or(u16::MAX).min(area.width);
    let high = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect { x: (area.width - wide) / 2, y: (area.height - high) / 2, width: wide, height: high };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" keys ")), place);
}

#[cfg(test)]
mod tests;
