use m2g_exercises::{Matrix, answer};

/// scores (T, T) -> weights (T, T)
fn masked_softmax(scores: &Matrix) -> Matrix {
    let mut weights = Matrix::zeros(scores.rows, scores.cols);
    for i in 0..scores.rows {
        let max = scores.row(i).iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if max.is_finite() {
            let sum: f64 = scores.row(i).iter().map(|s| (s - max).exp()).sum();
            for j in 0..scores.cols {
                weights[(i, j)] = (scores[(i, j)] - max).exp() / sum;
            }
        }
    }
    weights
}

fn main() {
    answer(|input| masked_softmax(&input.matrix()));
}
