//! Tests of the public interface, in one program.

mod decode;
mod golden;
mod metrics;
mod model;
mod training;
