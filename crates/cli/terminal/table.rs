//! Tables that fit the terminal.
//!
//! A table that is too wide gives up columns in the order of their ranks: it drops them, or folds
//! them into a line below each row. If that is not enough, long names in the first column get a line
//! of their own; and if even the other columns do not fit, each row becomes a name with a list of
//! fields below. A cell is never broken in the middle.

use super::lines::{flow, visible, wrap};
use super::width::{clip, pad, width};

/// The first column keeps at least this width beside the others, in columns.
const MIN_NAME_COLUMNS: usize = 12;
/// The indent of what stands below a row, in columns.
pub const INDENT: usize = 2;

/// What happens to a column for which there is no room. Columns with higher ranks go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrow {
    /// It stays.
    Keep,
    /// It is left out.
    Drop(u8),
    /// Its text goes below the row.
    Fold(u8),
}

/// A column.
#[derive(Debug, Clone)]
struct Column {
    /// The title above those of several columns.
    group: String,
    title: String,
    right: bool,
    narrow: Narrow,
}

/// A line of a table.
#[derive(Debug, Clone)]
enum Row {
    /// Its cells, and what stands below them: fields that stay whole, with a gap between them.
    Cells(Vec<String>, Vec<(Vec<String>, &'static str)>),
    /// A heading between rows.
    Heading(String),
}

/// A table: columns, then rows.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// The title above the columns that are added next.
    group: String,
    /// Whether it is drawn as Markdown.
    markdown: bool,
}

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty table that is drawn as Markdown where it fits.
    pub fn markdown() -> Self {
        Self { markdown: true, ..Self::default() }
    }

    /// Puts a title above the columns that are added next.
    pub fn group(mut self, title: impl Into<String>) -> Self {
        self.group = title.into();
        self
    }

    /// Adds a column of text.
    pub fn text(self, title: impl Into<String>, narrow: Narrow) -> Self {
        self.column(title.into(), narrow, false)
    }

    /// Adds a column of numbers, aligned to the right.
    pub fn number(self, title: impl Into<String>, narrow: Narrow) -> Self {
        self.column(title.into(), narrow, true)
    }

    fn column(mut self, title: String, narrow: Narrow, right: bool) -> Self {
        self.columns.push(Column { group: self.group.clone(), title, right, narrow });
        self
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(Row::Cells(cells.into_iter().map(|cell| visible(&cell)).collect(), Vec::new()));
    }

    /// Adds a line below the last row: fields with a gap between them, where the line may break.
    pub fn below(&mut self, fields: Vec<String>, gap: &'static str) {
        if let Some(Row::Cells(_, below)) = self.rows.last_mut()
            && !fields.is_empty()
        {
            below.push((fields, gap));
        }
    }

    /// Adds a heading between rows.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Heading(text.into()));
    }

    /// The table as text of this many columns.
    pub fn render(&self, columns: usize) -> String {
        if self.markdown {
            let escaped = self.escaped();
            let shape = Shape::new(&escaped, columns);
            if shape.markdown {
                return escaped.draw(&shape, columns);
            }
        }
        let plain = Self { markdown: false, ..self.clone() };
        plain.draw(&Shape::new(&plain, columns), columns)
    }

    /// The table with the marks of Markdown in its cells escaped.
    fn escaped(&self) -> Self {
        let mut table = self.clone();
        for row in &mut table.rows {
            if let Row::Cells(cells, _) = row {
                cells.iter_mut().for_each(|cell| *cell = cell.replace('|', "\\|"));
            }
        }
        table
    }

    fn draw(&self, shape: &Shape, columns: usize) -> String {
        let mut lines = Vec::new();
        if !shape.cards {
            lines.extend(shape.groups(self));
            let titles: Vec<String> = self.columns.iter().map(|column| column.title.clone()).collect();
            if titles.iter().any(|title| !title.is_empty()) {
                lines.extend(shape.line(self, &titles));
            }
            if shape.markdown {
                let rules: Vec<String> = shape.widths.iter().map(|&width| "-".repeat(width)).collect();
                lines.extend(shape.line(self, &rules));
            }
        }
        for row in &self.rows {
            match row {
                Row::Heading(text) => lines.push(format!("\n{}", wrap(text, columns, INDENT))),
                Row::Cells(cells, below) => {
                    lines.extend(if shape.cards {
                        self.card(cells, shape, columns)
                    } else {
                        shape.line(self, cells)
                    });
                    let folded = self.columns.iter().zip(cells).zip(&shape.folded);
                    for ((column, cell), _) in
                        folded.filter(|((_, cell), folded)| **folded && !cell.is_empty())
                    {
                        lines.push(indented(&wrap(&format!("{} {cell}", column.title), columns - INDENT, 0)));
                    }
                    for (fields, gap) in below {
                        let room = columns.saturating_sub(INDENT);
                        lines.push(indented(&flow(fields, gap, room, INDENT)));
                    }
                }
            }
        }
        lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
    }

    /// Whether at least half of the names in the first column fit into this width.
    fn most_names_fit(&self, room: usize) -> bool {
        let names = self.rows.iter().filter_map(|row| match row {
            Row::Cells(cells, _) => cells.first(),
            Row::Heading(_) => None,
        });
        let (fit, all) = (names.clone().filter(|name| width(name) <= room).count(), names.count());
        2 * fit >= all
    }

    /// A row as a name, and a list of fields below it.
    fn card(&self, cells: &[String], shape: &Shape, columns: usize) -> Vec<String> {
        let Some((name, _)) = cells.split_first() else { return Vec::new() };
        let room = columns.saturating_sub(INDENT);
        let fields: Vec<String> = (self.columns.iter().zip(cells).zip(&shape.widths).skip(1))
            .filter(|((_, cell), width)| **width > 0 && !cell.is_empty())
            .map(|((column, cell), _)| {
                let parts = [&column.group, &column.title, cell].map(|part| part.trim());
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                clip(&parts.join(" "), room)
            })
            .collect();
        [clip(name, columns), indented(&flow(&fields, "  ", room, 0))].into()
    }
}

