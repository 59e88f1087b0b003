//! # Embedding
//!
//! A token becomes a row of C numbers that are learned: row `token` of a table. Its position adds
//! another row, of a second table, because attention alone does not see the order:
//!
//!     x[t] = wte[tokens[t]] + wpe[t]        (T, C)
//!
//! wte (V, C) has a row for each token of the vocabulary, wpe a row for each position.

use m2g_exercises::{Matrix, answer};

/// tokens (T), wte (V, C), wpe (at least T, C) -> x (T, C)
fn embed(tokens: &[usize], wte: &Matrix, wpe: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| embed(&input.ids(), &input.matrix(), &input.matrix()));
}
