//! # Several heads
//!
//! One head has one set of weights. H heads look at different things at once: each works on its own
//! D = C / H columns of q, k and v. Side by side, their answers are mixed by a last linear layer:
//!
//!     heads  = head(columns h D .. (h + 1) D of q, k, v)  for each h        (T, D)
//!     y      = all heads side by side, times w^T                            (T, C)
//!
//! Given are `head(&q, &k, &v)`, `columns(&m, start, end)` and `side_by_side(&list)`.

use m2g_exercises::given::{columns, head, side_by_side};
use m2g_exercises::{Matrix, answer};

/// q, k, v (T, C), the number of heads H, w (C, C) -> y (T, C)
fn multi_head(q: &Matrix, k: &Matrix, v: &Matrix, n_head: usize, w: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| {
        let (q, k, v, n_head) = (input.matrix(), input.matrix(), input.matrix(), input.count());
        multi_head(&q, &k, &v, n_head, &input.matrix())
    });
}
