//! The network of *Neural Networks and Deep Learning* (Michael Nielsen, 2015), which
//! recognises handwritten digits, built on the shared core.
//!
//! | file | holds |
//! | --- | --- |
//! | [`network`] | [`Network`]: `new`, `feedforward`, `sgd`, `update_mini_batch`, `evaluate` |
//! | [`backprop`] | `backprop` by hand: the four equations of chapter 2 |
//! | [`cost`] | quadratic, cross-entropy and log-likelihood cost |
//! | `neuron.rs` | activation functions and their derivatives, by hand |
//! | [`architecture`] | what a network is made of: sizes, activation, cost, initial weights, dropout, precision |
//! | [`mini_batches`] | mini-batches, in a new order each epoch |
//! | [`distort`] | training images rotated, stretched and bent on the fly |
//! | [`config`] | every setting of a training run, and the presets |
//! | [`normalise`] | converts your own picture to MNIST's format |
//! | [`photo`] | reads picture files |
//! | [`reading`] | what a network reads in a picture |
//! | [`images`], [`test_report`] | the images of a run, and how well a network reads them |
//! | [`inspect`] | one step with every value under its name |
//! | [`training`] | training runs, new or resumed |
//!
//! ```
//! use m2g_digits::{MiniBatch, Network};
//! use m2g_core::Tensor;
//!
//! let mut network = Network::<f32>::new(&[4, 3, 2])?;
//! let mini_batch = MiniBatch {
//!     x: Tensor::from_vec(&[1, 4], vec![0.0, 0.5, 1.0, 0.5])?, // (B, pixels)
//!     y: Tensor::from_vec(&[1, 2], vec![1.0, 0.0])?,           // (B, classes)
//! };
//! let before = network.update_mini_batch(&mini_batch, 3.0)?;
//! let after = network.update_mini_batch(&mini_batch, 3.0)?;
//! assert!(after < before);
//! # Ok::<(), m2g_core::Error>(())
//! ```

pub mod architecture;
pub mod backprop;
pub mod config;
pub mod cost;
pub mod distort;
pub mod images;
pub mod inspect;
pub mod mini_batches;
pub mod network;
mod neuron;
pub mod normalise;
pub mod photo;
pub mod reading;
pub mod test_report;
pub mod training;

pub use architecture::{Architecture, Backprop, Initialisation};
pub use config::Config;
pub use cost::Cost;
pub use mini_batches::{MiniBatch, MiniBatches};
pub use network::Network;
