use m2g_exercises::answer;

/// w (K), b, x (K) -> a
fn neuron(w: &[f64], b: f64, x: &[f64]) -> f64 {
    let mut z = b;
    for k in 0..w.len() {
        z += w[k] * x[k];
    }
    1.0 / (1.0 + (-z).exp())
}

fn main() {
    answer(|input| neuron(&input.numbers(), input.number(), &input.numbers()));
}
