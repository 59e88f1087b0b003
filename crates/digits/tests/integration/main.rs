//! The public API of the digits crate. One test program, because linking each one takes long.
#![allow(clippy::unwrap_used)]

mod gradients;
mod old_run;
mod together;
mod training;
