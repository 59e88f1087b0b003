use m2g_exercises::answer;

/// logits (V) -> p (V), which sums to 1
fn probabilities(logits: &[f64], temperature: f64, k: usize) -> Vec<f64> {
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (largest, smallest) = (sorted[0], sorted[k - 1]);
    let weight = |&x: &f64| if x < smallest { 0.0 } else { ((x - largest) / temperature).exp() };
    let mut p: Vec<f64> = logits.iter().map(weight).collect();
    let sum: f64 = p.iter().sum();
    for x in &mut p {
        *x /= sum;
    }
    p
}

/// The token that u draws.
fn draw(p: &[f64], u: f64) -> usize {
    let mut sum = 0.0;
    for i in 0..p.len() {
        sum += p[i];
        if sum > u {
            return i;
        }
    }
    p.iter().rposition(|x| *x > 0.0).unwrap_or(0)
}

fn main() {
    answer(|input| {
        let p = probabilities(&input.numbers(), input.number(), input.count());
        let token = draw(&p, input.number());
        (p, token)
    });
}
