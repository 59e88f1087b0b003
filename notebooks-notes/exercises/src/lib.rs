//! What every exercise uses: matrices, some functions that are given, and the way to the grader.
//!
//! | file | holds |
//! | --- | --- |
//! | `matrix.rs` | [`Matrix`]: rows and columns of numbers |
//! | `given.rs` | functions that one exercise asks for and later ones need |
//! | `protocol.rs` | [`answer`]: reads cases from the grader and writes your answers |
//! | `bin/` | the exercises: one file each, with a gap that you fill |

#![warn(missing_docs)]

pub mod given;
pub mod matrix;
pub mod protocol;

pub use matrix::Matrix;
pub use protocol::{Input, Value, answer};
