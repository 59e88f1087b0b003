//! How fast this machine multiplies: what a training is measured against.

use std::time::{Duration, Instant};

use m2g_core::{Mat, Precision, Start, matmul};

/// How long it is measured.
const TIME: Duration = Duration::from_millis(50);

/// Rows and columns of the matrices: three of them fit into the cache.
const N: usize = 512;

/// The most GFLOP/s that a product of f32 matrices reached, with the threads that are in use.
pub fn gflops() -> f64 {
    let (a, b, mut c) = (vec![1.0_f32; N * N], vec![1.0_f32; N * N], vec![0.0_f32; N * N]);
    let begun = Instant::now();
    let mut best = Duration::MAX;
    while begun.elapsed() < TIME {
        let started = Instant::now();
        matmul(Mat::new(&a, (N, N)), Mat::new(&b, (N, N)), Start::Zero, &mut c, Precision::F32);
        best = best.min(started.elapsed());
    }
    2.0 * (N * N * N) as f64 / best.as_secs_f64() / 1e9
}
