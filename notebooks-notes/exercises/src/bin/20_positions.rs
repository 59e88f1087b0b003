//! # Positions with sine and cosine
//!
//! The Transformer of 2017 does not learn its positions. Each pair of columns is a hand of a clock;
//! the first turns fast, the later ones ever more slowly:
//!
//!     PE[p, 2i]     = sin(p / 10000^(2i/C))
//!     PE[p, 2i + 1] = cos(p / 10000^(2i/C))
//!
//! A shift by k turns every hand by a fixed angle: that is why the table can express distances.
//! `10000_f64.powf(x)` is 10000^x; `j % 2 == 0` holds for even j; `j - j % 2` is 2i for every j.

use m2g_exercises::{Matrix, answer};

/// T positions, C columns -> (T, C)
fn positions(t: usize, c: usize) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| positions(input.count(), input.count()));
}
