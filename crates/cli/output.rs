//! Writes results to stdout.

use std::fmt::Display;
use std::io::{self, StdoutLock, Write};

use crate::terminal::notes;

/// Writes a line to stdout. Unlike `println!`, returns an error instead of panicking when stdout
/// is closed.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    let mut out = Stream::open();
    out.write(&format!("{text}\n"))?;
    out.flush()
}

/// Stdout, for a text that is written bit by bit.
pub struct Stream(StdoutLock<'static>);

impl Stream {
    /// Locks stdout.
    pub fn open() -> Self {
        Self(io::stdout().lock())
    }

    /// Writes a part of the text.
    pub fn write(&mut self, text: &str) -> anyhow::Result<()> {
        match notes::is_silent() {
            true => Ok(()),
            false => self.0.write_all(text.as_bytes()).map_err(failed),
        }
    }

    /// Passes on what was written so far.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.0.flush().map_err(failed)
    }
}

/// The results of a command that does more than print: it also writes files, or its exit code counts. If stdout can no
/// longer be written, it goes on.
pub struct LongRun {
    /// Whether it writes files, which are worth more than what it prints.
    saves: bool,
    /// The first error.
    failed: Option<anyhow::Error>,
}

impl LongRun {
    /// The results of a command that also writes files, if it `saves` any.
    pub fn new(saves: bool) -> Self {
        Self { saves, failed: None }
    }

    /// Writes a line to stdout. The first failure is reported on stderr if files are still to come; later lines are
    /// dropped.
    pub fn line(&mut self, text: impl Display) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = line(text) {
            if self.saves {
                let why = match is_broken_pipe(&error) {
                    true => "nobody reads standard output any more".into(),
                    false => error.to_string(),
                };
                notes::line(format_args!(
                    "{why}: what follows is not printed, but the work goes on and is saved"
                ));
            }
            self.failed = Some(error);
        }
    }

    /// Ends the run: fails if results could not be written, unless their reader did not want them.
    pub fn finish(self) -> anyhow::Result<()> {
        self.failed.filter(|error| !is_broken_pipe(error)).map_or(Ok(()), Err)
    }
}

/// The error of a failed write to stdout.
pub fn failed(error: io::Error) -> anyhow::Error {
    let text = format!("cannot write to standard output: {error}");
    anyhow::Error::new(error).context(text)
}

/// Whether a write to stdout failed because the reader has closed the pipe (`m2g ... | head`).
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

/// A share as a percentage with two decimals: `95.42 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
