//! # The bigram model
//!
//! The simplest language model only looks at the last token. Count how often each token follows each
//! token, and make probabilities of the counts. Every count begins at 1: nothing is impossible:
//!
//!     p[i, j] = (1 + how often j follows i) / (V + how often i is followed)
//!
//! Row i is the distribution of what comes after token i: it sums to 1.

use m2g_exercises::{Matrix, answer};

/// tokens (T), the size of the vocabulary V -> (V, V)
fn bigram(tokens: &[usize], vocabulary: usize) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| bigram(&input.ids(), input.count()));
}