/// How a table is laid out.
struct Shape {
    /// The width of each column; 0 for one that is dropped or folded.
    widths: Vec<usize>,
    /// Whether a column is folded.
    folded: Vec<bool>,
    markdown: bool,
    /// Whether rows are lists of fields.
    cards: bool,
}

impl Shape {
    fn new(table: &Table, columns: usize) -> Self {
        let widest = |i: usize| {
            let cells = table.rows.iter().filter_map(|row| match row {
                Row::Cells(cells, _) => cells.get(i),
                Row::Heading(_) => None,
            });
            let least = if table.markdown { 3 } else { 1 };
            cells.chain([&table.columns[i].title]).map(|cell| width(cell)).max().unwrap_or(0).max(least)
        };
        let n = table.columns.len();
        let mut shape = Self {
            widths: (0..n).map(widest).collect(),
            folded: vec![false; n],
            markdown: table.markdown,
            cards: false,
        };
        if n == 0 {
            return shape;
        }
        loop {
            // A few long names rather get a line of their own than cost a column.
            let room = columns.saturating_sub(shape.plain_total() - shape.widths[0]);
            if shape.total() <= columns {
                return shape;
            }
            let long = shape.widths[0] > room;
            if long && room >= MIN_NAME_COLUMNS && table.most_names_fit(room) {
                return Self { markdown: false, ..shape.with_name(room) };
            }
            let rank = |i: usize| match table.columns[i].narrow {
                Narrow::Drop(rank) | Narrow::Fold(rank) if shape.widths[i] > 0 => Some(rank),
                _ => None,
            };
            let Some(next) = (0..n).filter_map(rank).max() else {
                let cards = room < MIN_NAME_COLUMNS;
                return Self { markdown: false, cards, ..shape.with_name(room) };
            };
            // Columns of the same rank go together.
            for i in (0..n).filter(|&i| rank(i) == Some(next)).collect::<Vec<_>>() {
                shape.widths[i] = 0;
                shape.folded[i] = matches!(table.columns[i].narrow, Narrow::Fold(_));
            }
        }
    }

    /// The shape with a first column of at most this width, but at least one column.
    fn with_name(mut self, room: usize) -> Self {
        self.widths[0] = self.widths[0].min(room).max(1);
        self
    }

    /// The width without the marks of Markdown.
    fn plain_total(&self) -> usize {
        let shown = self.widths.iter().filter(|&&width| width > 0);
        shown.clone().sum::<usize>() + 2 * shown.count().saturating_sub(1)
    }

    fn total(&self) -> usize {
        let shown = self.widths.iter().filter(|&&width| width > 0).count();
        if self.markdown { self.plain_total() + shown + 3 } else { self.plain_total() }
    }

    /// The line with the titles of groups of columns, if there are any.
    fn groups(&self, table: &Table) -> Option<String> {
        let shown = table.columns.iter().zip(&self.widths).filter(|(_, width)| **width > 0);
        let mut groups: Vec<(&str, usize)> = Vec::new();
        for (column, &columns) in shown {
            match groups.last_mut() {
                Some((group, width)) if *group == column.group && !group.is_empty() => *width += 2 + columns,
                _ => groups.push((&column.group, columns)),
            }
        }
        let cell = |(group, width): (&str, usize)| pad(&clip(group, width), width, true);
        let any = groups.iter().any(|(group, _)| !group.is_empty());
        any.then(|| groups.into_iter().map(cell).collect::<Vec<_>>().join("  "))
    }

