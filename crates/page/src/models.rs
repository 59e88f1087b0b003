//! Models by name: the untrained ones, and the runs on the disk.
//!
//! A request names a model only by a name from this listing, never by a path.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use m2g_core::train::run_folder::{self, BEST};
use m2g_digits::Network;
use m2g_gpt::Gpt;
use m2g_translate::Transformer;

use crate::commands::Commands;
use crate::hub::lock;
use crate::server::reply::Refusal;

/// The kinds of models, which are also the names of the untrained ones.
pub const KINDS: [&str; 3] = ["digits", "gpt", "translate"];

/// The most models that are kept in memory.
const KEPT: usize = 4;

/// A model in memory. Those with attention are built from unfused ops, so that every matrix can be seen.
#[derive(Debug)]
pub enum Model {
    /// A digit network.
    Digits(Network<f32>, m2g_digits::training::Description),
    /// A GPT.
    Gpt(Gpt<f32>, m2g_gpt::training::Description),
    /// A translation model.
    Translate(Transformer<f32>, m2g_translate::training::Description),
}

impl Model {
    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Digits(..) => KINDS[0],
            Self::Gpt(..) => KINDS[1],
            Self::Translate(..) => KINDS[2],
        }
    }

    /// The digit network, or a refusal that says what is needed.
    pub fn digits(&self) -> Result<(&Network<f32>, &m2g_digits::training::Description), Refusal> {
        match self {
            Self::Digits(network, description) => Ok((network, description)),
            other => {
                Err(Refusal::bad(format!("this is for a digit network, but the model is {}", other.noun())))
            }
        }
    }

    /// The GPT, or a refusal that says what is needed.
    pub fn gpt(&self) -> Result<(&Gpt<f32>, &m2g_gpt::training::Description), Refusal> {
        match self {
            Self::Gpt(gpt, description) => Ok((gpt, description)),
            other => Err(Refusal::bad(format!("this is for a GPT, but the model is {}", other.noun()))),
        }
    }

    /// The translation model, or a refusal that says what is needed.
    pub fn translate(&self) -> Result<(&Transformer<f32>, &m2g_translate::training::Description), Refusal> {
        match self {
            Self::Translate(model, description) => Ok((model, description)),
            other => Err(Refusal::bad(format!(
                "this is for a translation model, but the model is {}",
                other.noun()
            ))),
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Digits(..) => "a digit network",
            Self::Gpt(..) => "a GPT",
            Self::Translate(..) => "a translation model",
        }
    }

    /// The untrained model of this kind.
    fn untrained(kind: &str) -> anyhow::Result<Self> {
        Ok(match kind {
            "digits" => {
                let (network, description) = m2g_digits::inspect::untrained()?;
                Self::Digits(network, description)
            }
            "gpt" => {
                let (gpt, description) = m2g_gpt::inspect::untrained()?;
                Self::Gpt(gpt.unfused()?, description)
            }
            _ => {
                let (model, description) = m2g_translate::inspect::untrained()?;
                Self::Translate(model.unfused()?, description)
            }
        })
    }

    /// The model with the best parameters of a run.
    fn load(run: &Path) -> anyhow::Result<Self> {
        Ok(match run_folder::kind(run, BEST)?.as_str() {
            "digits" => {
                let (network, description) = m2g_digits::training::Training::load(run, BEST)?;
                Self::Digits(network, description)
            }
            "gpt" => {
                let (gpt, description) = m2g_gpt::training::Training::load(run, BEST)?;
                Self::Gpt(gpt.unfused()?, description)
            }
            "translate" => {
                let (model, description) = m2g_translate::training::Training::load(run, BEST)?;
                Self::Translate(model.unfused()?, description)
            }
            kind => anyhow::bail!("{} is a model of unknown kind {kind}", run.display()),
        })
    }
}

/// A run in the listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its name on the page, which no other run has.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Whether it was named on the command line.
    pub asked: bool,
}

/// A model in memory with its name and the time of its file.
type Kept = (String, Option<SystemTime>, Arc<Model>);

