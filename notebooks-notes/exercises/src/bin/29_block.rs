//! # A block
//!
//! A GPT is a stack of blocks. Attention lets the tokens speak, the MLP thinks about each. Both read a
//! normed copy of x and add their result to x: the residual stream goes through untouched.
//!
//!     x = x + attention(norm(x))
//!     x = x + mlp(norm(x))
//!
//! All shapes are (T, C). `norm`, `attention` and `mlp` are functions that you only call.

use m2g_exercises::given::{head, mlp, norm};
use m2g_exercises::{Matrix, answer};

/// x (T, C) -> (T, C)
fn block(x: &Matrix, attention: impl Fn(&Matrix) -> Matrix, mlp: impl Fn(&Matrix) -> Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| {
        let (x, w1, w2) = (input.matrix(), input.matrix(), input.matrix());
        block(&x, |h| head(h, h, h), |h| mlp(h, &w1, &w2))
    });
}
