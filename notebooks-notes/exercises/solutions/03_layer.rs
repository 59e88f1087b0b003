use m2g_exercises::{Matrix, answer};

/// w (N, K), b (N), a (K) -> (N)
fn layer(w: &Matrix, b: &[f64], a: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    for n in 0..w.rows {
        let mut z = b[n];
        for k in 0..w.cols {
            z += w[(n, k)] * a[k];
        }
        out.push(1.0 / (1.0 + (-z).exp()));
    }
    out
}

fn main() {
    answer(|input| layer(&input.matrix(), &input.numbers(), &input.numbers()));
}
