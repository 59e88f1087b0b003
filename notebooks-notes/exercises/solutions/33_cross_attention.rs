use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// q (T, D), k, v (S, D), the real length of the source -> y (T, D)
fn cross_attention(q: &Matrix, k: &Matrix, v: &Matrix, length: usize) -> Matrix {
    let mut scores = q.matmul(&k.transpose()).scale(1.0 / (q.cols as f64).sqrt()); // (T, S)
    for i in 0..scores.rows {
        for j in length..scores.cols {
            scores[(i, j)] = f64::NEG_INFINITY;
        }
    }
    softmax(&scores).matmul(v)
}

fn main() {
    answer(|input| cross_attention(&input.matrix(), &input.matrix(), &input.matrix(), input.count()));
}
