//! The only writer to stderr: progress, notes and errors.
//!
//! Unlike `eprintln!`, it neither panics nor fails when nobody can read stderr any more: the terminal
//! was closed, `2>&1 | head -1` has ended, the device is full. Work goes on without its notes.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process prints nothing, because another of the same run does.
static SILENT: AtomicBool = AtomicBool::new(false);

/// From now on, nothing is printed, on stdout neither.
pub fn be_silent() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Whether nothing is printed.
pub fn is_silent() -> bool {
    SILENT.load(Ordering::Relaxed)
}

/// Writes a line.
pub fn line(text: impl Display) {
    part(format_args!("{text}\n"));
}

/// Writes a text without a line end, such as a question.
pub fn part(text: impl Display) {
    if !is_silent() {
        write(&text.to_string());
    }
}

/// Writes a line even if this process is silent.
pub fn loud(text: impl Display) {
    write(&format!("{text}\n"));
}

/// In one piece, so that lines of several processes do not mix.
fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
