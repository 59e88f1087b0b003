use m2g_exercises::given::{add_to_rows, columns};
use m2g_exercises::{Matrix, answer};

/// x (T, C), w (3C, C), b (3C) -> q, k, v, each (T, C)
fn qkv(x: &Matrix, w: &Matrix, b: &[f64]) -> (Matrix, Matrix, Matrix) {
    let z = add_to_rows(&x.matmul(&w.transpose()), b); // (T, 3C)
    let c = x.cols;
    (columns(&z, 0, c), columns(&z, c, 2 * c), columns(&z, 2 * c, 3 * c))
}

fn main() {
    answer(|input| qkv(&input.matrix(), &input.matrix(), &input.numbers()));
}
