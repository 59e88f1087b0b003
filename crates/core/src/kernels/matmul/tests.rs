#![allow(clippy::unwrap_used)]
use std::cell::RefCell;
use std::thread::LocalKey;

use ndarray::ArrayViewMut2;

use super::factor::{Encoding, Factor};
use super::product::Product;
use super::*;
use crate::kernels::isa::{Compiled, Isa, Plain};
use crate::kernels::scratch::{Scratch, thread_buffers};
use crate::kernels::simd::array;
use crate::kernels::transpose::Transpose;
use crate::kernels::{elementwise, gelu};
use crate::threads::with_threads;
use crate::{Number, Precision};

/// Small integers, which bf16 represents too: every order of addition is exact.
fn integers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
}

fn noise(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}

/// The definition, with `a` or `b` transposed where marked.
fn by_definition(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize), (ta, tb): (bool, bool)) -> Vec<f32> {
    let at = |i, p| if ta { a[p * m + i] } else { a[i * k + p] };
    let bt = |p, j| if tb { b[j * k + p] } else { b[p * n + j] };
    let elements = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
    elements.map(|(i, j)| (0..k).map(|p| at(i, p) * bt(p, j)).sum()).collect()
}

fn mats<'a, T: Number>(
    (a, b): (&'a [T], &'a [T]),
    (m, k, n): (usize, usize, usize),
    (ta, tb): (bool, bool),
) -> (Mat<'a, T>, Mat<'a, T>) {
    let a = if ta { Mat::new(a, (k, m)).t() } else { Mat::new(a, (m, k)) };
    (a, if tb { Mat::new(b, (n, k)).t() } else { Mat::new(b, (k, n)) })
}

const LAYOUTS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// Less than a tile, whole tiles, more than a panel, more than a slice.
fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
    const SIZES: [usize; 6] = [1, 2, 6, 7, 33, 130];
    let small = SIZES.iter().flat_map(|&m| SIZES.iter().flat_map(move |&k| SIZES.map(|n| (m, k, n))));
    // In the last two, B is too large for the L2 cache.
    let large = [(5, 1100, 3), (200, 513, 70), (70, 513, 600), (70, 513, 640)];
    small.chain(large).chain([(0, 3, 2), (2, 0, 3), (2, 3, 0)])
}

#[test]
fn agrees_with_the_definition_in_every_layout() {
    for (shape, layout) in shapes().flat_map(|shape| LAYOUTS.map(|layout| (shape, layout))) {
        let (m, k, n) = shape;
        let (a, b, bias) = (integers(m * k, 1), integers(k * n, 2), integers(n, 3));
        let want = by_definition(&a, &b, shape, layout);
        for precision in [Precision::F32, Precision::Bf16] {
            let (a, b) = mats((&a, &b), shape, layout);
            let mut out = vec![9.0; m * n];
            matmul(a, b, Accumulate::Overwrite, &mut out, precision);
            assert_eq!(out, want, "{shape:?}, transposed: {layout:?}, {precision:?}");
            matmul(a, b, Accumulate::Add, &mut out, precision);
            assert!(out.iter().zip(&want).all(|(o, w)| *o == 2.0 * w), "{shape:?} {layout:?} {precision:?}");
            matmul(a, b, Accumulate::Bias(&bias), &mut out, precision);
            let with_bias = want.iter().zip(bias.iter().cycle()).map(|(w, b)| w + b);
            assert!(out.iter().copied().eq(with_bias), "{shape:?} {layout:?} {precision:?}");
            out.fill(3.0);
            matmul(a, b, Accumulate::Multiply, &mut out, precision);
            assert!(out.iter().zip(&want).all(|(o, w)| *o == 3.0 * w), "{shape:?} {layout:?} {precision:?}");
        }
        let double = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let (a, b, mut out) = (double(&a), double(&b), vec![9.0; m * n]);
        let (a, b) = mats((&a[..], &b[..]), shape, layout);
        matmul(a, b, Accumulate::Overwrite, &mut out, Precision::F32);
        assert_eq!(out, double(&want), "{shape:?}, transposed: {layout:?}, f64");
    }
}

