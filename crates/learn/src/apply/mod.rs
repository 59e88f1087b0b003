//! A finished exercise becomes part of a model: the learner's program computes, beside the core.
//!
//! | file | holds |
//! | --- | --- |
//! | `digits.rs` | the learner's `backprop` or `update_mini_batch` trains the network of digits |

pub mod digits;

use crate::exercise::Exercise;

/// The exercises that are used.
pub const USED: [&str; 2] = ["backprop", "update_mini_batch"];

/// Whether an exercise is used in a model.
pub fn is_used(exercise: &Exercise) -> bool {
    USED.contains(&exercise.name)
}
