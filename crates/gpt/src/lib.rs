//! The GPT of nanoGPT, on the core that the digit network runs on.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`GptConfig`]: the model; [`Config`]: every setting of a training |

pub mod config;

pub use config::{Config, GptConfig};
