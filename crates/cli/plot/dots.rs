//! Draws dot plots: one row per group, one dot per measurement.

use super::title::{Title, key};
use super::{Anchor, BLACK, Figure, GREY, LINES, font};
use crate::plot::curves::{label, ticks};

/// A row of dots.
pub struct Dots {
    /// The name.
    pub name: String,
    /// The measurements; values that are not finite are skipped.
    pub values: Vec<f64>,
    /// Whether a training run diverged, so that it has no value.
    pub diverged: bool,
}

/// Draws rows of dots over one horizontal axis, with a short line at the mean of each row.
pub fn dots(title: &str, axis: &str, rows: &[Dots]) -> Figure {
    const WIDTH: f64 = 640.0;
    const LEFT: f64 = 160.0;
    const RIGHT: f64 = 30.0;
    const ROW: f64 = 26.0;
    let title = Title::new(title, 13.0, WIDTH - 24.0);
    let top = 66.0 + title.extra_height();
    let bottom = top + ROW * rows.len().max(1) as f64;
    let mut figure = Figure::new(WIDTH as usize, bottom as usize + 50);
    let finite = |row: &Dots| row.values.iter().copied().filter(|v| v.abs() < 1e300).collect::<Vec<f64>>();
    let ticks = ticks(rows.iter().flat_map(finite), 6);
    let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
    let x = |value: f64| LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    title.draw(&mut figure, (12.0, 24.0));
    let meanings = [(LINES[0], "a training run with one seed"), (LINES[1], "the mean of an arm")];
    key(&mut figure, (12.0, top - 18.0), &meanings);
    for &tick in &ticks {
        figure.line(vec![(x(tick), top), (x(tick), bottom)], GREY, 0.5);
        figure.text((x(tick), bottom + 16.0), label(tick, high - low), 11.0, Anchor::Middle, BLACK);
    }
    figure.text(((LEFT + WIDTH - RIGHT) / 2.0, bottom + 38.0), axis, 12.0, Anchor::Middle, BLACK);
    for (i, row) in rows.iter().enumerate() {
        let middle = top + ROW * (i as f64 + 0.5);
        let (name, size) = font::fit(&row.name, 11.0, LEFT - 20.0);
        figure.text((LEFT - 10.0, middle + 4.0), name, size, Anchor::End, BLACK);
        let values = finite(row);
        for &value in &values {
            figure.rect((x(value) - 3.0, middle - 3.0), (6.0, 6.0), LINES[0]);
        }
        match values.len() {
            0 => {
                let why = if row.diverged { "diverged" } else { "not measured" };
                figure.text((LEFT + 6.0, middle + 4.0), why, 11.0, Anchor::Start, LINES[1]);
            }
            n => {
                let mean = x(values.iter().sum::<f64>() / n as f64);
                figure.line(vec![(mean, middle - 9.0), (mean, middle + 9.0)], LINES[1], 2.0);
            }
        }
    }
    figure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degenerate_rows_do_not_panic() {
        let row = |values: Vec<f64>| Dots { name: "x".into(), values, diverged: false };
        dots("t", "x", &[row(vec![]), row(vec![f64::NAN, 1.0]), row(vec![f64::INFINITY])]);
        dots("t", "x", &[]);
    }
}
