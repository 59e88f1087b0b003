//! The only writer to stderr: progress, notes and errors.
//!
//! Unlike `eprintln!`, it neither panics nor fails when nobody can read stderr any more: the terminal
//! was closed, `2>&1 | head -1` has ended, the device is full. Work goes on without its notes.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line.
pub fn line(text: impl Display) {
    part(format_args!("{text}\n"));
}

/// Writes a text without a line end, such as a question.
pub fn part(text: impl Display) {
    // In one piece, so that lines of several processes do not mix.
    let text = text.to_string();
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