/// All models.
#[derive(Debug)]
pub struct Models {
    asked: Vec<PathBuf>,
    folders: fn() -> anyhow::Result<Vec<PathBuf>>,
    kept: Mutex<VecDeque<Kept>>,
}

impl Models {
    /// The runs that were named on the command line, and those in runs/.
    pub fn new(asked: Vec<PathBuf>, commands: Commands) -> Self {
        Self { asked, folders: commands.folders, kept: Mutex::default() }
    }

    /// The runs that were named on the command line.
    pub fn asked(&self) -> &[PathBuf] {
        &self.asked
    }

    /// All runs. Those that the user named come first.
    pub fn runs(&self) -> Result<Vec<Listed>, Refusal> {
        let mut all: Vec<Listed> = Vec::new();
        let (mut folders, mut names) = (HashSet::new(), HashSet::new());
        let asked = self.asked.iter().map(|path| (path.clone(), true));
        for (path, asked) in asked.chain((self.folders)()?.into_iter().map(|path| (path, false))) {
            // Two paths may lead to one folder.
            if !folders.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                continue;
            }
            let mut name = listed_name(&path);
            // Two folders may have the same name.
            if !names.insert(name.clone()) {
                name = path.display().to_string();
                names.insert(name.clone());
            }
            all.push(Listed { name, path, asked });
        }
        Ok(all)
    }

    /// The name in the listing of the run in this folder, which may not be written yet.
    pub fn name_of(&self, path: &Path) -> Result<String, Refusal> {
        let name = listed_name(path);
        let is_taken = self.runs()?.iter().any(|run| run.name == name && run.path != path);
        Ok(if is_taken { path.display().to_string() } else { name })
    }

    /// The folder of a run in the listing.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Refusal> {
        let found = self.runs()?.into_iter().find(|run| run.name == name);
        found.map(|run| run.path).ok_or_else(|| Refusal::missing(format!("there is no run called {name}")))
    }

    /// Opens a model by its name.
    pub fn open(&self, name: &str) -> Result<Arc<Model>, Refusal> {
        let path = if KINDS.contains(&name) { None } else { Some(self.folder(name)?) };
        let saved = path.as_ref().and_then(|path| path.join(BEST).metadata().ok()?.modified().ok());
        let mut kept = lock(&self.kept);
        if let Some(i) = kept.iter().position(|(known, time, _)| known == name && *time == saved)
            && let Some(found) = kept.remove(i)
        {
            let model = Arc::clone(&found.2);
            kept.push_front(found);
            return Ok(model);
        }
        drop(kept);
        let model = Arc::new(match &path {
            None => Model::untrained(name)?,
            Some(path) => Model::load(path)?,
        });
        let mut kept = lock(&self.kept);
        kept.retain(|(known, ..)| known != name);
        kept.push_front((name.into(), saved, Arc::clone(&model)));
        kept.truncate(KEPT);
        Ok(model)
    }
}

/// The name of a run on the page: that of its folder or, since `digits` is the untrained model and `training` the
/// one that is trained, its path.
fn listed_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    if KINDS.contains(&&*name) || name == "training" { path.display().to_string() } else { name.into_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_run_is_never_taken_for_something_else() {
        for (path, name) in
            [("runs/a", "a"), ("runs/digits", "runs/digits"), ("runs/training", "runs/training")]
        {
            assert_eq!(listed_name(Path::new(path)), name);
        }
    }

    #[test]
    fn two_runs_never_have_the_same_name() {
        let models = Models {
            asked: vec!["elsewhere/first".into()],
            folders: || Ok(vec!["runs/first".into(), "runs/second".into()]),
            kept: Mutex::default(),
        };
        let names: Vec<String> = models.runs().unwrap().into_iter().map(|run| run.name).collect();
        assert_eq!(names, ["first", "runs/first", "second"]);
        for (path, name) in [
            ("elsewhere/first", "first"),
            ("runs/first", "runs/first"),
            ("runs/second", "second"),
            ("runs/new", "new"),
        ] {
            assert_eq!(models.name_of(Path::new(path)).unwrap(), name);
        }
    }
}
