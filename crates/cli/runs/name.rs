//! The names of runs: what a new run or a renamed one may be called.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use m2g_core::error::{excerpt, is_unsafe_in_terminals};

use crate::flags::{RUNS, run_path};

/// The folder in runs/ with the results of experiments.
pub const EXPERIMENTS: &str = "lab";

/// The file in the folder of an experiment's results that says what the experiment is.
pub const EXPERIMENT: &str = "experiment.toml";

/// Checks a new name: one that is not hidden, and no path.
pub fn check(name: &str) -> anyhow::Result<()> {
    let mut parts = Path::new(name).components();
    let single = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    if !single || name.contains(['/', '\\']) {
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

/// Checks the characters of a name: others are hard to type, and break tables.
fn check_characters(name: &str) -> anyhow::Result<()> {
    if name.starts_with(['.', '-']) || name.trim() != name || name.contains(is_unsafe_in_terminals) {
        bail!(
            "\"{}\" is no good name: it must not start with a dot, a dash or a space, nor end with a space, nor \
             hold control characters such as a newline",
            excerpt(name)
        );
    }
    Ok(())
}

fn check_not_experiments(path: &Path) -> anyhow::Result<()> {
    if path.strip_prefix(".").unwrap_or(path).starts_with(Path::new(RUNS).join(EXPERIMENTS)) {
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
        for name in ["b", "my run", "a,b", "über", "gpt"] {
            check(name).unwrap();
        }
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
