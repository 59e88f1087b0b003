//! Titles, which wrap, and keys, which say what colours mean.

use super::{Anchor, BLACK, Figure, Rgb, font};

/// A title in as many lines as it needs.
pub struct Title {
    lines: Vec<String>,
    size: f64,
}

impl Title {
    /// A title in lines of at most `max` pixels. A word that is longer becomes smaller when drawn.
    pub fn new(text: &str, size: f64, max: f64) -> Self {
        let fitting = |line: String| font::fit(&line, size, max);
        let lines: Vec<(String, f64)> = font::wrap(text, size, max).into_iter().map(fitting).collect();
        let size = lines.iter().map(|(_, size)| *size).fold(size, f64::min);
        Self { lines: lines.into_iter().map(|(line, _)| line).collect(), size }
    }

    /// The height of the lines after the first, in pixels.
    pub fn extra_height(&self) -> f64 {
        self.line_height() * self.lines.len().saturating_sub(1) as f64
    }

    /// Draws the title; `at` is on the baseline of its first line.
    pub fn draw(&self, figure: &mut Figure, (x, y): (f64, f64)) {
        for (i, line) in self.lines.iter().enumerate() {
            let at = (x, y + self.line_height() * i as f64);
            figure.text(at, line.as_str(), self.size, Anchor::Start, BLACK);
        }
    }

    fn line_height(&self) -> f64 {
        self.size * font::LINE_HEIGHT
    }
}

/// The size of the texts of a key.
const KEY_SIZE: f64 = 11.0;
/// The side of a coloured square of a key.
const SWATCH: f64 = 11.0;

/// Draws coloured squares with their meanings beside each other; `at` is on the baseline.
pub fn key(figure: &mut Figure, (mut x, y): (f64, f64), meanings: &[(Rgb, &str)]) {
    for (colour, meaning) in meanings {
        figure.rect((x, y - SWATCH + 1.0), (SWATCH, SWATCH), *colour);
        figure.text((x + SWATCH + 5.0, y), *meaning, KEY_SIZE, Anchor::Start, BLACK);
        x += SWATCH + 5.0 + font::width(meaning, KEY_SIZE) + 16.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_wrap_and_are_not_cut() {
        let long = "What if the score is not the scaled dot product of query and key?";
        let title = Title::new(long, 15.0, 300.0);
        assert_eq!(title.lines.join(" "), long);
        assert!(title.lines.len() > 1 && title.extra_height() > 15.0);
        assert!(title.lines.iter().all(|line| font::width(line, title.size) <= 300.0));
        assert_eq!(Title::new("Loss", 15.0, 300.0).extra_height(), 0.0);
        assert_eq!(Title::new("", 15.0, 300.0).extra_height(), 0.0);
    }
}
