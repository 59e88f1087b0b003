//! The lines of a file or of standard input.

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_text::Source;
use m2g_text::source::{Cleaned, PIPED, STANDARD_INPUT};

use crate::terminal::lines::{counted, note};

/// A file in messages.
pub fn name(file: &Path) -> String {
    if file.as_os_str() == PIPED { STANDARD_INPUT.into() } else { file.display().to_string() }
}

/// The longest text in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// The byte-order mark, which a text may begin with.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// The lines of a file, plain or gzip, or of standard input. Notes what was cleaned.
pub fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let (source, lines, cleaned) = read(file)?;
    // A line has no line end.
    for report in source.reports(&Cleaned { crlfs: 0, ..cleaned }) {
        note(&format!("note: {}: {report}", name(file)));
    }
    Ok(lines)
}

/// The lines as sacreBLEU reads them, to which a byte-order mark is text like any other. Text that is not UTF-8
/// is refused.
pub fn exact_lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let (_, mut lines, cleaned) = read(file)?;
    if cleaned.invalid > 0 {
        bail!(
            "{} has text that is not UTF-8 ({}): save it as UTF-8",
            name(file),
            counted(cleaned.invalid, "byte")
        );
    }
    if let (Some(first), 1..) = (lines.first_mut(), cleaned.byte_order_marks) {
        first.insert(0, BYTE_ORDER_MARK);
    }
    Ok(lines)
}

fn read(file: &Path) -> anyhow::Result<(Source, Vec<String>, Cleaned)> {
    let source = match file.as_os_str() == PIPED {
        true => Source::standard_input(MAX_BYTES),
        false => Source::file(file),
    };
    let read = source.and_then(|source| {
        let (lines, cleaned) = source.read_lines(MAX_BYTES)?;
        Ok((source, lines, cleaned))
    });
    read.map_err(|error| anyhow!("{error}"))
}

/// Checks that two files have the same number of lines.
pub fn parallel_lines(file: &Path, n: usize, other: &Path, others: usize) -> anyhow::Result<()> {
    if n != others {
        bail!(
            "{} has {}, but {} has {others}: give one line for each sentence, in the same order",
            name(file),
            counted(n as u64, "line"),
            name(other)
        );
    }
    Ok(())
}
