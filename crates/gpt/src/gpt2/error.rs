//! The errors of import and export.

use std::fmt;
use std::path::{Path, PathBuf};

use safetensors::Dtype;

use super::layout::CONFIG;

/// Why a folder cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be opened or read.
    #[error(transparent)]
    Core(#[from] m2g_core::Error),
    /// The folder does not exist, or lacks a required file.
    #[error("{} is not a GPT-2 folder in Hugging Face's format: {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is missing, and what to do.
        why: String,
    },
    /// A file is damaged or in another format.
    #[error("{} cannot be used: {why}{}", path.display(), after_damage(why))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration describes a model that this GPT does not support.
    #[error("{}: {key} is {value}, {rule}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What it must be instead.
        rule: String,
    },
    /// The tensors do not fit the configuration.
    #[error("{}", misfit(path, settings, problems))]
    Tensors {
        /// The folder or the file.
        path: PathBuf,
        /// What holds the settings of the model: `config.json` or `model_args`.
        settings: &'static str,
        /// All mismatches.
        problems: Vec<TensorProblem>,
    },
}

/// What to do about a file with this fault, if it is damage.
fn after_damage(why: &str) -> &'static str {
    let is_damage = why.contains("is cut off") || why.contains("is damaged");
    match is_damage && !why.ends_with("or the file is damaged") {
        true => "; download or export it again",
        false => "",
    }
}

/// A tensor that does not fit the model. Names and shapes are those of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TensorProblem {
    /// It is missing.
    Missing {
        /// Its name.
        name: String,
        /// The expected shape.
        expected: Vec<usize>,
    },
    /// The model has no such tensor.
    Extra {
        /// Its name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// It has the wrong shape.
    Shape {
        /// Its name.
        name: String,
        /// The expected shape.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// Its element type cannot be read.
    Type {
        /// Its name.
        name: String,
        /// The type.
        found: Dtype,
    },
    /// It occurs twice: in two files, or with and without the prefix `transformer.`.
    Duplicate {
        /// Its name.
        name: String,
    },
}

impl TensorProblem {
    fn name(&self) -> &str {
        match self {
            Self::Missing { name, .. }
            | Self::Extra { name, .. }
            | Self::Shape { name, .. }
            | Self::Type { name, .. }
            | Self::Duplicate { name } => name,
        }
    }
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name from a file may hold anything.
        let name = self.name().escape_debug();
        match self {
            Self::Missing { expected, .. } => write!(f, "missing    {name}: expected {expected:?}"),
            Self::Extra { found, .. } => write!(f, "extra      {name}: found {found:?}"),
            Self::Shape { expected, found, .. } => {
                write!(f, "shape      {name}: expected {expected:?}, found {found:?}")
            }
            Self::Type { found, .. } => {
                write!(f, "type       {name}: expected F32, F16 or BF16, found {found:?}")
            }
            Self::Duplicate { .. } => write!(f, "duplicate  {name}"),
        }
    }
}

/// The most problems that are listed: the first ones show what the others are like.
const MOST_LISTED: usize = 8;

/// The problems, one a line; a sentence if there is nothing but the types of elements.
fn misfit(path: &Path, settings: &str, problems: &[TensorProblem]) -> String {
    let path = path.display();
    let are_types = problems.iter().all(|problem| matches!(problem, TensorProblem::Type { .. }));
    if let (true, Some(TensorProblem::Type { name, found })) = (are_types, problems.first()) {
        let name = name.escape_debug();
        return format!(
            "{path} cannot be used: it has tensors of type {found:?}, such as {name}: save the model as F32 \
             (float32)"
        );
    }
    let mut text = format!("the tensors in {path} do not fit its {settings}:");
    problems.iter().take(MOST_LISTED).for_each(|problem| text += &format!("\n  {problem}"));
    if let Some(more) = problems.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        text += &format!("\n  and {more} more");
    }
    // A head of a task, or layers of an adapter, on top of a whole GPT-2.
    if settings == CONFIG && problems.iter().all(|problem| matches!(problem, TensorProblem::Extra { .. })) {
        text += "\nload it with transformers' GPT2LMHeadModel and save it with save_pretrained";
    }
    text
}

/// Why a model is refused if the tensor with this name has an element that is NaN or infinite.
pub(crate) fn not_finite(name: &str) -> String {
    format!(
        "its {} holds NaN or infinity: its training diverged, or the file is damaged",
        name.escape_debug()
    )
}

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be written.
    #[error(transparent)]
    Core(#[from] m2g_core::Error),
    /// The format cannot express a property of the model.
    #[error("GPT-2's format cannot express {what}: {why}")]
    Inexpressible {
        /// The property of the model.
        what: String,
        /// What the format allows, and what to do.
        why: &'static str,
    },
    /// GGUF, or the models of llama.cpp, cannot express a property of the model.
    #[error("GGUF cannot express {what}: {why}")]
    Gguf {
        /// The property of the model.
        what: String,
        /// What the format allows, and what to do.
        why: String,
    },
    /// The parameters do not fit the configuration.
    #[error(
        "the parameter {name} is missing or does not have the shape {expected:?}: the parameters belong to another model"
    )]
    Params {
        /// The name of the first parameter that does not fit.
        name: String,
        /// Its shape according to the configuration.
        expected: Vec<usize>,
    },
    /// The folder exists and is not replaced: `overwrite` is off, or it holds something else.
    #[error("{} exists{}", path.display(), if *is_export {
        ""
    } else {
        " and holds no config.json, so it is not replaced"
    })]
    Exists {
        /// The folder.
        path: PathBuf,
        /// Whether it holds a model in Hugging Face's format.
        is_export: bool,
    },
}
