use m2g_exercises::{Matrix, answer};

/// (B, V) -> (B, V), each row sums to 1
fn softmax(z: &Matrix) -> Matrix {
    let mut p = z.clone();
    for i in 0..z.rows {
        let max = z.row(i).iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for j in 0..z.cols {
            p[(i, j)] = (z[(i, j)] - max).exp();
            sum += p[(i, j)];
        }
        for j in 0..z.cols {
            p[(i, j)] /= sum;
        }
    }
    p
}

fn main() {
    answer(|input| softmax(&input.matrix()));
}
