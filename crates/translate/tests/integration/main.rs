//! Tests of the public interface, in one program.

mod decode;
mod golden;
mod gradients;
mod metrics;
mod model;
mod together;
mod training;
