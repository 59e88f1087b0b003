use m2g_exercises::{Matrix, answer};

/// a (B, N), y (B, N) -> C
fn cost(a: &Matrix, y: &Matrix) -> f64 {
    let mut sum = 0.0;
    for i in 0..a.data.len() {
        sum += (a.data[i] - y.data[i]).powi(2);
    }
    sum / (2.0 * a.rows as f64)
}

fn main() {
    answer(|input| cost(&input.matrix(), &input.matrix()));
}
