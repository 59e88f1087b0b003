//! Questions to a trained model: what attends to what, and what a word of the translation depends on.
//!
//! | file | holds |
//! | --- | --- |
//! | `attention` | [`Attention`]: the attention of a sentence and its translation, by words; alignments |
//! | `choice` | [`Choice`]: how likely the model finds each of some words, for a source that is changed |
//!
//! Attention says where a layer looks, not what decides: a causal test changes the source, and sees what
//! changes in the answer.

mod attention;
mod choice;

pub use attention::{Attention, Pair, alignment};
pub use choice::{Choice, alternative, choose, newcomer};
