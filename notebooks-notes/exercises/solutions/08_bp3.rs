use m2g_exercises::{Matrix, answer};

/// delta (B, N) -> dC/db (N)
fn bp3(delta: &Matrix) -> Vec<f64> {
    let mut sum = vec![0.0; delta.cols];
    for i in 0..delta.rows {
        for j in 0..delta.cols {
            sum[j] += delta[(i, j)];
        }
    }
    sum
}

fn main() {
    answer(|input| bp3(&input.matrix()));
}
