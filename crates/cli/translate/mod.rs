//! Commands of translation alone.

pub mod ask;
mod beam_tree;
pub mod decoding_flags;
pub mod lines;
pub mod parallel;
pub mod prepare;
pub mod score;
pub mod sentences;
pub mod settings;
