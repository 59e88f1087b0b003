//! The matrix product, which takes nearly all the time of a training run.
//!
//! `C = A B` is cut three times (Goto and van de Geijn 2008): into slices of the inner dimension,
//! whose part of B stays in a cache; into blocks of rows of C, or of columns where A is small; and
//! into tiles of C, whose sums stay in registers. Threads work on blocks side by side, or on
//! slices where C is small beside A and B, as the gradient of a weight is. B is first copied into
//! panels, columns side by side, so that the innermost loop reads it in order. A is copied where
//! its rows are not stored in the order in which that loop reads them.
//!
//! Each element of C is summed in the same order, wherever it stands and whichever thread
//! computes it: neither the number of threads nor a neighbouring row changes a bit.

mod batched;
pub mod bf16;
mod blocks;
mod epilogue;
mod factor;
mod matrix;
mod multiply;
mod operands;
mod pack;
mod product;
mod tile;

pub use batched::{MatBatch, batched_matmul};
pub use epilogue::{Accumulate, Epilogue};
pub use matrix::Mat;
pub use multiply::{matmul, matmul_serial, matmul_with_epilogue};

#[cfg(test)]
mod tests;
