//! The course as the learner meets it: all solutions and planted mistakes are programs that cargo
//! compiles, in one crate, and the grader runs.
#![allow(clippy::unwrap_used)]

mod limits;
mod planted;
mod programs;
