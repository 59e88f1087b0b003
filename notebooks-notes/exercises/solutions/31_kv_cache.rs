use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// keys, values (t, D), q, k, v (D) -> keys, values (t + 1, D), y (D)
fn step(keys: Matrix, values: Matrix, q: &[f64], k: &[f64], v: &[f64]) -> (Matrix, Matrix, Vec<f64>) {
    let append = |mut cache: Matrix, row: &[f64]| {
        cache.data.extend(row);
        cache.rows += 1;
        cache
    };
    let (keys, values) = (append(keys, k), append(values, v));
    let q = Matrix::new(1, q.len(), q.to_vec());
    let scores = q.matmul(&keys.transpose()).scale(1.0 / (q.cols as f64).sqrt()); // (1, t + 1)
    let y = softmax(&scores).matmul(&values);
    (keys, values, y.data)
}

fn main() {
    answer(|input| {
        let (keys, values) = (input.matrix(), input.matrix());
        step(keys, values, &input.numbers(), &input.numbers(), &input.numbers())
    });
}
