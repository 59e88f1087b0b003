use m2g_exercises::given::{sigmoid, sigmoid_prime};
use m2g_exercises::{Matrix, answer};

/// z (B, N), y (B, N) -> delta (B, N)
fn bp1(z: &Matrix, y: &Matrix) -> Matrix {
    let a = sigmoid(z);
    let cost_derivative = (&a - y).scale(1.0 / z.rows as f64);
    cost_derivative.times(&sigmoid_prime(z))
}

fn main() {
    answer(|input| bp1(&input.matrix(), &input.matrix()));
}
