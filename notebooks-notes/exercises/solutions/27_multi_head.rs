use m2g_exercises::given::{columns, head, side_by_side};
use m2g_exercises::{Matrix, answer};

/// q, k, v (T, C), the number of heads H, w (C, C) -> y (T, C)
fn multi_head(q: &Matrix, k: &Matrix, v: &Matrix, n_head: usize, w: &Matrix) -> Matrix {
    let d = q.cols / n_head;
    let mut heads = Vec::new();
    for h in 0..n_head {
        let part = |m: &Matrix| columns(m, h * d, (h + 1) * d); // (T, D)
        heads.push(head(&part(q), &part(k), &part(v)));
    }
    side_by_side(&heads).matmul(&w.transpose()) // (T, C) (C, C)
}

fn main() {
    answer(|input| {
        let (q, k, v, n_head) = (input.matrix(), input.matrix(), input.matrix(), input.count());
        multi_head(&q, &k, &v, n_head, &input.matrix())
    });
}
