//! How fast this machine multiplies and copies: what a training is measured against.

use std::hint::black_box;
use std::time::{Duration, Instant};

use m2g_core::{Accumulate, Error, Mat, Precision, matmul, threads};
use serde::Serialize;

/// Rows and columns of the matrices: three of them fit into the cache of most machines.
const N: usize = 512;

/// Bytes that are copied at a time: more than fit into the cache of most machines.
const COPIED: usize = 64 << 20;

/// How long each is measured.
const TIME: Duration = Duration::from_millis(100);

/// What a machine can do at most, as it was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limits {
    /// The threads that were in use.
    pub threads: usize,
    /// GFLOP/s of a product of f32 matrices.
    pub f32_gflops: f64,
    /// The same of factors that are rounded to bf16.
    pub bf16_gflops: f64,
    /// GB/s of copying a large buffer: bytes read and bytes written together.
    pub copy_gb_per_s: f64,
}

impl Limits {
    /// Measures for a third of a second, with so many threads; 0 means one per core.
    pub fn measure(threads: usize) -> Result<Self, Error> {
        threads::with_threads(threads, || Self {
            threads: threads::current(),
            f32_gflops: product_gflops(Precision::F32, TIME),
            bf16_gflops: product_gflops(Precision::Bf16, TIME),
            copy_gb_per_s: copy_gb_per_s(),
        })
    }

    /// GFLOP/s of a product in this precision.
    pub fn gflops(&self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => self.f32_gflops,
            Precision::Bf16 => self.bf16_gflops,
        }
    }
}

/// The most GFLOP/s that a product of f32 matrices, multiplied in this precision, reached in
/// the given time with the threads that are in use.
pub fn product_gflops(precision: Precision, time: Duration) -> f64 {
    gflops(product_times(precision, time)[0])
}

/// The same in the middle of all times, as the machine has it when others use it too.
pub fn usual_product_gflops(precision: Precision, time: Duration) -> f64 {
    let times = product_times(precision, time);
    gflops(times[times.len() / 2])
}

fn gflops(time: Duration) -> f64 {
    2.0 * (N * N * N) as f64 / time.as_secs_f64() / 1e9
}

/// How long a product took each time, the least first.
fn product_times(precision: Precision, time: Duration) -> Vec<Duration> {
    let (a, b, mut c) = (vec![1.0_f32; N * N], vec![1.0_f32; N * N], vec![0.0_f32; N * N]);
    times(time, || {
        matmul(Mat::new(&a, (N, N)), Mat::new(&b, (N, N)), Accumulate::Overwrite, &mut c, precision)
    })
}

/// The most GB/s at which each thread copied its share of a large buffer.
fn copy_gb_per_s() -> f64 {
    let piece = COPIED.div_ceil(threads::current());
    let (from, mut to) = (vec![1_u8; COPIED], vec![0_u8; COPIED]);
    let times = times(TIME, || {
        std::thread::scope(|scope| {
            for (to, from) in to.chunks_mut(piece).zip(from.chunks(piece)) {
                scope.spawn(|| to.copy_from_slice(from));
            }
        });
        black_box(&to);
    });
    2.0 * COPIED as f64 / times[0].as_secs_f64() / 1e9
}

/// How long `work` took each time, as often as it fits into `time`, three times at least; the
/// least first.
fn times(time: Duration, mut work: impl FnMut()) -> Vec<Duration> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < time || times.len() < 3 {
        let started = Instant::now();
        work();
        times.push(started.elapsed());
    }
    times.sort();
    times
}
