//! # Query, key, value
//!
//! From its C numbers, each token makes a query (what I look for), a key (what I offer) and a value
//! (what I pass on). One linear layer makes all three side by side; then they are cut apart:
//!
//!     z = x w^T + b        (T, 3C) = (T, C) (C, 3C) + (3C)
//!     q, k, v = columns 0..C, C..2C, 2C..3C of z
//!
//! Given are `add_to_rows(&m, &b)` and `columns(&m, start, end)`.

use m2g_exercises::given::{add_to_rows, columns};
use m2g_exercises::{Matrix, answer};

/// x (T, C), w (3C, C), b (3C) -> q, k, v, each (T, C)
fn qkv(x: &Matrix, w: &Matrix, b: &[f64]) -> (Matrix, Matrix, Matrix) {
    todo!()
}

fn main() {
    answer(|input| qkv(&input.matrix(), &input.matrix(), &input.numbers()));
}
