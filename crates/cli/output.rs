//! Writes results to stdout.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to stdout. Unlike `println!`, returns an error instead of panicking when stdout
/// is closed.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Whether a write failed because the reader has closed the pipe (`m2g ... | head`).
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

/// A share as a percentage with two decimals: `95.42 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
