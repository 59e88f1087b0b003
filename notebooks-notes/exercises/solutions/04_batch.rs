use m2g_exercises::{Matrix, answer};

/// x (B, K), w (N, K), b (N) -> z (B, N)
fn batch(x: &Matrix, w: &Matrix, b: &[f64]) -> Matrix {
    let mut z = x.matmul(&w.transpose()); // (B, K) (K, N) -> (B, N)
    for i in 0..z.rows {
        for j in 0..z.cols {
            z[(i, j)] += b[j];
        }
    }
    z
}

fn main() {
    answer(|input| batch(&input.matrix(), &input.matrix(), &input.numbers()));
}
