//! Training data: a corpus, and batches of windows of it.
//!
//! | file | holds |
//! | --- | --- |
//! | `corpus` | [`Corpus`]: both splits and their tokenizer, by the name of the data |
//! | `own_text` | the project's own notes and sources, compiled in |
//! | `copy_task` | a synthetic text; half of its tokens are predictable |
//! | `batches` | [`Batches`]: random windows |
//! | `growth` | batches that grow at the start of training |
//! | `windows` | [`Windows`]: all windows, one after the other |
//! | [`entropy`] | the loss of models that know only token frequencies |

mod batches;
mod copy_task;
mod corpus;
pub mod entropy;
mod growth;
mod own_text;
mod windows;

use m2g_text::tales;

pub use batches::Batches;
pub use corpus::Corpus;
pub use own_text::{FILES as OWN_FILES, NAME as OWN_SOURCES};
pub use windows::Windows;

/// Whether data with this name is part of the program, and so changes with it.
pub fn is_built_in(name: &str) -> bool {
    tales::is_name(name) || [own_text::NAME, own_text::OLD_NAME, copy_task::NAME].contains(&name)
}
