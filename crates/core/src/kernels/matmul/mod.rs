//! The matrix product, which takes nearly all the time of a training run.
//!
//! `C = A B` is split three times (Goto and van de Geijn 2008): into slices of the inner dimension,
//! whose part of B stays in a cache; into blocks of rows of C, or of columns where A is small; and
//! into tiles of C, whose sums stay in registers. Threads work on different blocks, or on different
//! slices where C is small compared with A and B, as in the gradient of a weight. B is first packed
//! into panels, which the innermost loop reads in order, unless it was packed before
//! (`packed_factor.rs`). A is packed only if it is not already stored in the order in which that loop
//! reads it.
//!
//! Where the processor has tiles (Intel's AMX), they compute the products in bf16: see `amx/`.
//!
//! Each element of C is summed in the same order, whatever its position and whichever thread
//! computes it: no bit depends on the number of threads. With [`RowBits::Fixed`], none depends on the
//! number of rows either; otherwise a few rows may take a kernel that adds in another order.

#[cfg(any(test, all(target_os = "linux", target_arch = "x86_64")))]
mod amx;
mod batched;
pub mod bf16;
mod blocks;
mod epilogue;
mod factor;
mod matrix;
mod multiply;
mod operands;
mod pack;
mod packed_factor;
mod packed_product;
mod product;
mod slices;
mod tile;

pub use batched::{MatBatch, batched_matmul};
pub use epilogue::{Accumulate, Epilogue, HiddenActivation};
pub use matrix::Mat;
pub use multiply::{RowBits, matmul, matmul_serial, matmul_with_epilogue};
pub use packed_factor::PackedFactor;

#[cfg(test)]
mod tests;
