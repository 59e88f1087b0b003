//! What can go wrong in the core, each with a sentence that says what to do.

use std::panic::Location;
use std::path::PathBuf;

/// An error of the core.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The numbers given do not fill the shape.
    #[error("a tensor of shape {shape:?} holds {expected} numbers, but {found} were given")]
    Length {
        /// The shape asked for.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// How many numbers came.
        found: usize,
    },
    /// The shapes of an op's inputs do not fit each other.
    #[error("{op} cannot take inputs of shapes {shapes:?}: {why} (called at {at})")]
    Shape {
        /// The op's name.
        op: &'static str,
        /// The shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// The rule that they break.
        why: String,
        /// Who called the op.
        at: &'static Location<'static>,
    },
    /// An op without a backward was recorded where gradients are wanted.
    #[error(
        "{op} has no backward, but one of its inputs needs a gradient: record it on a tape for \
         evaluation, or give it a backward (called at {at})"
    )]
    NoBackward {
        /// The op's name.
        op: &'static str,
        /// Who called the op.
        at: &'static Location<'static>,
    },
    /// `backward` was asked for something that is not one number, or needs no gradient.
    #[error("backward starts at one number that depends on a parameter, not at shape {0:?}")]
    NotALoss(Vec<usize>),
    /// Two parameters have one name.
    #[error("there are two parameters called {0}")]
    DuplicateParam(String),
    /// The loss or a gradient is NaN or infinite.
    #[error(
        "the {what} is not finite at step {step}: the training has diverged; use a smaller \
         learning rate (the last checkpoint holds the state before)"
    )]
    NotFinite {
        /// The loss, or the name of the first gradient.
        what: String,
        /// The step, from 0.
        step: u64,
    },
    /// A setting has a value that makes no sense.
    #[error("{name} is {value}: {rule}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create`, ...
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint cannot be used.
    #[error("{} is not a usable checkpoint: {why}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The folder of a new run is there already.
    #[error("{} exists: choose another name with --run{}", path.display(),
        if *is_run { ", or replace it with --overwrite" } else { " (it is not a run, so --overwrite will not replace it)" })]
    RunExists {
        /// The folder.
        path: PathBuf,
        /// Whether it holds a run.
        is_run: bool,
    },
    /// There is no run of that name.
    #[error("there is no run in {}: train one first, with --run NAME", .0.display())]
    NoRun(PathBuf),
    /// The run has no such checkpoint: it was stopped before its first save, or
    /// somebody removed the file.
    #[error("the run in {} has saved no {file}: train it anew with --overwrite", run.display())]
    NeverSaved {
        /// The run.
        run: PathBuf,
        /// The checkpoint that is missing.
        file: String,
    },
    /// Another process trains the run.
    #[error("another process is training {}: wait for it, or stop it", .0.display())]
    Busy(PathBuf),
    /// The model crate or the data source failed.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An [`Error::Io`] for `path`, for use with `map_err`.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
