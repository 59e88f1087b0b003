use m2g_exercises::{Matrix, answer};

/// (B, N) -> (B, N)
fn sigmoid(z: &Matrix) -> Matrix {
    z.map(|z| 1.0 / (1.0 + (-z).exp()))
}

/// (B, N) -> (B, N)
fn sigmoid_prime(z: &Matrix) -> Matrix {
    sigmoid(z).map(|a| a * (1.0 - a))
}

fn main() {
    answer(|input| {
        let z = input.matrix();
        (sigmoid(&z), sigmoid_prime(&z))
    });
}
