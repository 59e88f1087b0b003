use m2g_exercises::{Matrix, answer};

/// delta (B, N), a (B, K) -> dC/dw (N, K)
fn bp4(delta: &Matrix, a: &Matrix) -> Matrix {
    delta.transpose().matmul(a) // (N, B) (B, K) -> (N, K)
}

fn main() {
    answer(|input| bp4(&input.matrix(), &input.matrix()));
}
