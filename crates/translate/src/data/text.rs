//! Parallel text: sentences and their translations.

use std::path::Path;

use m2g_text::{Source, TextError};

/// A sentence and its translation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPair {
    /// The sentence.
    pub source: String,
    /// Its translation.
    pub target: String,
}

impl TextPair {
    /// Whether a side is empty, or only white space.
    pub(super) fn lacks_text(&self) -> bool {
        self.source.trim().is_empty() || self.target.trim().is_empty()
    }
}

impl From<[&str; 2]> for TextPair {
    fn from([source, target]: [&str; 2]) -> Self {
        Self { source: source.into(), target: target.into() }
    }
}

/// The splits of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct TextSplits {
    /// Where the text comes from.
    pub name: String,
    /// The pairs to train on.
    pub train: Vec<TextPair>,
    /// The pairs by which the best model is chosen.
    pub val: Vec<TextPair>,
    /// Pairs to look at once, by name.
    pub tests: Vec<(String, Vec<TextPair>)>,
    /// One sentence for each kind of change that cleaning made.
    pub reports: Vec<String>,
}

/// Reads two parallel files: line n of the second translates line n of the first. Also returns what was
/// cleaned.
///
/// # Errors
/// [`TextError`] if a file cannot be read or is not text, or they differ in length.
pub fn read_two_files(source: &Path, target: &Path) -> Result<(Vec<TextPair>, Vec<String>), TextError> {
    let (sources, mut reports) = read(source)?;
    let (targets, more) = read(target)?;
    reports.extend(more);
    let (s, t) = (sources.len(), targets.len());
    if s != t {
        let lines = if t == 1 { "line" } else { "lines" };
        let why = format!(
            "it has {t} {lines}, but {} has {s}: line n of one must translate line n of the other",
            source.display()
        );
        return Err(TextError::file(target, why));
    }
    let pairs = sources.into_iter().zip(targets).map(|(source, target)| TextPair { source, target });
    Ok((pairs.collect(), reports))
}

/// Reads a file with a source, a tab, and a target on each line. Also returns what was cleaned.
///
/// # Errors
/// [`TextError`] if it cannot be read, is not text, or a line has no tab or more than one.
pub fn read_tsv(path: &Path) -> Result<(Vec<TextPair>, Vec<String>), TextError> {
    let (lines, reports) = read(path)?;
    let mut pairs = Vec::with_capacity(lines.len());
    for (line, number) in lines.into_iter().zip(1..) {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [source, target] => pairs.push(TextPair::from([source, target])),
            [""] => pairs.push(TextPair::from(["", ""])),
            ref columns => {
                let why = match columns.len() {
                    1 => format!("line {number} has no tab: write a sentence, a tab, its translation"),
                    n => format!(
                        "line {number} has {} tabs: write a sentence, one tab, its translation",
                        n - 1
                    ),
                };
                return Err(TextError::file(path, why));
            }
        }
    }
    Ok((pairs, reports))
}

/// The longest side of a text of pairs in bytes: larger ones do not fit into memory as pairs.
const MAX_BYTES: u64 = 1 << 30;

/// The lines of a file, plain or gzip.
fn read(path: &Path) -> Result<(Vec<String>, Vec<String>), TextError> {
    let source = Source::file(path)?;
    let (lines, cleaned) = source.read_lines(MAX_BYTES)?;
    if lines.len() == 1 && cleaned.crs > 1 {
        let why = "its lines end in CR alone: convert them first, such as with `tr '\\r' '\\n'`".into();
        return Err(TextError::File { path: path.to_path_buf(), why });
    }
    let reports = source.reports(&cleaned);
    Ok((lines, reports.iter().map(|report| format!("{}: {report}", path.display())).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn files_become_pairs_and_faults_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let want = [["uno", "one"], ["", "two"], ["tres y", "three and"]].map(TextPair::from);
        let (es, en) = (file("a.es", "uno\r\n\r\ntres y\r\n"), file("a.en", "one\ntwo\nthree and"));
        let (pairs, reports) = read_two_files(&es, &en).unwrap();
        assert_eq!(pairs, want);
        assert!(reports.len() == 1 && reports[0].contains("a.es: 3 CRLF"), "{reports:?}");
        let tsv = file("a.tsv", "uno\tone\n\ttwo\ntres y\tthree and\n");
        assert_eq!(read_tsv(&tsv).unwrap().0, want);

        let short = file("b.en", "one\n");
        let error = read_two_files(&es, &short).unwrap_err().to_string();
        assert!(error.contains("b.en: it has 1 line, but") && error.contains("a.es has 3"), "{error}");
        for (text, tabs) in [("a\tb\nc\n", "no tab:"), ("a\tb\nc\td\te\n", "2 tabs:")] {
            let error = read_tsv(&file("b.tsv", text)).unwrap_err().to_string();
            assert!(error.contains(&format!("b.tsv: line 2 has {tabs} write a sentence")), "{error}");
        }
        let old = file("c.tsv", "uno\tone\rdos\ttwo\r");
        for error in [read_tsv(&old).unwrap_err(), read_two_files(&es, &old).unwrap_err()] {
            assert!(error.to_string().contains("c.tsv: its lines end in CR alone: convert them"), "{error}");
        }
        assert!(read_tsv(dir.path()).unwrap_err().to_string().contains("it is a folder"));
        assert!(read_two_files(&es, dir.path()).unwrap_err().to_string().contains("it is a folder"));
        assert!(read_tsv(&dir.path().join("none.tsv")).unwrap_err().to_string().contains("none.tsv"));
    }
}
