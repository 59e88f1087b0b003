//! A finished exercise becomes part of a model: the learner's program computes, beside the core.
//!
//! | file | holds |
//! | --- | --- |
//! | `attention.rs` | an op of the tape that the learner's `head` and `head_backward` compute |
//! | `text.rs` | a small GPT with that op, which trains on a text and writes |
//! | `digits.rs` | the learner's `backprop` or `update_mini_batch` trains the network of digits |

pub mod attention;
pub mod digits;
pub mod text;

use crate::exercise::Exercise;

/// The exercises that are used, each with those that must pass for it.
const USES: [(&str, &[&str]); 4] = [
    ("backprop", &["backprop"]),
    ("update_mini_batch", &["update_mini_batch"]),
    ("head", &["head", "head_backward"]),
    ("head_backward", &["head", "head_backward"]),
];

/// The names of the exercises that are used.
pub fn used() -> impl Iterator<Item = &'static str> {
    USES.iter().map(|(name, _)| *name)
}

/// The exercises that must pass before this one is used; `None` if it is never used.
pub fn needed(exercise: &Exercise) -> Option<&'static [&'static str]> {
    USES.iter().find(|(name, _)| *name == exercise.name).map(|(_, needed)| *needed)
}
