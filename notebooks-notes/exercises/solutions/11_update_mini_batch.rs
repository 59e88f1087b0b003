use m2g_exercises::given::backprop_one;
use m2g_exercises::{Matrix, answer};

/// weights (N, K), biases (N) per layer, x (B, K), y (B, N), the learning rate
fn update_mini_batch(weights: &mut [Matrix], biases: &mut [Vec<f64>], x: &Matrix, y: &Matrix, eta: f64) {
    let mut sum_b: Vec<Vec<f64>> = biases.iter().map(|b| vec![0.0; b.len()]).collect();
    let mut sum_w: Vec<Matrix> = weights.iter().map(|w| Matrix::zeros(w.rows, w.cols)).collect();
    for i in 0..x.rows {
        let (nabla_b, nabla_w) = backprop_one(weights, biases, x.row(i), y.row(i));
        for l in 0..sum_b.len() {
            sum_w[l] = &sum_w[l] + &nabla_w[l];
            for n in 0..sum_b[l].len() {
                sum_b[l][n] += nabla_b[l][n];
            }
        }
    }
    let step = eta / x.rows as f64;
    for l in 0..sum_b.len() {
        weights[l] = &weights[l] - &sum_w[l].scale(step);
        for n in 0..sum_b[l].len() {
            biases[l][n] -= step * sum_b[l][n];
        }
    }
}

fn main() {
    answer(|input| {
        let (mut weights, mut biases) = (input.matrices(), input.rows());
        update_mini_batch(&mut weights, &mut biases, &input.matrix(), &input.matrix(), input.number());
        (biases, weights)
    });
}
