//! The subcommands of `m2g gpt` that no other model has, and its settings.

pub mod ask;
pub mod chat;
pub mod export;
mod generation_flags;
pub mod import;
pub mod ladder;
pub mod plot;
pub mod prepare;
mod prompt;
pub mod sample;
pub mod settings;
