//! The names of runs: what a new run or a renamed one may be called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::bail;
use m2g_core::error::{excerpt, is_unsafe_in_terminals};

use crate::flags::{RUNS, run_path};

/// The folder in runs/ with the results of experiments.
pub const EXPERIMENTS: &str = "lab";

/// The file in the folder of an experiment's results that says what the experiment is.
pub const EXPERIMENT: &str = "experiment.toml";

/// Characters that some file system does not allow in the name of a file.
pub const NOT_IN_FILE_NAMES: [char; 9] = ['/', '\\', ':', '*', '?', '"', '<', '>', '|'];

/// The longest name of a run in bytes: file names have up to 255, and a run in the making is called `.new-NAME`.
const MAX_BYTES: usize = 200;

/// Checks a new name: one that is not hidden, and no path.
pub fn check(name: &str) -> anyhow::Result<()> {
    if name.is_empty() || name.contains(['/', '\\']) {
        bail!(
            "\"{}\" is not a name: give one without slashes, since the run stays in its folder",
            excerpt(name)
        );
    }
    check_characters(name)?;
    check_not_experiments(&run_path(name))
}

/// The folder of a new run, from the name or the path given with `--run`.
pub fn new_run(name: &str) -> anyhow::Result<PathBuf> {
    let path = named_folder(name)?;
    check_not_experiments(&path)?;
    Ok(path)
}

/// The folder of a run or of an experiment's results, from the name or the path given with `--run`.
pub fn named_folder(name: &str) -> anyhow::Result<PathBuf> {
    let path = run_path(name);
    match path.file_name().and_then(|last| last.to_str()) {
        Some(last) if !name.is_empty() => check_characters(last)?,
        _ => bail!("--run is \"{}\": give the name of a run, or the path of its folder", excerpt(name)),
    }
    Ok(path)
}

/// Checks the characters of a name: others are hard to type, break tables, or are in no name on some other system, to
/// which the run could then not be copied.
fn check_characters(name: &str) -> anyhow::Result<()> {
    if name.starts_with(['.', '-']) || name.trim() != name || name.contains(is_unsafe_in_terminals) {
        bail!(
            "\"{}\" is no good name: it must not start with a dot, a dash or a space, nor end with a space, nor \
             hold control characters such as a newline",
            excerpt(name)
        );
    }
    if name.contains(NOT_IN_FILE_NAMES) || name.ends_with('.') || is_device(name) {
        bail!(
            "\"{}\" is no good name: some systems cannot have a folder of this name; use letters, digits, - and _",
            excerpt(name)
        );
    }
    if name.len() > MAX_BYTES {
        bail!("\"{}\" is too long for a name: give one of at most {MAX_BYTES} bytes", excerpt(name));
    }
    Ok(())
}

/// Whether Windows keeps a name for a device, whatever comes after a dot: `con`, `COM1.txt`.
fn is_device(name: &str) -> bool {
    let start = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_numbered = |kind: &str| {
        start.strip_prefix(kind).is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
    };
    ["con", "prn", "aux", "nul"].contains(&&*start) || is_numbered("com") || is_numbered("lpt")
}

/// Some file systems do not tell upper from lower case.
fn check_not_experiments(path: &Path) -> anyhow::Result<()> {
    let mut parts = path.strip_prefix(".").unwrap_or(path).iter();
    let is = |part: Option<&OsStr>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
    if is(parts.next(), RUNS) && is(parts.next(), EXPERIMENTS) {
        bail!("{RUNS}/{EXPERIMENTS} holds the results of experiments: choose another name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_no_names() {
        for name in ["b", "my run", "a,b", "über", "gpt", "v1.2", "console", "com", "com10", "laboratory"] {
            check(name).unwrap();
        }
        for name in ["a:b", "a?b", "a.", "con", "NUL.txt", "lpt1", "LAB"] {
            assert!(check(name).is_err() && new_run(name).is_err(), "{name:?}");
        }
        let (long, longer) = ("x".repeat(MAX_BYTES), "x".repeat(MAX_BYTES + 1));
        assert!(check(&long).is_ok() && new_run(&long).is_ok());
        assert!(check(&longer).is_err() && new_run(&longer).is_err());
        for name in
            ["", ".", "..", "a/b", "/a", "../a", "a/", "a\\b", "..\\a", ".a", "-a", " a", "a ", "a\nb", "lab"]
        {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert!(check("a\u{202e}b").is_err(), "it reverses the line");
    }

    #[test]
    fn a_new_run_has_a_good_name_at_the_end_of_its_path() {
        for (name, path) in
            [("a", "runs/a"), ("../a", "../a"), ("/x/my run", "/x/my run"), ("./lab", "./lab")]
        {
            assert_eq!(new_run(name).unwrap(), Path::new(path));
        }
        for name in ["lab", "runs/lab", "./runs/lab/digits", "-dash", "a ", "x/ a", "a\nb", "x/\u{1b}[2J"] {
            assert!(new_run(name).is_err(), "{name:?}");
        }
        for name in ["", "..", "/", "a/.."] {
            let error = new_run(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--run is \"{name}\": give the name")), "{error}");
        }
        let error = new_run("a\u{1b}b").unwrap_err().to_string();
        assert!(error.starts_with("\"a\\u{1b}b\" is no good name"), "{error}");
    }
}
