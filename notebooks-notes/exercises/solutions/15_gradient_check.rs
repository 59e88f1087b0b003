use m2g_exercises::answer;
use m2g_exercises::given::bumpy;

/// f of K numbers, x (K), the step h -> the slope in each direction (K)
fn slopes(f: fn(&[f64]) -> f64, x: &[f64], h: f64) -> Vec<f64> {
    let mut x = x.to_vec();
    let mut slopes = Vec::new();
    for i in 0..x.len() {
        let before = x[i];
        x[i] = before + h;
        let above = f(&x);
        x[i] = before - h;
        let below = f(&x);
        x[i] = before;
        slopes.push((above - below) / (2.0 * h));
    }
    slopes
}

fn main() {
    answer(|input| slopes(bumpy, &input.numbers(), input.number()));
}
