//! The GPT of nanoGPT, on the core that the digit network runs on.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`GptConfig`]: the model; [`Config`]: every setting of a training |
//! | [`presets`] | the settings in `configs/`, by name |
//! | [`model`] | [`Gpt`]: embeddings, blocks, head; it reads like the paper |
//! | [`data`] | the text to train on, by name, and batches of it |
//! | [`training`] | a whole training in a run folder, a run read back |
//! | `fine_tuning` | a training that starts from the model of another |
//! | [`token_rows`] | rows of token ids from a file: their loss, their logits |
//! | [`gpt2`] | GPT-2 in the format of Hugging Face, in and out |
//! | [`generate`] | [`Generator`]: token after token, with a cache and a window that slides |
//! | [`ladder`] | the lecture "Let's build GPT", rung by rung |

pub mod config;
pub mod data;
mod fine_tuning;
pub mod generate;
pub mod gpt2;
pub mod ladder;
pub mod model;
pub mod presets;
pub mod token_rows;
pub mod training;

pub use config::{Config, GptConfig};
pub use generate::{GenerateOptions, Generator};
pub use model::{Gpt, TokenBatch};

/// The notes' code, so that it is tested.
#[cfg(doctest)]
#[doc = include_str!("../../../notebooks-notes/02-from-digits-to-tokens.md")]
struct NotesFromDigitsToTokens;

/// The notes' code, so that it is tested.
#[cfg(doctest)]
#[doc = include_str!("../../../notebooks-notes/03-attention.md")]
struct NotesAttention;
