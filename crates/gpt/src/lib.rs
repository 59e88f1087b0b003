//! The GPT of nanoGPT, on the core that the digit network runs on.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`GptConfig`]: the model; [`Config`]: every setting of a training |
//! | [`model`] | [`Gpt`]: embeddings, blocks, head; it reads like the paper |

pub mod config;
pub mod model;

pub use config::{Config, GptConfig};
pub use model::{Gpt, TokenBatch};
