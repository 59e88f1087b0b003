//! The models, one folder per model. Every command that works for any model goes through
//! [`ModelKind`].
//!
//! | file | holds |
//! | --- | --- |
//! | `kind.rs` | the traits of a model |
//! | `command.rs` | the commands `m2g digits`, `m2g gpt`, `m2g translate` |
//! | `run.rs` | a run on disk |
//! | `digits/`, `gpt/`, `translate/` | one folder per model |

pub mod command;
mod digits;
mod gpt;
pub mod kind;
pub mod run;
mod translate;

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_core::Error;
use m2g_core::train::run_folder::{self, LAST};

use self::kind::{ModelKind, OpenModel};
use self::run::{SavedRun, tell_of_missing_checksum};
use crate::flags::{Checkpoint, RUNS, quoted, run_path};
use crate::runs::folders::meant;

/// All models.
pub const MODELS: [&dyn ModelKind; 3] = [&digits::Digits, &gpt::Gpt, &translate::Translate];

/// The model with this name.
pub fn named(name: &str) -> Option<&'static dyn ModelKind> {
    MODELS.into_iter().find(|model| model.name() == name)
}

/// The names of all models.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.into_iter().map(|model| model.name())
}

/// Opens a model by name, untrained, or the best (or last) checkpoint of a run.
pub fn open(
    name: &str,
    checkpoint: Checkpoint,
) -> anyhow::Result<(&'static dyn ModelKind, Box<dyn OpenModel>)> {
    if let Some(kind) = named(name) {
        if checkpoint.last {
            bail!("--last is for runs, but {name} is an untrained model: give the name of a run");
        }
        return Ok((kind, kind.untrained()?));
    }
    let (path, file) = (run_path(name), checkpoint.file());
    let kind = kind_of(name, &path, file)?;
    let model = kind.open(&path, file)?;
    tell_of_missing_checksum(&path, file)?;
    Ok((kind, model))
}

/// Finds a run by its name.
pub fn find_run(name: &str) -> anyhow::Result<(&'static dyn ModelKind, SavedRun)> {
    let path = run_path(name);
    let kind = kind_of(name, &path, LAST)?;
    let metadata = run_folder::metadata(&path, LAST, kind.name())?;
    Ok((kind, SavedRun { path, metadata }))
}

/// A hint for a run that has the same name as a model: the word stands for the untrained model.
pub fn same_name_hint(name: &str) -> Option<String> {
    let path = Path::new(RUNS).join(name);
    (named(name).is_some() && path.is_dir()).then(|| {
        format!(
            "note: {name} is the untrained model here, with its default settings. Your run of that name is {}: give \
             that path to use it.",
            quoted(&path)
        )
    })
}

/// The kind of the run at `path`. If there is none, `name` may be a misspelt model.
fn kind_of(name: &str, path: &Path, file: &str) -> anyhow::Result<&'static dyn ModelKind> {
    let name = run_folder::kind(path, file).map_err(|error| {
        let is_misspelt = matches!(error, Error::NoRun(_)) && !Path::new(name).exists();
        match is_misspelt.then(|| meant(path, names())).flatten() {
            Some(near) => anyhow!("{error}; did you mean {near}?"),
            None => error.into(),
        }
    })?;
    let nouns: Vec<&str> = MODELS.iter().map(|model| model.noun()).collect();
    named(&name).ok_or_else(|| {
        anyhow!(
            "{} is a model of unknown kind {name}: give a run of {}",
            path.display(),
            nouns.join(" or of ")
        )
    })
}
