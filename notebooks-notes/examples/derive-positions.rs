//! Sines and cosines as positions: a shift is a rotation.

use m2g_core::Tensor;
use m2g_core::nn::sinusoidal;

fn main() {
    let (t, c) = (20, 4);
    let table: Tensor<f64> = sinusoidal(0, t, c, 10_000.0); // (T, C)
    written_out(&table);
    a_shift_is_a_rotation(&table);
    only_the_distance_counts(&table);
}

fn written_out(table: &Tensor<f64>) {
    println!("# Written out");
    for (position, row) in table.data().chunks(4).take(6).enumerate() {
        println!("position {position}: {:+.4} {:+.4} {:+.4} {:+.4}", row[0], row[1], row[2], row[3]);
    }
}

fn a_shift_is_a_rotation(table: &Tensor<f64>) {
    println!("# A shift is a rotation");
    let row = |p: usize| &table.data()[4 * p..4 * p + 4];
    let k = 3; // positions further
    for i in 0..2 {
        let angle = k as f64 / 10_000_f64.powf(2.0 * i as f64 / 4.0); // k w_i: the same for every p
        let (cos, sin) = (angle.cos(), angle.sin());
        println!("pair {i}: [{cos:.4} {sin:+.4}; {:+.4} {cos:+.4}]", -sin);
        for p in 0..17 {
            let (s, c) = (row(p)[2 * i], row(p)[2 * i + 1]); // where the hand stands at p
            let turned = [cos * s + sin * c, -sin * s + cos * c];
            let later = &row(p + k)[2 * i..2 * i + 2]; // where it stands at p + k
            assert!((turned[0] - later[0]).abs() < 1e-12 && (turned[1] - later[1]).abs() < 1e-12);
        }
    }
    println!("these two matrices turn every row p into row p + 3");
}

fn only_the_distance_counts(table: &Tensor<f64>) {
    println!("# Only the distance counts");
    let row = |p: usize| &table.data()[4 * p..4 * p + 4];
    let dot = |p: usize, q: usize| row(p).iter().zip(row(q)).map(|(a, b)| a * b).sum::<f64>();
    for (p, q) in [(2, 2), (2, 5), (10, 13), (16, 19), (0, 12)] {
        println!("row {p} . row {q} = {:.4}", dot(p, q));
    }
}
