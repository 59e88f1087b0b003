//! Formats numbers, statistics and matrices as text.

use serde::Serialize;

/// Statistics of the elements of a slice. NaN if an element is NaN or the slice is empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// The smallest element.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The largest element.
    pub max: f64,
    /// The share of elements that are exactly 0.
    pub zeros: f64,
}

impl Statistics {
    /// Computes the statistics.
    pub fn of(data: &[f32]) -> Self {
        let n = data.len() as f64;
        let extreme = |pick: fn(f64, f64) -> f64, start: f64| {
            data.iter()
                .map(|&x| f64::from(x))
                .fold(start, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { pick(a, b) })
        };
        let none = data.is_empty();
        Self {
            min: if none { f64::NAN } else { extreme(f64::min, f64::INFINITY) },
            mean: data.iter().map(|&x| f64::from(x)).sum::<f64>() / n,
            max: if none { f64::NAN } else { extreme(f64::max, f64::NEG_INFINITY) },
            zeros: data.iter().filter(|&&x| x == 0.0).count() as f64 / n,
        }
    }

    /// The statistics as fields of a line.
    pub fn fields(&self) -> Vec<String> {
        let Self { min, mean, max, zeros } = *self;
        let [min, mean, max] = [min, mean, max].map(number);
        let all = [format!("min {min:>8}"), format!("mean {mean:>8}"), format!("max {max:>8}")];
        let zeros = if zeros > 0.0 { format!("zeros {:.2} %", 100.0 * zeros) } else { String::new() };
        [&all[..], &[zeros]].concat()
    }
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
        let name = if named { clipped(&names[row], NAME_COLUMNS) } else { row.to_string() };
        let width = if named { NAME_COLUMNS } else { 4 };
        let cells = shown(columns, cut.columns).into_iter().map(|column| match column {
            Some(column) => format!(" {:>9}", number(f64::from(data[row * columns + column]))),
            None => DOTS.into(),
        });
        format!("    {name:>width$}{}", cells.collect::<String>())
    };
    shown(rows, cut.rows).into_iter().map(line).collect()
}

/// Clips the text to `max_chars` characters.
pub fn clipped(text: &str, max_chars: usize) -> String {
    match text.chars().count() > max_chars {
        true => text.chars().take(max_chars.saturating_sub(1)).chain(['~']).collect(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_hand_computed_values() {
        let all = Statistics::of(&[0.0, -1.0, 4.0, 0.0]);
        assert_eq!(all, Statistics { min: -1.0, mean: 0.75, max: 4.0, zeros: 0.5 });
        let broken = Statistics::of(&[1.0, f32::NAN, 2.0]);
        assert!(broken.min.is_nan() && broken.max.is_nan() && broken.mean.is_nan());
        assert!(Statistics::of(&[]).min.is_nan());
    }

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
            "    a long tok~    1.0000"
        );
        assert!(matrix(&[], 0, &[], WHOLE).is_empty());
    }
}
