use m2g_exercises::given::attention_weights;
use m2g_exercises::{Matrix, answer};

/// q, k, v, dy (T, D) -> dq, dk, dv (T, D)
fn head_backward(q: &Matrix, k: &Matrix, v: &Matrix, dy: &Matrix) -> (Matrix, Matrix, Matrix) {
    let weights = attention_weights(q, k); // p (T, T), with the causal mask
    let dv = weights.transpose().matmul(dy);
    let dp = dy.matmul(&v.transpose());
    let mut ds = dp.times(&weights);
    for i in 0..ds.rows {
        let sum: f64 = ds.row(i).iter().sum();
        for j in 0..ds.cols {
            ds[(i, j)] -= weights[(i, j)] * sum;
        }
    }
    let scale = 1.0 / (q.cols as f64).sqrt();
    (ds.matmul(k).scale(scale), ds.transpose().matmul(q).scale(scale), dv)
}

fn main() {
    answer(|input| head_backward(&input.matrix(), &input.matrix(), &input.matrix(), &input.matrix()));
}
