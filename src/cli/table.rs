//! Text for people: columns, counts, cuts.

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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn columns_line_up() {
        let rows =
            [vec!["a".to_owned(), "long".to_owned(), "x".to_owned()], vec!["abc".to_owned(), "b".to_owned()]];
        assert_eq!(columns(1, &rows), " a    long  x\n abc  b\n");
    }
}