    /// A row as a line, or as two if its name is too long.
    fn line(&self, table: &Table, cells: &[String]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut parts = Vec::new();
        for (i, (cell, &columns)) in cells.iter().zip(&self.widths).enumerate() {
            if columns == 0 {
                continue;
            }
            let long = width(cell) > columns;
            if long {
                lines.push(clip(cell, self.total()));
            }
            parts.push(pad(if long { "" } else { cell }, columns, table.columns[i].right));
        }
        lines.push(match self.markdown {
            true => format!("| {} |", parts.join(" | ")),
            false => parts.join("  "),
        });
        lines
    }
}

fn indented(text: &str) -> String {
    let indent = " ".repeat(INDENT);
    format!("{indent}{}", text.replace('\n', &format!("\n{indent}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        let mut table = Table::new()
            .text("run", Narrow::Keep)
            .number("loss", Narrow::Keep)
            .number("seconds", Narrow::Drop(1))
            .text("settings", Narrow::Fold(2));
        table.row([name.into(), "1.25".into(), "60".into(), "n_layer 3, seed 2".into()]);
        table
    }

    #[test]
    fn a_narrow_table_folds_then_drops() {
        let text = |columns| table("first").render(columns);
        assert_eq!(text(40), "run    loss  seconds  settings\nfirst  1.25       60  n_layer 3, seed 2");
        assert_eq!(text(30), "run    loss  seconds\nfirst  1.25       60\n  settings n_layer 3, seed 2");
        assert_eq!(text(12), "run    loss\nfirst  1.25\n  settings\n  n_layer 3,\n  seed 2");
    }

    #[test]
    fn a_long_name_gets_its_own_line() {
        let text = table("a-long-name-of-a-run").render(20);
        assert_eq!(
            text,
            "run             loss\na-long-name-of-a-run\n                1.25\n  settings n_layer\n  3, seed 2"
        );
        let longer = table(&"long-".repeat(10)).render(20);
        assert!(longer.lines().all(|line| width(line) <= 20) && longer.contains('…'), "{longer}");
    }

    #[test]
    fn cells_stay_whole_at_any_width() {
        let mut table = Table::markdown().text("arm", Narrow::Keep);
        for name in ["val_loss", "difference, 95 %", "train_loss"] {
            table = table.number(name, Narrow::Keep);
        }
        let cells = ["wide, and deep", "1.2345", "+0.0123 ± 0.0045", "1.1111"];
        table.row(cells.map(String::from));
        assert_eq!(
            table.render(80).lines().next(),
            Some("| arm            | val_loss | difference, 95 % | train_loss |")
        );
        for columns in 20..100 {
            let text = table.render(columns);
            assert!(text.lines().all(|line| width(line) <= columns), "{columns}\n{text}");
            if columns > 34 {
                assert!(cells.iter().all(|cell| text.contains(cell)), "{columns}\n{text}");
            }
        }
    }

    #[test]
    fn only_markdown_escapes_its_marks_and_nothing_below_is_no_line() {
        let mut table = Table::markdown().text("arm", Narrow::Keep).number("loss", Narrow::Keep);
        table.row(["b | c".into(), "1.5".into()]);
        table.below(Vec::new(), " ");
        assert_eq!(table.render(80), "| arm    | loss |\n| ------ | ---- |\n| b \\| c |  1.5 |");
        assert_eq!(table.render(14), "arm    loss\nb | c   1.5");
    }

    #[test]
    fn groups_of_columns_have_a_title() {
        let mut table = Table::new().text("op", Narrow::Keep);
        for model in ["digits", "a-very-long-run"] {
            table = table.group(model).number("calls", Narrow::Keep).number("share", Narrow::Keep);
        }
        table.row(["linear", "2", "50 %", "17", "9 %"].map(String::from));
        let want = "              digits  a-very…g-run\nop      calls  share  calls  share\n\
                    linear      2   50 %     17    9 %";
        assert_eq!(table.render(80), want);
        let cards = table.render(24);
        assert!(cards.contains("digits calls 2") && cards.contains("a-very-long… share 9 %"), "{cards}");
    }

    #[test]
    fn headings_and_details_are_part_of_a_table() {
        let mut table = Table::new().text("op", Narrow::Keep);
        table.heading("forward");
        table.row(["linear".into()]);
        table.below(vec!["(10, 784)".into(), "(30, 784)".into()], "  ");
        assert_eq!(table.render(20), "op\n\nforward\nlinear\n  (10, 784)\n    (30, 784)");
        assert_eq!(Table::new().render(80), "");
    }
}