#[test]
fn all_available_instruction_sets_agree() {
    let shape = (50, 700, 150);
    let (m, k, n) = shape;
    let (a, b) = (noise(m * k, 0.37), noise(k * n, 0.23));
    let product = |isa, precision, layout| {
        let mut out = vec![0.0; m * n];
        let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
        let (a, b) = mats((&a, &b), shape, layout);
        multiply::with_instructions(Product::new(a, b, Accumulate::Overwrite, view, 1), precision, isa);
        out
    };
    for layout in LAYOUTS {
        let plain = product(Isa::Plain, Precision::F32, layout);
        let rounded = product(Isa::Plain, Precision::Bf16, layout);
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            for (precision, want) in [(Precision::F32, &plain), (Precision::Bf16, &rounded)] {
                let got = product(isa, precision, layout);
                let off = got.iter().zip(want).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
                assert!(off < 1e-4, "{isa:?} {precision:?} {layout:?}: off by {off}");
                // Products of two bf16 are exact: fused and separate multiply-adds give the same
                // result.
                let exact = precision == Precision::Bf16 && !matches!(isa, Isa::Avx512Bf16 | Isa::Amx);
                assert!(!exact || off == 0.0, "{isa:?} {layout:?}: off by {off}");
            }
        }
    }
}

#[test]
fn subnormal_sums_are_zero_with_every_instruction_set() {
    // Each term is 1e-40, and each sum 8e-40.
    let (m, k, n) = (13, 8, 37);
    let (a, b) = (vec![1e-20; m * k], vec![1e-20; k * n]);
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for precision in [Precision::F32, Precision::Bf16] {
            for layout in LAYOUTS {
                let mut out = vec![1.0; m * n];
                let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
                let (a, b) = mats((&a, &b), (m, k, n), layout);
                multiply::with_instructions(
                    Product::new(a, b, Accumulate::Overwrite, view, 1),
                    precision,
                    isa,
                );
                assert_eq!(out, vec![0.0; m * n], "{isa:?} {precision:?} {layout:?}");
            }
        }
    }
}

/// A factor of two elements, as for the bf16 instruction that not every machine has.
#[derive(Clone, Copy, Default)]
struct Two(f32, f32);

impl Scratch for Two {
    fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>> {
        thread_buffers!(Two)
    }
}

impl Transpose for Two {}

impl Encoding<f32> for Two {
    type Factor = Self;

    const DEPTH: usize = 2;

    fn encode(x: f32, y: f32) -> Self {
        Self(x, y)
    }
    fn as_is(_: &[f32]) -> Option<&[Self]> {
        None
    }
}

impl Factor<f32> for Two {
    fn add_product<I: Compiled, const L: usize>(a: Self, b: [Self; L], sums: [f32; L]) -> [f32; L] {
        array(|l| sums[l] + a.0 * b[l].0 + a.1 * b[l].1)
    }
}

#[test]
fn factors_of_two_elements() {
    let shapes = shapes().filter(|&(m, k, n)| m * k * n > 0).chain([(40, 70, 128), (70, 33, 48)]);
    for (shape, layout) in shapes.flat_map(|shape| LAYOUTS.map(|layout| (shape, layout))) {
        let (m, k, n) = shape;
        let (a, b) = (integers(m * k, 1), integers(k * n, 2));
        let want = by_definition(&a, &b, shape, layout);
        for threads in [1, 2] {
            let mut out = vec![9.0; m * n];
            let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
            let (a, b) = mats((&a, &b), shape, layout);
            let product = Product::new(a, b, Accumulate::Overwrite, view, threads);
            with_threads(threads, || product.compute::<Two, Plain, 2, 4>()).unwrap();
            assert_eq!(out, want, "{shape:?}, transposed: {layout:?}, {threads} threads");
        }
    }
}

#[test]
fn bf16_rounds_both_factors() {
    let shape = (20, 300, 70);
    let (m, k, n) = shape;
    let (a, b) = (noise(m * k, 0.37), noise(k * n, 0.23));
    let rounded = |x: &[f32]| x.iter().map(|&x| bf16::widen(bf16::round(x))).collect::<Vec<_>>();
    let want = by_definition(&rounded(&a), &rounded(&b), shape, (false, true));
    let exact = by_definition(&a, &b, shape, (false, true));
    let (a, b) = mats((&a, &b), shape, (false, true));
    let mut out = vec![0.0; m * n];
    matmul(a, b, Accumulate::Overwrite, &mut out, Precision::Bf16);
    let off = |want: &[f32]| out.iter().zip(want).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(off(&want) < 1e-4, "off by {}", off(&want));
    assert!(off(&exact) > 1e-3, "the factors were not rounded");
}

#[test]
fn results_depend_on_neither_the_threads_nor_the_other_rows() {
    let (m, k, n) = (130, 1300, 170);
    let (a, b) = (noise(m * k, 0.37), noise(k * n, 0.23));
    for precision in [Precision::F32, Precision::Bf16] {
        for (ta, tb) in LAYOUTS {
            let product = |a: &[f32], rows, threads| {
                with_threads(threads, || {
                    let mut out = vec![0.0; rows * n];
                    let (a, b) = mats((a, &b), (rows, k, n), (ta, tb));
                    matmul(a, b, Accumulate::Overwrite, &mut out, precision);
                    out
                })
                .unwrap()
            };
            let one = product(&a, m, 1);
            for threads in [2, 3, 5] {
                assert_eq!(one, product(&a, m, threads));
            }
            if !ta {
                // The last rows alone; a single row would take another code path.
                assert_eq!(one[100 * n..], product(&a[100 * k..], m - 100, 2));
            }
        }
    }
}

