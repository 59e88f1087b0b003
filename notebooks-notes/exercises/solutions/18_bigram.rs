use m2g_exercises::{Matrix, answer};

/// tokens (T), the size of the vocabulary V -> (V, V)
fn bigram(tokens: &[usize], vocabulary: usize) -> Matrix {
    let mut p = Matrix::from_fn(vocabulary, vocabulary, |_, _| 1.0);
    for t in 1..tokens.len() {
        p[(tokens[t - 1], tokens[t])] += 1.0;
    }
    for i in 0..vocabulary {
        let sum: f64 = p.row(i).iter().sum();
        for j in 0..vocabulary {
            p[(i, j)] /= sum;
        }
    }
    p
}

fn main() {
    answer(|input| bigram(&input.ids(), input.count()));
}
