//! The shared core of mnist-to-gpt: everything that a digit network and a GPT have in common.
//!
//! | module | holds |
//! | --- | --- |
//! | [`tensor`] | [`Tensor`]: a shape and its elements, row-major |
//! | [`tokens`] | [`Tokens`]: rows of token ids |
//! | [`mask`] | [`Mask`]: which keys each query sees |
//! | `kernels` | the fast inner loops on plain operands; the only place with SIMD, and with threads inside an op |
//! | [`ops`] | one file per op: its mathematics, forward, backward, gradient check |
//! | [`tape`] | records the ops of one step, runs them backward, reuses their buffers |
//! | [`nn`] | layers: parameters and a `forward` that records ops |
//! | [`optim`] | SGD, AdamW, Muon, averages of weights, learning-rate schedules, gradient clipping |
//! | [`train`] | one step, one loop and one session, which every model uses |
//! | [`checkpoint`] | parameters and training state in one file, written atomically |
//! | [`data`] | the catalogue of datasets, IDX files, MNIST |
//! | [`mod@settings`] | settings, each declared once for files, flags, checks and checkpoints |
//! | [`ranks`] | several processes that train one model together |
//! | [`rng`] | one seed, separate named streams of random numbers |
//! | [`trace`] | the record of a step: op, shapes, FLOPs, bytes, time, caller |
//! | [`inspect`] | a recorded step with all its values, under their names |
//! | [`gradcheck`] | checks gradients against finite differences |
//! | [`threads`] | the number of threads, and parallel work around the kernels: reading files, distortions, sentences |
//! | [`memory`] | the memory that training needs, and the memory that there is |
//! | [`error`] | [`Error`]: one sentence for each fault |
//! | [`bounded`] | reads files of limited size |
//! | [`atomic`] | writes files and folders completely or not at all |
//!
//! # A whole training step
//!
//! ```
//! use m2g_core::{Params, Tape, Tensor, Grads, optim::{Optimizer, Sgd}};
//!
//! // Fit y = w x to one example, x = 2, y = 6: the answer is w = 3.
//! let mut params = Params::new();
//! let w = params.add("w", Tensor::from_vec(&[1, 1], vec![0.0_f64])?)?;
//! let mut tape = Tape::new();
//! let mut grads = Grads::new();
//! let mut sgd = Sgd::new();
//! for _ in 0..50 {
//!     let x = tape.input(Tensor::from_vec(&[1, 1], vec![2.0])?);
//!     let y = tape.input(Tensor::from_vec(&[1, 1], vec![6.0])?);
//!     let w = tape.param(&params, w);
//!     let y_hat = tape.matmul(x, w)?;
//!     let loss = tape.quadratic_cost(y_hat, y)?;
//!     tape.backward(loss, &mut grads)?;
//!     tape.reset();
//!     sgd.update(&mut params, &grads, 1.0, 0.1);
//!     grads.clear(&mut tape);
//! }
//! assert!((params.get(w).value.data()[0] - 3.0).abs() < 1e-6);
//! # Ok::<(), m2g_core::Error>(())
//! ```

#[cfg(not(target_pointer_width = "64"))]
compile_error!("m2g needs a 64-bit system: models and files may be larger than 4 GiB");

pub mod atomic;
pub mod bounded;
pub mod checkpoint;
pub mod data;
pub mod error;
mod float;
pub mod gradcheck;
pub mod inspect;
mod kernels;
pub mod mask;
pub mod memory;
pub mod nn;
mod number;
pub mod ops;
pub mod optim;
mod params;
mod pool;
mod precision;
pub mod ranks;
pub mod rng;
pub mod settings;
pub mod tape;
pub mod tensor;
pub mod threads;
pub mod tokens;
pub mod trace;
pub mod train;
mod var;

pub use error::Error;
pub use float::Float;
pub use mask::Mask;
pub use ndarray;
pub use number::Number;
pub use params::{Grads, Param, ParamId, Params};
pub use precision::Precision;
pub use tape::Tape;
pub use tensor::{Shape, Tensor};
pub use tokens::Tokens;
pub use var::Var;

pub use kernels::bf16_path::Bf16Path;
pub use kernels::block_format::BlockFormat;
pub use kernels::half::f16_to_f32;
pub use kernels::isa::{
    available_instruction_sets, best_instruction_set, instruction_set, use_instruction_set,
};
pub use kernels::packed_weights::WeightFormat;

/// The matrix product of row-major slices that the ops use.
pub use kernels::matmul::{Accumulate, Mat, matmul};

/// Maps pixels from `0..=255` to the interval `[0, 1]`.
pub fn unit_interval<T: Float>(out: &mut [T], pixels: &[u8]) {
    <T::Kernels as kernels::Kernels<T>>::unit_interval(out, pixels);
}
