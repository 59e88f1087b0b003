//! Formats numbers, statistics and matrices as text.

use m2g_core::inspect::Statistics;

use crate::terminal::width::{clip, pad};

/// Statistics as fields of a line.
pub fn fields(statistics: &Statistics) -> Vec<String> {
    let Statistics { min, mean, max, zeros } = *statistics;
    let [min, mean, max] = [min, mean, max].map(number);
    let all = [format!("min {min:>8}"), format!("mean {mean:>8}"), format!("max {max:>8}")];
    let zeros = if zeros > 0.0 { format!("zeros {:.2} %", 100.0 * zeros) } else { String::new() };
    [&all[..], &[zeros]].concat()
}

/// A number in at most nine characters. Exact zeros are `0`.
pub fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if (1e-3..1e3).contains(&size) => format!("{x:.4}"),
        _ if !x.is_finite() => format!("{x}"),
        _ => format!("{x:.2e}"),
    }
}

/// The part of a matrix that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The maximum number of rows; rows in the middle are dropped.
    pub rows: usize,
    /// The maximum number of columns; columns in the middle are dropped.
    pub columns: usize,
}

impl Cut {
    /// A cut to a matrix that fits into this many columns of the terminal.
    pub fn within(self, columns: usize) -> Self {
        const CELL: usize = 10;
        let beside = 4 + NAME_COLUMNS + DOTS.len();
        Self { columns: self.columns.min(columns.saturating_sub(beside) / CELL).max(2), ..self }
    }
}

/// The width of the name of a row, in columns.
const NAME_COLUMNS: usize = 11;
/// Stands for dropped columns.
const DOTS: &str = "  ...";

/// The cut for a single matrix.
pub const WHOLE: Cut = Cut { rows: 32, columns: 16 };
/// The cut for each of several matrices.
pub const SHORT: Cut = Cut { rows: 6, columns: 10 };

/// The indices below `n` to show, at most `max_shown` of them; `None` marks the dropped ones.
fn shown(n: usize, max_shown: usize) -> Vec<Option<usize>> {
    if n <= max_shown {
        return (0..n).map(Some).collect();
    }
    let half = (max_shown / 2).max(1);
    (0..half).map(Some).chain([None]).chain((n - half..n).map(Some)).collect()
}

/// A matrix as lines of text; rows may have names.
pub fn matrix(data: &[f32], columns: usize, names: &[String], cut: Cut) -> Vec<String> {
    let rows = data.len() / columns.max(1);
    let named = names.len() == rows;
    let line = |row: Option<usize>| {
        let Some(row) = row else { return "    ...".into() };
        let name = if named { clip(&names[row], NAME_COLUMNS) } else { row.to_string() };
        let width = if named { NAME_COLUMNS } else { 4 };
        let cells = shown(columns, cut.columns).into_iter().map(|column| match column {
            Some(column) => format!(" {:>9}", number(f64::from(data[row * columns + column]))),
            None => DOTS.into(),
        });
        format!("    {}{}", pad(&name, width, true), cells.collect::<String>())
    };
    shown(rows, cut.rows).into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, -1.5, 1234.5, 2e-5, f64::NAN].map(number),
            ["0", "-1.5000", "1.23e3", "2.00e-5", "NaN"]
        );
    }

    #[test]
    fn long_rows_are_cut_in_the_middle() {
        let data: Vec<f32> = (0..80).map(|x| x as f32).collect();
        let lines = matrix(&data, 8, &[], Cut { rows: 4, columns: 2 });
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0], "       0         0  ...    7.0000");
        assert_eq!(lines[2], "    ...");
        assert_eq!(
            matrix(&[1.0], 1, &["a long token of words".into()], WHOLE)[0],
            "    a lon…words    1.0000"
        );
        assert!(matrix(&[], 0, &[], WHOLE).is_empty());
    }
}
