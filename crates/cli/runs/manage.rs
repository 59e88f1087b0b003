//! `m2g runs rename` and `m2g runs delete`.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Component, Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::Error;
use m2g_core::train::manage;
use m2g_core::train::run_folder::{CONFIG, LOCK, METRICS};

use super::summary::{Summary, bytes};
use crate::flags::{RUNS, nearest, quoted, run_path};
use crate::models::{named, same_name_hint};
use crate::terminal::lines::note;
use crate::terminal::notes;

/// The folder in runs/ with the results of experiments.
pub const EXPERIMENTS: &str = "lab";

/// Give a run another name.
#[derive(Args)]
pub struct Rename {
    /// The run: a name under runs/, or a path.
    run: String,
    /// The new name, without slashes: the run stays where it is.
    name: String,
}

/// Delete runs, after asking.
#[derive(Args)]
pub struct Delete {
    /// The runs: names under runs/, or paths.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// Delete without asking.
    #[arg(long, short)]
    yes: bool,
}

impl Rename {
    /// Renames the run.
    pub fn run(self) -> anyhow::Result<()> {
        let path = existing(&self.run)?;
        check_name(&self.name)?;
        let to = path.with_file_name(&self.name);
        manage::rename(&path, &to).map_err(|error| match error {
            Error::RunExists { path, .. } => {
                anyhow!("{} exists: choose another name, or delete it first", path.display())
            }
            error => error.into(),
        })?;
        notes::line(format_args!("{} is now {}", path.display(), quoted(&to)));
        if named(&self.name).is_some() {
            same_name_hint(&self.name).iter().for_each(|hint| note(hint));
        }
        Ok(())
    }
}

impl Delete {
    /// Asks, and deletes.
    pub fn run(self) -> anyhow::Result<()> {
        let paths = self.runs.iter().map(|run| existing(run)).collect::<Result<Vec<_>, _>>()?;
        paths.iter().try_for_each(|path| check_content(path))?;
        for path in &paths {
            let run = Summary::read(path);
            if run.training {
                return Err(Error::Busy(path.clone()).into());
            }
            let what = match &run.wrong {
                Some(wrong) => wrong.clone(),
                None => format!("{}, best {}", run.kind_name(), run.figure_text()),
            };
            let question = format!("delete {} ({what}; {})?", path.display(), bytes(run.bytes));
            if !self.yes && !confirmed(&question)? {
                bail!("{} is kept: answer y to delete it, or give --yes", path.display());
            }
            manage::delete(path)?;
            notes::line(format_args!("deleted {}", path.display()));
        }
        Ok(())
    }
}

/// The folder of a run, or of what is left of one.
pub fn existing(name: &str) -> anyhow::Result<PathBuf> {
    let path = run_path(name);
    // "runs/.." is a folder above, and no run.
    let is_name = matches!(path.components().next_back(), Some(Component::Normal(_)));
    if name.is_empty() || !is_name {
        bail!("\"{name}\" is not the name of a run: give a name under {RUNS}/, or the path of a run");
    }
    if path.is_dir() {
        return Ok(path.components().collect());
    }
    let entries = fs::read_dir(RUNS).into_iter().flatten().flatten();
    let known: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => bail!("there is no run in {}; did you mean {near}?", path.display()),
        None => bail!("there is no run in {}", path.display()),
    }
}

/// Checks a new name: one that is not hidden, and no path.
fn check_name(name: &str) -> anyhow::Result<()> {
    let path = Path::new(name);
    let mut parts = path.components();
    let single = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    if !single || name.contains(['/', '\\']) {
        bail!("\"{name}\" is not a name: give one without slashes, since the run stays in its folder");
    }
    if name.starts_with(['.', '-']) || name.trim() != name || name.chars().any(char::is_control) {
        bail!(
            "\"{name}\" is no good name: it must not start with a dot, a dash or a space, nor end with a space"
        );
    }
    if name == EXPERIMENTS {
        bail!("{RUNS}/{EXPERIMENTS} holds the results of experiments: choose another name");
    }
    Ok(())
}

/// Checks that a folder holds a run, or what is left of one: nothing else is ever deleted.
fn check_content(path: &Path) -> anyhow::Result<()> {
    let own = |name: &str| {
        let ending = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or("");
        [CONFIG, METRICS, LOCK].contains(&name)
            || ["safetensors", "png", "svg", "html"].contains(&ending)
            || name.starts_with(".new-")
    };
    let entries = fs::read_dir(path).map_err(|e| anyhow!("cannot read {}: {e}", path.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| anyhow!("cannot read {}: {e}", path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if folder || !own(&name) {
            bail!(
                "{} holds {name}, which is no part of a run: move it elsewhere first, or delete the folder \
                 yourself",
                path.display()
            );
        }
    }
    Ok(())
}

/// Asks on stderr, and reads the answer from stdin: yes only for `y` or `yes`.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    notes::part(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_no_names() {
        for name in ["b", "my run", "a,b", "über", "gpt"] {
            check_name(name).unwrap();
        }
        for name in ["", ".", "..", "a/b", "/a", "../a", "a/", "a\\b", ".a", "-a", " a", "a ", "a\nb", "lab"]
        {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_folder_with_other_files_is_no_run() {
        let dir = tempfile::tempdir().unwrap();
        for file in [CONFIG, METRICS, LOCK, "last.safetensors", "loss.png"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        check_content(dir.path()).unwrap();
        fs::write(dir.path().join("thesis.txt"), "").unwrap();
        assert!(check_content(dir.path()).unwrap_err().to_string().contains("thesis.txt"));
        assert!(["..", ".", "/", "", "runs/.."].iter().all(|name| existing(name).is_err()));
    }
}
