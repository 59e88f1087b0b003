#![allow(clippy::unwrap_used)]
use ndarray::{ArrayViewMut2, s};

use super::model::{Model, add_row};
use super::pack::TileFactor;
use super::plan::{Plan, Tasks};
use super::unit::{LINES, Line, STEP, TILE, TileUnit};
use super::*;
use crate::Precision;
use crate::kernels::gelu;
use crate::kernels::matmul::bf16::{round, widen};
use crate::kernels::matmul::{Epilogue, HiddenActivation, Mat, PackedFactor};
use crate::threads::with_threads;

/// Calls a generic function for the model, and for the processor's tiles if it has them.
macro_rules! with_each_unit {
    ($f:ident($($arg:expr),*)) => {
        $f::<Model>($($arg),*);
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        if crate::kernels::amx::detect().is_ok() {
            $f::<hardware::Amx>($($arg),*);
        }
    };
}

/// Small integers, which bf16 represents too: every order of addition is exact.
fn integers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
}

fn noise(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}

const LAYOUTS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

fn mats<'a>(
    (a, b): (&'a [f32], &'a [f32]),
    (m, k, n): (usize, usize, usize),
    (ta, tb): (bool, bool),
) -> (Mat<'a, f32>, Mat<'a, f32>) {
    let a = if ta { Mat::new(a, (k, m)).t() } else { Mat::new(a, (m, k)) };
    (a, if tb { Mat::new(b, (n, k)).t() } else { Mat::new(b, (k, n)) })
}

/// Plans with little work per task, so that small products have several tasks and slices.
fn plans() -> impl Iterator<Item = Plan> {
    let tasks = [Tasks::Rows, Tasks::Columns].into_iter();
    tasks.flat_map(|tasks| {
        [(1, 1, 1, 0), (2, 3, 3, 2), (3, 100, 8, 6)].map(move |(strips, steps, next_rows, ahead_lines)| {
            Plan { tasks, strips, steps, next_rows, ahead_lines }
        })
    })
}

/// Sizes around one tile, one strip and one step, and larger ones.
fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
    const SIZES: [usize; 5] = [1, 15, 32, 33, 70];
    let small = SIZES.iter().flat_map(|&m| SIZES.iter().flat_map(move |&k| SIZES.map(|n| (m, k, n))));
    small.chain([(5, 1100, 3), (200, 113, 70), (40, 2100, 70), (20, 40, 400)])
}

fn agrees_with_the_definition<U: TileUnit>() {
    for (shape, layout) in shapes().flat_map(|shape| LAYOUTS.map(|layout| (shape, layout))) {
        let (m, k, n) = shape;
        let (a, b, bias) = (integers(m * k, 1), integers(k * n, 2), integers(n, 3));
        let at = |i, p| if layout.0 { a[p * m + i] } else { a[i * k + p] };
        let bt = |p, j| if layout.1 { b[j * k + p] } else { b[p * n + j] };
        let elements = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
        let sums: Vec<f32> = elements.map(|(i, j)| (0..k).map(|p| at(i, p) * bt(p, j)).sum()).collect();
        let (a, b) = mats((&a, &b), shape, layout);
        for (accumulate, of) in [
            (Accumulate::Overwrite, (|_, _, sum| sum) as fn(f32, f32, f32) -> f32),
            (Accumulate::Add, |out, _, sum| out + sum),
            (Accumulate::Bias(&bias), |_, bias, sum| bias + sum),
            (Accumulate::Multiply, |out, _, sum| out * sum),
        ] {
            let mut out = vec![3.0; m * n];
            let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
            compute::<U>(Product::new(a, b, accumulate, view, 1));
            let want = sums.iter().zip(bias.iter().cycle()).map(|(&sum, &bias)| of(3.0, bias, sum));
            assert!(out.iter().copied().eq(want), "{shape:?}, transposed: {layout:?}, {accumulate:?}");
        }
    }
}

#[test]
fn products_of_every_layout_agree_with_the_definition() {
    with_each_unit!(agrees_with_the_definition());
}

