//! Measures how fast this machine multiplies matrices and copies memory: the limits of training.

use std::hint::black_box;
use std::time::{Duration, Instant};

use m2g_core::{Accumulate, Error, Mat, Precision, matmul, threads};
use serde::Serialize;

/// Rows and columns of a matrix. Three such matrices fit into the cache of most machines.
const MATRIX_SIDE: usize = 512;

/// Bytes per copy, larger than the cache of most machines.
const COPIED_BYTES: usize = 64 << 20;

/// How long each limit is measured.
const MEASURING_TIME: Duration = Duration::from_millis(100);

/// The measured limits of a machine.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limits {
    /// The number of threads.
    pub threads: usize,
    /// GFLOP/s of f32 matrix products.
    pub f32_gflops: f64,
    /// GFLOP/s of bf16 matrix products.
    pub bf16_gflops: f64,
    /// GB/s of copying a large buffer; counts bytes read and bytes written.
    pub copy_gb_per_s: f64,
}

impl Limits {
    /// Measures for 0.3 seconds with this number of threads; 0 means one per core.
    pub fn measure(threads: usize) -> Result<Self, Error> {
        threads::with_threads(threads, || Self {
            threads: threads::current(),
            f32_gflops: product_gflops(Precision::F32, MEASURING_TIME),
            bf16_gflops: product_gflops(Precision::Bf16, MEASURING_TIME),
            copy_gb_per_s: copy_gb_per_s(),
        })
    }

    /// GFLOP/s of matrix products in this precision.
    pub fn gflops(&self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => self.f32_gflops,
            Precision::Bf16 => self.bf16_gflops,
        }
    }
}

/// The GFLOP/s of matrix products that a training run is measured against, found in 50 ms.
pub fn peak(precision: Precision) -> f64 {
    product_gflops(precision, Duration::from_millis(50))
}

/// The highest GFLOP/s of a matrix product in this precision with the current threads, measured
/// for `time`.
fn product_gflops(precision: Precision, time: Duration) -> f64 {
    gflops(product_times(precision, time)[0])
}

/// The median GFLOP/s, which reflects other load on the machine.
pub fn median_product_gflops(precision: Precision, time: Duration) -> f64 {
    let times = product_times(precision, time);
    gflops(times[times.len() / 2])
}

fn gflops(time: Duration) -> f64 {
    2.0 * MATRIX_SIDE.pow(3) as f64 / time.as_secs_f64() / 1e9
}

/// The times of a product, sorted.
fn product_times(precision: Precision, time: Duration) -> Vec<Duration> {
    let (a, b, mut c) = (
        vec![1.0_f32; MATRIX_SIDE * MATRIX_SIDE],
        vec![1.0_f32; MATRIX_SIDE * MATRIX_SIDE],
        vec![0.0_f32; MATRIX_SIDE * MATRIX_SIDE],
    );
    times(time, || {
        matmul(
            Mat::new(&a, (MATRIX_SIDE, MATRIX_SIDE)),
            Mat::new(&b, (MATRIX_SIDE, MATRIX_SIDE)),
            Accumulate::Overwrite,
            &mut c,
            precision,
        )
    })
}

/// The highest GB/s when each thread copies its share of a large buffer.
fn copy_gb_per_s() -> f64 {
    let share = COPIED_BYTES.div_ceil(threads::current());
    let (from, mut to) = (vec![1_u8; COPIED_BYTES], vec![0_u8; COPIED_BYTES]);
    let times = times(MEASURING_TIME, || {
        std::thread::scope(|scope| {
            for (to, from) in to.chunks_mut(share).zip(from.chunks(share)) {
                scope.spawn(|| to.copy_from_slice(from));
            }
        });
        black_box(&to);
    });
    2.0 * COPIED_BYTES as f64 / times[0].as_secs_f64() / 1e9
}

/// The sorted times of `work`, repeated for `time`, at least three times.
fn times(time: Duration, mut work: impl FnMut()) -> Vec<Duration> {
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed() < time || times.len() < 3 {
        let started = Instant::now();
        work();
        times.push(started.elapsed());
    }
    times.sort();
    times
}
