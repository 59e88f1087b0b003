//! What can go wrong before an exercise is graded.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::failure::Failure;

/// What can go wrong before an exercise is graded.
#[derive(Debug, Error)]
pub enum LearnError {
    /// Cargo does not start.
    #[error("cannot start cargo, which compiles the exercises: {0}: install Rust, see https://rustup.rs")]
    Cargo(io::Error),
    /// Cargo fails, but not because of an error in the code.
    #[error("cargo could not build the exercise, so it was not graded: {0}")]
    Build(String),
    /// There is no such exercise.
    #[error("there is no exercise {name:?}{}: `m2g learn list` lists all", did_you_mean(similar))]
    Unknown {
        /// What was typed.
        name: String,
        /// Exercises whose names contain it, or the one with the most similar name.
        similar: Vec<&'static str>,
    },
    /// The folder holds something else.
    #[error("{0} holds other files: choose another folder with --dir")]
    Foreign(PathBuf),
    /// The folder cannot be one.
    #[error("{path} cannot be the folder of the exercises: {why}: choose another folder with --dir")]
    Folder {
        /// The path.
        path: PathBuf,
        /// The reason.
        why: io::Error,
    },
    /// The file with the progress is damaged.
    #[error("cannot read {path}: {why}: delete it to begin counting again, your exercises stay")]
    Progress {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {path}: {why}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        why: io::Error,
    },
    /// No exercise is left to go on with, and none was named.
    #[error("all exercises are done: name the one to reset, as `m2g learn reset neuron`")]
    AllDone,
    /// The exercise does not pass, so its program cannot be used.
    #[error("{0} does not pass yet: `m2g learn {0}` grades it")]
    NotPassed(&'static str),
    /// The exercise is not part of a model.
    #[error("{name} is not used in a model: these are: {used}")]
    Unused {
        /// The exercise.
        name: &'static str,
        /// Those that are.
        used: String,
    },
    /// The exercise is used with digits, not with a text.
    #[error("--data is a text for head and head_backward, but {0} reads digits: leave it out")]
    NoText(&'static str),
    /// The learner's program failed while it was used.
    #[error("{name} failed in the middle of the training: {why}")]
    Failed {
        /// The exercise.
        name: &'static str,
        /// The reason.
        why: Failure,
    },
    /// The core refused something.
    #[error(transparent)]
    Core(#[from] m2g_core::Error),
}

fn did_you_mean(similar: &[&str]) -> String {
    if similar.is_empty() { String::new() } else { format!(" (did you mean {}?)", similar.join(", ")) }
}
