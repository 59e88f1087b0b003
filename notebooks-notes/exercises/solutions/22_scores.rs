use m2g_exercises::{Matrix, answer};

/// q (T, D), k (T, D) -> (T, T)
fn scores(q: &Matrix, k: &Matrix) -> Matrix {
    q.matmul(&k.transpose()).scale(1.0 / (q.cols as f64).sqrt())
}

fn main() {
    answer(|input| scores(&input.matrix(), &input.matrix()));
}
