//! The handwritten-digit network of Nielsen's book, on the shared core.

pub mod distort;
