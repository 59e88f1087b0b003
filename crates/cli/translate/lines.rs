//! The lines of a file or of standard input.

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_text::Source;
use m2g_text::source::{PIPED, STANDARD_INPUT};

/// A file in messages.
pub fn name(file: &Path) -> String {
    if file.as_os_str() == PIPED { STANDARD_INPUT.into() } else { file.display().to_string() }
}

/// The longest text in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// The lines of a file, plain or gzip, or of standard input.
pub fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let source = match file.as_os_str() == PIPED {
        true => Source::standard_input(MAX_BYTES),
        false => Source::files(&[file.to_path_buf()]),
    };
    let read = source.and_then(|source| source.read_lines(MAX_BYTES));
    Ok(read.map_err(|error| anyhow!("{error}"))?.0)
}

/// Checks that two files have the same number of lines.
pub fn parallel_lines(file: &Path, n: usize, other: &Path, others: usize) -> anyhow::Result<()> {
    if n != others {
        bail!(
            "{} has {n} lines, but {} has {others}: give one line for each sentence, in the same order",
            name(file),
            name(other)
        );
    }
    Ok(())
}
