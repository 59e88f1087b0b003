//! # Sampling with temperature and top-k
//!
//! A GPT gives logits for the next token. To write, draw one. The temperature makes it bolder (> 1) or
//! more careful (< 1); top-k keeps the k most likely tokens only:
//!
//!     p = softmax(logits / temperature), over the k largest logits; all others 0
//!
//! Draw with u, uniform in 0..1: the first token at which the sum of p up to it exceeds u. If rounding
//! keeps the sum of all below u, it is the last token with p > 0.

use m2g_exercises::answer;

/// logits (V) -> p (V), which sums to 1
fn probabilities(logits: &[f64], temperature: f64, k: usize) -> Vec<f64> {
    todo!()
}

/// The token that u draws.
fn draw(p: &[f64], u: f64) -> usize {
    todo!()
}

fn main() {
    answer(|input| {
        let p = probabilities(&input.numbers(), input.number(), input.count());
        let token = draw(&p, input.number());
        (p, token)
    });
}
