//! What a GPT is trained on: a corpus, and windows of it.
//!
//! | file | holds |
//! | --- | --- |
//! | `corpus` | [`Corpus`]: both splits and their tokenizer, by the name of the data |
//! | `own_text` | the project's own notes and sources, compiled in |
//! | `copy_task` | a synthetic text, half of which is predictable |
//! | `batches` | [`Batches`]: random windows |
//! | `windows` | [`Windows`]: all windows, one after the other |
//! | [`entropy`] | the loss of a model that knows one or two tokens |

mod batches;
mod copy_task;
mod corpus;
pub mod entropy;
mod own_text;
mod windows;

pub use batches::Batches;
pub use corpus::Corpus;
pub use windows::Windows;
