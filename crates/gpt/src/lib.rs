//! The GPT of nanoGPT, on the core that the digit network runs on.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`GptConfig`]: the model; [`Config`]: every setting of a training |
//! | [`model`] | [`Gpt`]: embeddings, blocks, head; it reads like the paper |
//! | [`tokenizer`] | from text to token ids and back: characters, bytes, byte pairs, GPT-2's |
//! | [`data`] | from files to token ids on disk or in memory, and from these to batches |

pub mod config;
pub mod data;
pub mod model;
pub mod tokenizer;
mod utf8;

pub use config::{Config, GptConfig};
pub use model::{Gpt, TokenBatch};

/// The notes' code, so that it is tested.
#[cfg(doctest)]
#[doc = include_str!("../../../notebooks-notes/02-from-digits-to-tokens.md")]
struct NotesFromDigitsToTokens;

/// The notes' code, so that it is tested.
#[cfg(doctest)]
#[doc = include_str!("../../../notebooks-notes/03-attention.md")]
struct NotesAttention;
