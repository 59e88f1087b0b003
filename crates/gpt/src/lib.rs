//! The GPT of nanoGPT, on the core that the digit network runs on.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`GptConfig`]: the model; [`Config`]: every setting of a training |
//! | [`model`] | [`Gpt`]: embeddings, blocks, head; it reads like the paper |
//! | [`generate`] | [`Generator`]: token after token, with a cache and a window that slides |
//! | [`sampler`] | [`Sampling`]: from logits to the next token |

pub mod config;
pub mod generate;
pub mod model;
pub mod sampler;

pub use config::{Config, GptConfig};
pub use generate::{GenerateOptions, Generator};
pub use model::{Gpt, TokenBatch};
pub use sampler::{Sampler, Sampling};
