//! Text for people: columns, counts, cuts, and spans with as many digits as anybody reads.

use falseticker::Span;
use falseticker::units::format_span;

/// "1 process", "3 processes".
pub fn count(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A text that takes so many columns at most; control characters, which a command line may hold, are replaced.
pub fn cut(text: &str, width: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    if text.chars().count() <= width {
        return clean.collect();
    }
    let mut short: String = clean.take(width.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}

/// Rows under one another, each cell but the last as wide as the widest of its column.
pub fn columns(indent: usize, rows: &[Vec<String>]) -> String {
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            line.push_str(cell);
            line.push_str(&" ".repeat(wide(column).saturating_sub(cell.chars().count())));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text in lines of so many columns at most (a word that is longer stands alone), the first and the others indented by
/// so many; control characters are replaced.
pub fn folded(text: &str, first: usize, others: usize, width: usize) -> String {
    let mut lines = vec![" ".repeat(first)];
    let mut begun = false;
    for word in text.split_whitespace().map(|word| cut(word, usize::MAX)) {
        if let Some(line) = lines.last_mut() {
            let space = usize::from(begun);
            if !begun || line.chars().count() + space + word.chars().count() <= width {
                line.push_str(&" ".repeat(space));
                line.push_str(&word);
                begun = true;
                continue;
            }
        }
        lines.push(" ".repeat(others) + &word);
    }
    lines.join("\n") + "\n"
}

/// A span to three digits or more: how long something took.
pub fn short(span: Span) -> String {
    let unit = match span.unsigned_nanos() {
        0..10_000 => 1,
        10_000..10_000_000 => 1_000,
        10_000_000..10_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    format_span(rounded(span, unit))
}

/// A span without what clocks that are read one after the other differ by: an offset, a length that was computed.
pub fn near(span: Span) -> String {
    let unit = match span.unsigned_nanos() {
        0..1_000_000 => 1,
        1_000_000..1_000_000_000 => 1_000,
        _ => 1_000_000,
    };
    format_span(rounded(span, unit))
}

/// The nearest multiple of so many nanoseconds.
fn rounded(span: Span, unit: i64) -> Span {
    let half = if span.is_negative() { -unit / 2 } else { unit / 2 };
    Span::from_nanos(span.as_nanos().saturating_add(half) / unit * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_as_many_digits_as_are_read() {
        for (nanos, brief, precise) in [
            (0, "0s", "0s"),
            (9_999, "9.999us", "9.999us"),
            (808_499, "808us", "808.499us"),
            (3_709_512, "3.71ms", "3.71ms"),
            (1_999_999_672_174, "33m20s", "33m20s"),
            (-3_599_999_999_958, "-1h", "-1h"),
            (1_234_567_890, "1.235s", "1.235s"),
            (-1_500_000_000, "-1.5s", "-1.5s"),
            (i64::MIN, "-106751d23h47m16s", "-106751d23h47m16.854s"),
        ] {
            assert_eq!(
                (short(Span::from_nanos(nanos)).as_str(), near(Span::from_nanos(nanos)).as_str()),
                (brief, precise)
            );
        }
    }

    #[test]
    fn counts_read_well() {
        assert_eq!(count(1, "process", "processes"), "1 process");
        assert_eq!(count(0, "process", "processes"), "0 processes");
    }

    #[test]
    fn cuts_are_seen() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab\u{2026}");
        assert_eq!(cut("a\nb\u{1b}", 9), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn long_texts_are_folded_between_words() {
        assert_eq!(folded("one two three", 2, 4, 9), "  one two\n    three\n");
        assert_eq!(folded("indivisible x", 0, 1, 4), "indivisible\n x\n");
        assert_eq!(folded("a\u{1b}b  c", 0, 0, 80), "a\u{fffd}b c\n");
        assert_eq!(folded("", 2, 2, 80), "  \n");
    }

    #[test]
    fn columns_line_up() {
        let rows =
            [vec!["a".to_owned(), "long".to_owned(), "x".to_owned()], vec!["abc".to_owned(), "b".to_owned()]];
        assert_eq!(columns(1, &rows), " a    long  x\n abc  b\n");
    }
}
