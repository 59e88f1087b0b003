//! The subcommands of `m2g gpt` that no other model has, and its settings.

pub mod export;
pub mod import;
pub mod ladder;
pub mod plot;
pub mod prepare;
pub mod sample;
pub mod settings;
