use m2g_exercises::given::sigmoid_prime;
use m2g_exercises::{Matrix, answer};

/// delta (B, N), w (N, K), z (B, K) -> (B, K)
fn bp2(delta: &Matrix, w: &Matrix, z: &Matrix) -> Matrix {
    delta.matmul(w).times(&sigmoid_prime(z)) // (B, N) (N, K) -> (B, K)
}

fn main() {
    answer(|input| bp2(&input.matrix(), &input.matrix(), &input.matrix()));
}
