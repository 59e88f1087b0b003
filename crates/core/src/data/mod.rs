//! Datasets: where they are, whether they are whole, and what is in them.
//!
//! | file | holds |
//! | --- | --- |
//! | [`catalogue`] | the datasets that are known by name, and where to look for them |
//! | [`fetch`] | downloads, which are used when they are whole and not before |
//! | [`idx`] | the IDX file format, plain or gzip |
//! | [`mnist`] | MNIST and its kind: images of one size with a label each |

pub mod catalogue;
mod error;
pub mod fetch;
pub mod idx;
pub mod mnist;

pub use error::DataError;
