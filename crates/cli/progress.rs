//! A progress bar.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::notes;
use crate::terminal::width::columns;

/// A progress bar on stderr, hidden if stderr is not a terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar at step `step` of `steps`.
    pub fn new(step: u64, steps: u64) -> Self {
        let bar = drawn(style(columns()));
        bar.set_length(steps);
        bar.set_position(step);
        bar.reset_eta();
        Self(bar)
    }

    /// Moves the bar to step `step` of `steps`, which may change.
    pub fn set(&self, step: u64, steps: u64) {
        self.0.set_length(steps);
        self.0.set_position(step);
    }

    /// Moves the bar to step `step`.
    pub fn set_step(&self, step: u64) {
        self.0.set_position(step);
    }

    /// Shows a message next to the bar.
    pub fn message(&self, text: String) {
        self.0.set_message(text);
    }

    /// Prints a line above the bar.
    pub fn print_line(&self, text: &str) {
        match self.0.is_hidden() {
            true => notes::line(text),
            false => self.0.println(text),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar on stderr that this template draws.
pub fn drawn(template: &str) -> ProgressBar {
    let target = match notes::is_silent() {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// The columns that a bar needs beside its message.
const WIDE: usize = 80;

/// The template of a bar in a terminal of this many columns: a narrow one has no room for the bar itself. The
/// message takes what is left, and is cut there.
fn style(columns: usize) -> &'static str {
    match columns >= WIDE {
        true => "{elapsed_precise} [{bar:30}] {percent:>3} %, {eta} left  {wide_msg}",
        false => "{percent:>3} %, {eta} left  {wide_msg}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_takes_one_line() {
        let bar = "=".repeat(30);
        for columns in [20, 40, 79, 80, 120] {
            let line = style(columns).replace("{elapsed_precise}", "00:00:00").replace("{bar:30}", &bar);
            let line = line.replace("{percent:>3}", "100").replace("{eta}", "59m");
            let before = line.strip_suffix("{wide_msg}").map_or(usize::MAX, str::len);
            assert!(before < columns, "{columns}: {line}");
        }
    }
}
