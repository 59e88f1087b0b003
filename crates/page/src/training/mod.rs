//! A training that the page has started: an ordinary run, which a person can slow down, stop and look into.
//!
//! It is the session of the command line, with an observer that waits between two steps while the training is
//! paused. Nothing of it changes a number: the run has the same bits as one from the command line.
//!
//! | file | holds |
//! | --- | --- |
//! | `one` | one training: its control, its view, its values |
//! | `curve` | its losses and evaluations until now |
//! | `eye` | its observer, which waits while it is paused |
//! | `images` | the images of digit networks |
//! | `start` | new and resumed trainings |
//! | `all` | the training in progress |

mod all;
mod curve;
mod eye;
mod images;
mod one;
mod start;

pub use all::Trainings;
pub use one::Speed;
pub use start::Order;
