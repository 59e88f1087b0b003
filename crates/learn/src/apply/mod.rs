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

/// The exercises that are used.
pub const USED: [&str; 4] = ["backprop", "update_mini_batch", "head", "head_backward"];

/// Whether an exercise is used in a model.
pub fn is_used(exercise: &Exercise) -> bool {
    USED.contains(&exercise.name)
}
