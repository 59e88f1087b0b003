use m2g_exercises::{Matrix, answer};

/// T positions, C columns -> (T, C)
fn positions(t: usize, c: usize) -> Matrix {
    Matrix::from_fn(t, c, |p, j| {
        let two_i = (j - j % 2) as f64;
        let angle = p as f64 / 10000_f64.powf(two_i / c as f64);
        if j % 2 == 0 { angle.sin() } else { angle.cos() }
    })
}

fn main() {
    answer(|input| positions(input.count(), input.count()));
}
