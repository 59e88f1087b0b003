//! The only writer to stderr: progress, notes and errors.
//!
//! Unlike `eprintln!`, it neither panics nor fails when nobody can read stderr any more: the terminal
//! was closed, `2>&1 | head -1` has ended, the device is full. Work goes on without its notes.

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
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

/// Writes an error, with the parser's colour for the word.
pub fn error(text: impl Display) {
    let word = if has_colours(&io::stderr()) { "\x1b[1m\x1b[31merror:\x1b[0m" } else { "error:" };
    line(format_args!("{word} {text}"));
}

/// Whether what is written to a stream has colours: it is a terminal that shows them, and the user wants them. Not on
/// Windows, where an older console would print their codes.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    let [no_color, clicolor, term] = ["NO_COLOR", "CLICOLOR", "TERM"].map(env::var_os);
    cfg!(unix)
        && stream.is_terminal()
        && wants_colours(no_color.as_deref(), clicolor.as_deref(), term.as_deref())
}

/// See <https://no-color.org> and <https://bixense.com/clicolors>.
fn wants_colours(no_color: Option<&OsStr>, clicolor: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
        && clicolor.is_none_or(|clicolor| clicolor != "0")
        && term.is_some_and(|term| term != "dumb")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_show_them() {
        let wants = |no_color: Option<&str>, clicolor: Option<&str>, term: Option<&str>| {
            wants_colours(no_color.map(OsStr::new), clicolor.map(OsStr::new), term.map(OsStr::new))
        };
        let xterm = Some("xterm-256color");
        assert!(wants(None, None, xterm) && wants(Some(""), None, xterm) && wants(None, Some("1"), xterm));
        assert!(!wants(Some("1"), None, xterm) && !wants(None, Some("0"), xterm));
        assert!(!wants(None, None, Some("dumb")) && !wants(None, None, None));
    }
}
