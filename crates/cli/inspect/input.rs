//! The input of an inspection.

use std::path::PathBuf;

use clap::Args;

/// The input of the step.
#[derive(Args)]
pub struct Input {
    /// The text that a GPT or a translation model reads [default: a short sentence].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "image")]
    pub prompt: Option<String>,
    /// The picture that a digit network reads, PNG or JPEG [default: the first test image].
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// The class of the picture, such as 7, or H for a network that reads letters; --backward needs it.
    #[arg(long, value_name = "CLASS", requires = "image")]
    pub label: Option<String>,
    /// Also run backward, from the loss to every gradient.
    #[arg(long)]
    pub backward: bool,
}
