//! What can be wrong with a folder, each with a sentence that says what to do.

use std::fmt;
use std::path::PathBuf;

use safetensors::Dtype;

/// Why a folder cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be opened or read.
    #[error(transparent)]
    Core(#[from] m2g_core::Error),
    /// The folder lacks what every folder of this kind has.
    #[error("{} is no GPT-2 folder of Hugging Face: {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is missing, and what to do.
        why: String,
    },
    /// A file is not what its name says.
    #[error("{} cannot be used: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration asks for something that this GPT does not do.
    #[error("{}: {key} is {value}, {rule}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it says.
        value: String,
        /// What it must be.
        rule: String,
    },
    /// The tensors are not those that the configuration describes.
    #[error("the tensors in {} do not fit its config.json:{}", path.display(), list(problems))]
    Tensors {
        /// The folder.
        path: PathBuf,
        /// All that is wrong.
        problems: Vec<TensorProblem>,
    },
}

/// One tensor that is not as it should be. Names and shapes are those of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TensorProblem {
    /// It is not there.
    Missing {
        /// Its name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
    /// It is there, but the model has no place for it.
    Extra {
        /// Its name.
        name: String,
        /// The shape that it has.
        found: Vec<usize>,
    },
    /// It has another shape.
    Misshapen {
        /// Its name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// The shape that it has.
        found: Vec<usize>,
    },
    /// Its numbers are of a type that is not read.
    Type {
        /// Its name.
        name: String,
        /// The type.
        found: Dtype,
    },
    /// It is there twice: in two files, or with and without `transformer.`.
    Twice {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, expected } => write!(f, "missing    {name}: expected {expected:?}"),
            Self::Extra { name, found } => write!(f, "extra      {name}: found {found:?}"),
            Self::Misshapen { name, expected, found } => {
                write!(f, "misshapen  {name}: expected {expected:?}, found {found:?}")
            }
            Self::Type { name, found } => {
                write!(f, "type       {name}: expected F32, F16 or BF16, found {found:?}")
            }
            Self::Twice { name } => write!(f, "twice      {name}"),
        }
    }
}

fn list(problems: &[TensorProblem]) -> String {
    problems.iter().map(|p| format!("\n  {p}")).collect()
}

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be written.
    #[error(transparent)]
    Core(#[from] m2g_core::Error),
    /// The model has something for which GPT-2's format has no place.
    #[error("GPT-2's format has no place for {what}: {why}")]
    Inexpressible {
        /// What the model has.
        what: String,
        /// What the format has, and what to do.
        why: &'static str,
    },
    /// The parameters are not those of the configuration.
    #[error("the parameter {name} is missing or has another shape than {expected:?}: it is of another model")]
    Params {
        /// The name of the first that does not fit.
        name: String,
        /// The shape that the configuration gives it.
        expected: Vec<usize>,
    },
    /// The folder is there already.
    #[error("{} exists{}", path.display(), if *is_export {
        ": choose another folder, or replace it with --overwrite"
    } else {
        " and holds no config.json, so that even --overwrite will not replace it: choose another folder"
    })]
    Exists {
        /// The folder.
        path: PathBuf,
        /// Whether it holds a model of Hugging Face's format.
        is_export: bool,
    },
}
