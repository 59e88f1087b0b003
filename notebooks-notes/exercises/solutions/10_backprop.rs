use m2g_exercises::given::{add_to_rows, sigmoid, sigmoid_prime, sum_of_rows};
use m2g_exercises::{Matrix, answer};

/// weights (N, K), biases (N) per layer, x (B, K), y (B, N) -> nabla_b, nabla_w
fn backprop(weights: &[Matrix], biases: &[Vec<f64>], x: &Matrix, y: &Matrix) -> (Vec<Vec<f64>>, Vec<Matrix>) {
    let layers = weights.len();
    let mut activations = vec![x.clone()]; // (B, K) of each layer
    let mut zs = Vec::new(); // (B, N) of each layer
    for l in 0..layers {
        let z = add_to_rows(&activations[l].matmul(&weights[l].transpose()), &biases[l]);
        activations.push(sigmoid(&z));
        zs.push(z);
    }
    let cost_derivative = (&activations[layers] - y).scale(1.0 / x.rows as f64);
    let mut delta = cost_derivative.times(&sigmoid_prime(&zs[layers - 1])); // BP1
    let (mut nabla_b, mut nabla_w) = (Vec::new(), Vec::new());
    for l in (0..layers).rev() {
        nabla_b.push(sum_of_rows(&delta)); // BP3
        nabla_w.push(delta.transpose().matmul(&activations[l])); // BP4
        if l > 0 {
            delta = delta.matmul(&weights[l]).times(&sigmoid_prime(&zs[l - 1])); // BP2
        }
    }
    nabla_b.reverse();
    nabla_w.reverse();
    (nabla_b, nabla_w)
}

fn main() {
    answer(|input| backprop(&input.matrices(), &input.rows(), &input.matrix(), &input.matrix()));
}
