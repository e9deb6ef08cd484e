//! Figures, and tables of them in Markdown.

/// Figures of one thing measured over and over.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// One more.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The one in the middle; NaN if there is none.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The one that so many of a hundred are below; NaN if there is none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() * percent / 100).copied().unwrap_or(f64::NAN)
    }

    /// The smallest; infinite if there is none.
    pub fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest.
    pub fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Each by the other's of the same round.
    pub fn by(&self, other: &Figures) -> Figures {
        Figures(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }
}

/// A table for people, in Markdown.
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Table { title: title.into(), rows: vec![columns.iter().map(ToString::to_string).collect()] }
    }

    /// One more row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it, its columns aligned.
    pub fn print(&self) {
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let is_text =
            |column| self.rows.iter().skip(1).any(|row| cell(row, column).starts_with(char::is_alphabetic));
        let texts: Vec<bool> = (0..columns).map(is_text).collect();
        println!("\n{}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::from("|");
            let mut rule = String::from("|");
            for (column, (&width, &text)) in widths.iter().zip(&texts).enumerate() {
                let cell = cell(row, column);
                line += &if text { format!(" {cell:<width$} |") } else { format!(" {cell:>width$} |") };
                let dashes = "-".repeat(width);
                rule += &if text { format!(" {dashes} |") } else { format!(" {dashes}:|") };
            }
            println!("{line}");
            if number == 0 {
                println!("{rule}");
            }
        }
    }
}
