//! Datasets: lists, finds and downloads them, and verifies and reads their files.
//!
//! | file | holds |
//! | --- | --- |
//! | [`catalogue`] | finds, downloads and verifies a known dataset |
//! | `datasets` | the list of known datasets |
//! | [`fetch`] | downloads |
//! | [`idx`] | the IDX file format, plain or gzip |
//! | `pin` | the SHA-256 by which an original is known |
//! | [`mnist`] | MNIST and datasets like it: labelled images of one size |
//! | `sha256` | checksums of files |

pub mod catalogue;
mod datasets;
mod error;
pub mod fetch;
pub mod idx;
pub mod mnist;
mod pin;
pub(crate) mod sha256;

pub use error::DataError;
pub use pin::Pin;
