//! The matrix products of a training step in isolation, compared with PyTorch.
//!
//! `cargo bench --bench products` measures every shape of matrix product in a training step of the
//! smallest GPT (4 layers, width 128, 12 texts of 64: 768 tokens), with one thread and with two. If
//! `python3` has PyTorch, the same products are measured there, in alternating turns. Each product
//! runs over several sets of matrices, so that they are read from memory, as in a step, and not
//! from a cache.

use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use m2g_core::threads::with_threads;
use m2g_core::{Accumulate, Mat, Precision, matmul};

/// Name; rows, inner length and columns; which factor is stored transposed.
const SHAPES: [(&str, [usize; 3], Transposed); 12] = [
    ("qkv", [768, 128, 384], Transposed::B),
    ("projection", [768, 128, 128], Transposed::B),
    ("feed-forward, first", [768, 128, 512], Transposed::B),
    ("feed-forward, second", [768, 512, 128], Transposed::B),
    ("dx of qkv", [768, 384, 128], Transposed::None),
    ("dx of projection", [768, 128, 128], Transposed::None),
    ("dx of the first", [768, 512, 128], Transposed::None),
    ("dx of the second", [768, 128, 512], Transposed::None),
    ("dw of qkv", [384, 768, 128], Transposed::A),
    ("dw of projection", [128, 768, 128], Transposed::A),
    ("dw of the first", [512, 768, 128], Transposed::A),
    ("dw of the second", [128, 768, 512], Transposed::A),
];

#[derive(Clone, Copy, PartialEq)]
enum Transposed {
    None,
    A,
    B,
}

/// Sets of matrices of 1.3 to 2.4 MB each: in all, more than the caches hold.
const SETS: usize = 16;

/// Products per set and turn.
const PRODUCTS_PER_SET: usize = 12;

/// Turns; each measures this crate and then PyTorch.
const TURNS: usize = 5;

fn main() -> anyhow::Result<()> {
    for threads in [1, 2] {
        println!("{threads} thread(s), GFLOP/s: the median of {TURNS} turns (the best)");
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            here.push(with_threads(threads, || {
                SHAPES.map(|(_, shape, transposed)| measure(shape, transposed))
            })?);
            there.extend(pytorch(threads).ok());
        }
        for (i, (name, [m, k, n], _)) in SHAPES.into_iter().enumerate() {
            let (middle, best) = summary(here.iter().map(|turn| turn[i]));
            print!("  {name:20} {m:3} x {k:3} x {n:3} {middle:5.0} ({best:3.0})");
            if there.len() == TURNS {
                let (middle, best) = summary(there.iter().map(|turn| turn[i]));
                let (ratio, _) = summary(here.iter().zip(&there).map(|(here, there)| here[i] / there[i]));
                print!("   PyTorch {middle:5.0} ({best:3.0}), {ratio:.2} times as fast");
            }
            println!();
        }
    }
    Ok(())
}

/// The speed of a product in this crate, in GFLOP/s.
fn measure([m, k, n]: [usize; 3], transposed: Transposed) -> f64 {
    let matrices = |length: usize| -> Vec<Vec<f32>> {
        let value = |set, i| ((i + set) as f32 * 0.37).sin();
        (0..SETS).map(|set| (0..length).map(|i| value(set, i)).collect()).collect()
    };
    let (a, b, mut c) = (matrices(m * k), matrices(k * n), vec![vec![0.0; m * n]; SETS]);
    let mut seconds = Vec::new();
    for _ in 0..PRODUCTS_PER_SET {
        for set in 0..SETS {
            let a = match transposed {
                Transposed::A => Mat::new(&a[set], (k, m)).t(),
                _ => Mat::new(&a[set], (m, k)),
            };
            let b = match transposed {
                Transposed::B => Mat::new(&b[set], (n, k)).t(),
                _ => Mat::new(&b[set], (k, n)),
            };
            let started = Instant::now();
            matmul(a, b, Accumulate::Overwrite, &mut c[set], Precision::F32);
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    2.0 * (m * k * n) as f64 / summary(seconds.into_iter()).0 / 1e9
}

/// The speed of `torch.mm` for all shapes, in GFLOP/s.
fn pytorch(threads: usize) -> anyhow::Result<Vec<f64>> {
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("peers/products_torch.py")]);
    python.args([threads, SETS, PRODUCTS_PER_SET].map(|x| x.to_string()));
    for (_, shape, transposed) in SHAPES {
        python.arg(match transposed {
            Transposed::None => "nn",
            Transposed::A => "tn",
            Transposed::B => "nt",
        });
        python.args(shape.map(|x| x.to_string()));
    }
    let output = String::from_utf8(python.output()?.stdout)?;
    let seconds = output.lines().map(|line| line.parse::<f64>().context("PyTorch gave no time"));
    let speeds = seconds.zip(SHAPES).map(|(s, (_, [m, k, n], _))| Ok(2.0 * (m * k * n) as f64 / s? / 1e9));
    let speeds = speeds.collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(speeds.len() == SHAPES.len(), "PyTorch did not measure all products");
    Ok(speeds)
}

/// The median, of an even number of values the upper of the two in the middle, and the largest value.
fn summary(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[values.len() - 1])
}
