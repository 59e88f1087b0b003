//! Properties of the core's public API, for any shapes, lengths and values.
//! `PROPTEST_CASES=25600` tries a hundred times as many.
#![allow(clippy::unwrap_used)]

mod checkpoint;
mod padding;
mod splits;
