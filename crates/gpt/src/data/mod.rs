//! From files to token ids, and from these to batches.
//!
//! | file | holds |
//! | --- | --- |
//! | `source` | where text comes from: files, folders, memory |
//! | `clean` | how it is cleaned: BOM, CRLF, invalid UTF-8 |
//! | `encode` | text of any size to two rows of tokens, one to train and one to validate |
//! | `prepare` | the same into a folder, whole or not at all |
//! | `prepared` | such a folder read back and checked |
//! | `tokens` | [`TokenData`]: a row of tokens in memory or in a file |
//! | `corpus` | [`Corpus`]: both rows and their tokenizer, by the name of the data |
//! | `own_text` | the project's own notes and sources, which are always here |
//! | `copy_task` | a made-up text, half of which can be known |
//! | `batches` | [`Batches`]: random windows; [`Windows`]: all windows, one after the other |
//! | [`entropy`] | what a model that knows one or two tokens could reach |

mod batches;
mod clean;
mod copy_task;
mod corpus;
mod encode;
pub mod entropy;
mod error;
mod own_text;
mod prepare;
mod prepared;
mod source;
mod tokens;

pub use batches::{Batches, Windows};
pub use corpus::Corpus;
pub use encode::Progress;
pub use error::CorpusError;
pub use prepare::{Prepare, prepare};
pub use prepared::Meta;
pub use tokens::{TokenData, Width};