#[test]
fn an_epilogue_is_applied_once_to_every_finished_element() {
    // Few rows and many; several slices; transposed products; large ones, which threads share.
    let more = [(130, 1300, 170), (200, 64, 256), (300, 20, 300), (250, 20, 300), (50, 600, 3000)];
    for (shape, layout) in shapes().chain(more).flat_map(|shape| LAYOUTS.map(|layout| (shape, layout))) {
        let (m, k, n) = shape;
        let (a, b) = (integers(m * k, 1), integers(k * n, 2));
        let product = by_definition(&a, &b, shape, layout);
        let residual: Vec<_> = (0..m * n).map(|i| (i % 1000) as f32).collect();
        let sum: Vec<_> = product.iter().zip(&residual).map(|(c, x)| x + c).collect();
        let activations = [HiddenActivation::Gelu, HiddenActivation::Relu, HiddenActivation::ReluSquared]
            .map(|function| {
                let (mut slope, mut activation) = (product.clone(), vec![5.0; m * n]);
                match function {
                    HiddenActivation::Gelu => gelu::gelu_and_slope(&mut slope, &mut activation),
                    HiddenActivation::Relu => elementwise::relu_and_slope(&mut slope, &mut activation),
                    HiddenActivation::ReluSquared => {
                        elementwise::relu_squared_and_slope(&mut slope, &mut activation)
                    }
                }
                (function, slope, activation)
            });
        let (a, b) = mats((&a, &b), shape, layout);
        for threads in [1, 2] {
            let run = |epilogue: Epilogue<'_, f32>| {
                let mut out = vec![9.0; m * n];
                with_threads(threads, || {
                    let options = (Precision::F32, RowBits::Free);
                    matmul_with_epilogue(a, b, Accumulate::Overwrite, &mut out, options, epilogue);
                })
                .unwrap();
                out
            };
            assert_eq!(run(Epilogue::None), product, "{shape:?}, transposed: {layout:?}, {threads} threads");
            let out = run(Epilogue::AddResidual { residual: &residual, dropout: None });
            assert_eq!(out, sum, "{shape:?}, transposed: {layout:?}, {threads} threads");
            for (function, slope, activation) in &activations {
                let mut got = vec![5.0; m * n];
                let out = run(Epilogue::Activate { function: *function, activation: &mut got });
                assert_eq!(out, *slope, "{shape:?}, transposed: {layout:?}, {threads} threads");
                assert_eq!(got, *activation, "{shape:?}, transposed: {layout:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn rows_with_gaps() {
    let (m, k, n) = (13, 21, 70);
    let (a, b) = (integers(m * 30, 1), integers(k * 100, 2));
    let cut = |x: &[f32], cols: usize, stride: usize| -> Vec<f32> {
        x.chunks(stride).flat_map(|row| row[..cols].to_vec()).collect()
    };
    let want = by_definition(&cut(&a, k, 30), &cut(&b, n, 100), (m, k, n), (false, false));
    let mut out = vec![7.0; m * 80];
    let mut view = ArrayViewMut2::from_shape((m, 80), &mut out).unwrap();
    let part = view.slice_mut(ndarray::s![.., 5..5 + n]);
    let (a, b) = (Mat::with_row_stride(&a, (m, k), 30), Mat::with_row_stride(&b, (k, n), 100));
    matmul_serial(a, b, Accumulate::Overwrite, part, Precision::F32);
    assert_eq!(view.slice(ndarray::s![.., 5..5 + n]).iter().copied().collect::<Vec<_>>(), want);
    assert!(view.column(4).iter().chain(view.column(5 + n)).all(|&x| x == 7.0));
}

#[test]
fn rounding_to_bf16() {
    let round = |x| bf16::widen(bf16::round(x));
    // 8 bits of precision: between 1 and 2 the distance is 2^-7; ties go to even.
    assert_eq!([1.0, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0].map(round), [1.0, 1.0, 1.0 + 4.0 / 256.0]);
    assert_eq!([-0.0_f32, f32::INFINITY, f32::MAX].map(round), [-0.0, f32::INFINITY, f32::INFINITY]);
    assert!(round(f32::NAN).is_nan() && round(f32::from_bits(0x7f80_0001)).is_nan());
}