/// The product of noise, computed by the model of the instruction alone.
fn by_the_model(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
    let at = |i: usize, p: usize| if p < k { round(a[i * k + p]) } else { 0 };
    let bt = |p: usize, j: usize| if p < k && j < n { round(b[p * n + j]) } else { 0 };
    let mut out = vec![0.0; m * n];
    for (i, row) in out.chunks_exact_mut(n).enumerate() {
        for (tile, out) in row.chunks_mut(TILE).enumerate() {
            let mut sums = [0.0; TILE];
            for step in (0..k).step_by(STEP) {
                let a = Line(std::array::from_fn(|p| at(i, step + p)));
                let pair = |r: usize, c: usize| bt(step + 2 * r + c % 2, tile * TILE + c / 2);
                let b = std::array::from_fn(|r| Line(std::array::from_fn(|c| pair(r, c))));
                add_row(&mut sums, &a, &b);
            }
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
    out
}

fn every_plan_gives_the_bits_of_the_model<U: TileUnit>() {
    let shape = (100, 700, 90);
    let (m, k, n) = shape;
    let (a, b) = (noise(m * k, 0.37), noise(k * n, 0.23));
    let want = by_the_model(&a, &b, shape);
    let (a, b) = mats((&a, &b), shape, (false, false));
    let (width, factors) = packed::<U>(b);
    let packed_b = PackedFactor { shape: (k, n), precision: Precision::Bf16, width, factors };
    for threads in [1, 2, 5] {
        for plan in plans().chain([Plan::new(shape, threads)]) {
            let mut out = vec![9.0; m * n];
            let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
            let product = Product::new(a, b, Accumulate::Overwrite, view, threads);
            with_threads(threads, || compute_by::<U>(product, plan)).unwrap();
            assert_eq!(out, want, "{threads} threads, {plan:?}");

            let mut out = vec![9.0; m * n];
            let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
            let b = b.with_packed(Some(&packed_b), Precision::Bf16);
            let product = Product::new(a, b, Accumulate::Overwrite, view, threads);
            with_threads(threads, || compute_by::<U>(product, plan)).unwrap();
            assert_eq!(out, want, "{threads} threads, {plan:?}, B packed before");
        }
    }
}

#[test]
fn every_plan_and_any_number_of_threads_give_the_bits_of_the_model() {
    with_each_unit!(every_plan_gives_the_bits_of_the_model());
}

fn an_epilogue_is_applied_once<U: TileUnit>() {
    let shape = (100, 70, 90);
    let (m, k, n) = shape;
    let (a, b) = (integers(m * k, 1), integers(k * n, 2));
    let mut slope = by_the_model(&a, &b, shape);
    let mut want = vec![0.0; m * n];
    gelu::gelu_and_slope(&mut slope, &mut want);
    let (a, b) = mats((&a, &b), shape, (false, false));
    for plan in plans() {
        let (mut out, mut activation) = (vec![9.0; m * n], vec![5.0; m * n]);
        let mut epilogue = RemainingEpilogue::new(Epilogue::Activate {
            function: HiddenActivation::Gelu,
            activation: &mut activation,
        });
        let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
        let mut product = Product::new(a, b, Accumulate::Overwrite, view, 2);
        product.epilogue = Some(&mut epilogue);
        compute_by::<U>(product, plan);
        epilogue.apply_to_rest(&mut out);
        assert!(out == slope && activation == want, "{plan:?}");
    }
}

#[test]
fn an_epilogue_is_applied_once_to_every_element() {
    with_each_unit!(an_epilogue_is_applied_once());
}

fn a_part_of_the_output<U: TileUnit>() {
    let shape = (50, 40, 70);
    let (m, k, n) = shape;
    let (a, b) = (integers(m * k, 1), integers(k * n, 2));
    let want = by_the_model(&a, &b, shape);
    let (a, b) = mats((&a, &b), shape, (false, false));
    for plan in plans() {
        let mut out = vec![7.0; m * 80];
        let mut view = ArrayViewMut2::from_shape((m, 80), &mut out).unwrap();
        let part = view.slice_mut(s![.., 5..5 + n]);
        compute_by::<U>(Product::new(a, b, Accumulate::Overwrite, part, 2), plan);
        assert!(view.slice(s![.., 5..5 + n]).iter().eq(&want), "{plan:?}");
        assert!(view.column(4).iter().chain(view.column(5 + n)).all(|&x| x == 7.0), "{plan:?}");
    }
}

#[test]
fn only_the_elements_of_the_output_are_written() {
    with_each_unit!(a_part_of_the_output());
}

fn not_a_number_and_subnormal<U: TileUnit>() {
    let n = 40;
    let mut a = vec![1.0_f32; n * n];
    (a[0], a[n], a[2 * n]) = (f32::NAN, f32::INFINITY, f32::from_bits(1));
    let (b, mut out) = (vec![1.0; n * n], vec![0.0; n * n]);
    let (a, b) = mats((&a, &b), (n, n, n), (false, false));
    let view = ArrayViewMut2::from_shape((n, n), &mut out).unwrap();
    compute::<U>(Product::new(a, b, Accumulate::Overwrite, view, 1));
    assert!(out[..n].iter().all(|x| x.is_nan()) && out[n..2 * n].iter().all(|&x| x == f32::INFINITY));
    assert!(out[2 * n..3 * n].iter().all(|&x| x == 39.0) && out[3 * n..].iter().all(|&x| x == 40.0));
}

#[test]
fn infinities_stay_and_subnormal_numbers_are_zero() {
    with_each_unit!(not_a_number_and_subnormal());
}

#[test]
#[should_panic(expected = "a block of an output")]
fn a_block_beyond_the_output_is_refused() {
    let mut out = [0.0_f32; STRIP * STRIP];
    let view = ArrayViewMut2::from_shape((STRIP, STRIP), &mut out[..]).unwrap();
    let mut strip = OutputStrip::<Model>::new(view, &());
    let (lines, prefetch) = ([Line::default(); LINES], strip.next_block(0));
    strip.multiply((&lines[..], &lines[..]), 1, Accumulate::Overwrite, prefetch);
}

#[test]
#[should_panic(expected = "rows of an output in reverse order")]
fn rows_in_reverse_order_are_refused() {
    let mut out = [0.0_f32; 2 * STRIP];
    let mut view = ArrayViewMut2::from_shape((2, STRIP), &mut out[..]).unwrap();
    OutputStrip::<Model>::new(view.slice_mut(s![..;-1, ..]), &());
}

/// Strip by strip, step by step: where each element must be.
fn packed_by_definition(
    at: impl Fn(usize, usize) -> u16,
    strips: usize,
    steps: usize,
    left: bool,
) -> Vec<Line> {
    let lines = (0..strips).flat_map(|s| (0..steps).flat_map(move |p| (0..LINES).map(move |l| (s, p, l))));
    let line = |(s, p, l): (usize, usize, usize)| {
        Line(std::array::from_fn(|e| match left {
            true => at(s * STRIP + l, p * STEP + e),
            false => at(s * STRIP + l / TILE * TILE + e / 2, p * STEP + l % TILE * 2 + e % 2),
        }))
    };
    lines.map(line).collect()
}

fn packing<U: TileUnit>() {
    for (outer, inner) in [(1, 1), (15, 33), (32, 32), (70, 100), (64, 63)] {
        let x = noise(outer * inner, 0.37);
        let at = |o: usize, i: usize| match o < outer && i < inner {
            true => round(x[o * inner + i]),
            false => 0,
        };
        let across: Vec<f32> = (0..inner * outer).map(|i| x[i % outer * inner + i / outer]).collect();
        let rows = [Mat::new(&x, (outer, inner)), Mat::new(&across, (inner, outer)).t()];
        for (along, rows) in [true, false].into_iter().zip(rows) {
            for left in [true, false] {
                let factor = if left { TileFactor::left(rows) } else { TileFactor::right(rows.t()) };
                let (strips, steps) = (factor.strips(), factor.steps());
                let want = packed_by_definition(at, strips, steps, left);
                let what = format!("{outer} x {inner}, along: {along}, left: {left}");
                for threads in [1, 3] {
                    let mut all = vec![Line([9; STEP]); strips * steps * LINES];
                    factor.pack_all::<U>(&mut all, threads);
                    assert!(all == want, "{what}, {threads} threads");
                }
                let mut last = vec![Line([9; STEP]); LINES];
                factor.pack::<U>(&mut last, strips - 1..strips, steps - 1..steps);
                assert!(last == want[want.len() - LINES..], "{what}, the last step");
            }
        }
    }
}

#[test]
fn packing_puts_every_element_in_its_place() {
    with_each_unit!(packing());
}

/// The instruction against its model, with numbers of one size, of many, and near the smallest.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_model_is_exact() {
    if crate::kernels::amx::detect().is_err() {
        return;
    }
    let mut state = 12345_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for exponents in [126..=127, 107..=147, 60..=68] {
        let span = exponents.end() - exponents.start() + 1;
        let mut number = || {
            let r = random();
            let exponent = exponents.start() + (r >> 32) % span;
            ((r & 1) << 15 | exponent << 7 | (r >> 1) & 0x7f) as u16
        };
        for _ in 0..50 {
            let mut factor = || (0..STRIP * STEP).map(|_| widen(number())).collect::<Vec<_>>();
            let (a, b, c) = (factor(), factor(), factor());
            let [model, tiles] = [true, false].map(|model| {
                let mut out = c.clone();
                let (a, b) = mats((&a, &b), (STRIP, STEP, STRIP), (false, false));
                let view = ArrayViewMut2::from_shape((STRIP, STRIP), &mut out).unwrap();
                let product = Product::new(a, b, Accumulate::Add, view, 1);
                if model {
                    compute::<Model>(product)
                } else {
                    compute::<hardware::Amx>(product)
                }
                out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            });
            assert!(model == tiles, "exponents {exponents:?}");
        }
    }
}
