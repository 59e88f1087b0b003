//! `m2g runs rename` and `m2g runs delete`.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Component, Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::Error;
use m2g_core::train::{manage, run_folder};

use super::folders::meant;
use super::name;
use super::summary::{Summary, bytes};
use crate::errors::readable;
use crate::flags::{RUNS, beside_runs, quoted, run_path};
use crate::models::named;
use crate::terminal::lines::note;
use crate::terminal::notes;

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
        name::check(&self.name)?;
        let to = path.with_file_name(&self.name);
        manage::rename(&path, &to).map_err(|error| match error {
            Error::RunExists { path, .. } => {
                anyhow!("{} exists: choose another name, or delete it first", path.display())
            }
            error => error.into(),
        })?;
        notes::line(format_args!("{} is now {}", shown(&path), quoted(&to)));
        if named(&self.name).is_some() {
            note(&format!(
                "note: in compare, inspect and params, {} is the untrained model: give them {} for this run.",
                self.name,
                shown(&to)
            ));
        }
        Ok(())
    }
}

impl Delete {
    /// Asks, and deletes.
    pub fn run(self) -> anyhow::Result<()> {
        let mut paths = Vec::new();
        for run in &self.runs {
            let path = existing(run)?;
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
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
            let name = shown(path);
            let question = match path.is_symlink() {
                true => format!("delete the link {name} ({what}), and keep the folder that it leads to?"),
                false => format!("delete {name} ({what}; {})?", bytes(run.bytes)),
            };
            if !self.yes && !confirmed(&question)? {
                bail!("{name} is kept: answer y to delete it, or give --yes");
            }
            manage::delete(path)?;
            notes::line(format_args!("deleted {name}"));
        }
        Ok(())
    }
}

/// A path as notes and questions show it: it may hold what would move the cursor.
fn shown(path: &Path) -> String {
    readable(&path.display().to_string())
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
    if let Err(error) = path.metadata()
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        bail!("cannot read {}: {error}", path.display());
    }
    if path.exists() {
        bail!("{} is a file and no run: give the folder of a run, or remove the file", path.display());
    }
    if let Ok(target) = path.read_link() {
        bail!(
            "{} is a link to {}, where there is nothing: remove the link",
            path.display(),
            target.display()
        );
    }
    if let Some(beside) = beside_runs(&path) {
        bail!("there is no run in {}, but {1} is one: give it as {1}", path.display(), quoted(&beside));
    }
    match meant(&path, []) {
        Some(near) => bail!("there is no run in {}; did you mean {near}?", path.display()),
        None => bail!("there is no run in {}", path.display()),
    }
}

/// Checks that a folder holds a run, or what is left of one: nothing else is ever deleted.
fn check_content(path: &Path) -> anyhow::Result<()> {
    let is_experiment = path.join(name::EXPERIMENT).is_file() && !path.join(run_folder::CONFIG).exists();
    if is_experiment || path.ends_with(Path::new(RUNS).join(name::EXPERIMENTS)) {
        bail!("{} holds results of experiments, and no run: delete the folder yourself", path.display());
    }
    run_folder::check_content(path).map_err(|error| match error {
        Error::NoRun(path) => anyhow!("{} holds no run: delete the folder yourself", path.display()),
        error => error.into(),
    })
}

/// Asks on stderr, and reads the answer from stdin: yes only for `y` or `yes`.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    notes::part(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    // A pipe, unlike a terminal, does not show the line end that answers.
    if !io::stdin().is_terminal() {
        notes::line("");
    }
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use m2g_core::train::run_folder::LOCK;

    use super::*;

    #[test]
    fn what_is_no_run_is_not_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let check = || check_content(dir.path()).map_err(|error| error.to_string());
        fs::write(dir.path().join("loss.png"), "").unwrap();
        assert!(check().unwrap_err().ends_with("holds no run: delete the folder yourself"));
        fs::write(dir.path().join("photo.png"), "").unwrap();
        assert!(check().unwrap_err().contains("photo.png, which is no part of a run"));
        fs::write(dir.path().join(name::EXPERIMENT), "").unwrap();
        assert!(check().unwrap_err().contains("holds results of experiments, and no run"));
        assert!(["..", ".", "/", "", "runs/.."].iter().all(|name| existing(name).is_err()));
        let file = dir.path().join("photo.png");
        let error = existing(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(
            error.ends_with("photo.png is a file and no run: give the folder of a run, or remove the file")
        );
    }

    #[test]
    fn a_run_that_is_named_twice_is_deleted_once() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a");
        fs::create_dir(&run).unwrap();
        fs::write(run.join(LOCK), "").unwrap();
        let name = run.display().to_string();
        Delete { runs: vec![name.clone(), format!("{name}/"), name], yes: true }.run().unwrap();
        assert!(!run.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_called_so() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("gone"), &link).unwrap();
        let error = existing(link.to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("is a link to") && error.contains("/gone, where there is nothing"), "{error}");
    }
}
