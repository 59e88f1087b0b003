//! Tests of whole distortions on images.

#![allow(clippy::unwrap_used)]

use super::*;
use affine::Drawn;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha8Rng};

const NO_AFFINE: Affine = Affine { shift: 0.0, rotate: 0.0, scale: 0.0, shear: 0.0 };

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn noise(rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    let mut image = vec![0; rows * cols];
    rng(seed).fill_bytes(&mut image);
    image
}

/// A smooth round blot in the centre, like a stroke, on a dark border.
fn blot(rows: usize, cols: usize) -> Vec<u8> {
    let mut image = Vec::new();
    for row in 0..rows {
        for col in 0..cols {
            let y = row as f32 - (rows - 1) as f32 / 2.0;
            let x = col as f32 - (cols - 1) as f32 / 2.0;
            image.push((255.0 * (-(x * x + y * y) / 18.0).exp()) as u8);
        }
    }
    image
}

fn unit(image: &[u8]) -> Vec<f32> {
    image.iter().map(|&pixel| f32::from(pixel) / 255.0).collect()
}

fn distorted(distort: Distort, image: &[u8], rows: usize, cols: usize, seed: u64) -> Vec<f32> {
    let mut out = vec![f32::NAN; rows * cols];
    let distorter = Distorter::new(distort, rows, cols).unwrap().unwrap();
    distorter.apply(image, &mut rng(seed), &mut Scratch::default(), &mut out);
    out
}

/// The image, distorted with the given parameters.
fn with_parameters(drawn: Drawn, image: &[u8], rows: usize, cols: usize) -> Vec<f32> {
    let origin = drawn.origin(rows, cols);
    let mut canvas = Canvas::default();
    canvas.load(image, rows, cols);
    let (mut x, mut y) = (vec![0.0; cols], vec![0.0; cols]);
    let mut out = vec![f32::NAN; rows * cols];
    for (row, out) in out.chunks_exact_mut(cols).enumerate() {
        origin.row(row, &mut x, &mut y);
        canvas.sample(&x, &y, out);
    }
    out
}

fn assert_close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance, "pixel {i}: {got}, not {want}");
    }
}

#[test]
fn zero_ranges_keep_every_bit_and_none_has_no_distorter() {
    assert!(Distorter::new(Distort::None {}, 28, 28).unwrap().is_none());
    let still = Elastic { alpha: 0.0, sigma: 4.0 };
    for (rows, cols) in [(28, 28), (27, 14), (1, 1), (1, 5)] {
        let image = noise(rows, cols, 1);
        for distort in [Distort::Affine(NO_AFFINE), Distort::Elastic { affine: NO_AFFINE, elastic: still }] {
            assert_eq!(distorted(distort, &image, rows, cols, 2), unit(&image));
        }
    }
}

#[test]
fn a_shift_moves_pixels_right_and_down() {
    let image = [
        1, 2, 3, //
        4, 5, 6,
    ];
    let drawn = Drawn { shift: [1.0, 0.0], ..Drawn::default() };
    assert_eq!(with_parameters(drawn, &image, 2, 3), unit(&[0, 1, 2, 0, 4, 5]));
    let drawn = Drawn { shift: [-1.0, 1.0], ..Drawn::default() };
    assert_eq!(with_parameters(drawn, &image, 2, 3), unit(&[0, 0, 0, 2, 3, 0]));
}

#[test]
fn rotating_by_90_degrees_is_anticlockwise() {
    let image = noise(28, 28, 3);
    let mut rotated = vec![0; 28 * 28];
    for row in 0..28 {
        for col in 0..28 {
            rotated[(27 - col) * 28 + row] = image[row * 28 + col];
        }
    }
    let drawn = Drawn { rotate: 90.0, ..Drawn::default() };
    assert_close(&with_parameters(drawn, &image, 28, 28), &unit(&rotated), 1e-4);
}

#[test]
fn a_shear_leans_right_and_a_scale_widens() {
    let column = [0, 9, 0, 0, 9, 0, 0, 9, 0];
    let drawn = Drawn { shear: 1.0, ..Drawn::default() };
    let leaning = unit(&[0, 0, 9, 0, 9, 0, 9, 0, 0]);
    assert_close(&with_parameters(drawn, &column, 3, 3), &leaning, 1e-6);
    let drawn = Drawn { scale: [1.0, 0.0], ..Drawn::default() };
    let wide = with_parameters(drawn, &[0, 0, 8, 0, 0], 1, 5);
    assert_close(&wide, &unit(&[0, 4, 8, 4, 0]), 1e-6);
}

#[test]
fn ink_is_roughly_conserved() {
    let image = blot(28, 28);
    let ink: f32 = unit(&image).iter().sum();
    let rotation = Affine { rotate: 45.0, shear: 0.3, shift: 2.0, ..NO_AFFINE };
    for seed in 0..50 {
        let out = distorted(Distort::Affine(rotation), &image, 28, 28, seed);
        let rest = out.iter().sum::<f32>() / ink;
        assert!((rest - 1.0).abs() < 0.03, "seed {seed}: {rest} of the ink");
    }
    // Bending stretches in one place and compresses in another: right only on average.
    let mean = (0..200)
        .map(|seed| distorted("elastic".parse().unwrap(), &image, 28, 28, seed))
        .map(|out| out.iter().sum::<f32>() / ink / 200.0)
        .sum::<f32>();
    assert!((mean - 1.0).abs() < 0.1, "{mean} of the ink on average");
}

#[test]
fn a_batch_has_the_same_bits_for_any_number_of_threads() {
    let images: Vec<Vec<u8>> = (0..67).map(|i| noise(28, 28, i)).collect();
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    let distort: Distort = "elastic".parse().unwrap();
    let one_by_one: Vec<f32> =
        (0u64..).zip(&images).flat_map(|(i, image)| distorted(distort, image, 28, 28, i)).collect();
    for threads in [1, 2, 5, 5] {
        let mut out = vec![f32::NAN; images.len() * 28 * 28];
        let distorter = Distorter::new(distort, 28, 28).unwrap().unwrap();
        m2g_core::threads::with_threads(threads, || {
            distorter.apply_batch(&images, |i| rng(i as u64), &mut out);
        })
        .unwrap();
        assert!(out == one_by_one, "{threads} threads");
    }
    let again = distorted(distort, images[0], 28, 28, 1);
    assert!(again != one_by_one[..28 * 28], "another stream, another distortion");
}

#[test]
fn bad_values_are_refused_in_one_sentence() {
    let refused = |affine: Affine, elastic: Elastic| {
        Distorter::new(Distort::Elastic { affine, elastic }, 28, 28).unwrap_err().to_string()
    };
    let (affine, elastic) = (Affine::default(), Elastic::default());
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.1, 1e9] {
        for (name, affine, elastic) in [
            ("shift", Affine { shift: bad, ..affine }, elastic),
            ("rotate", Affine { rotate: bad, ..affine }, elastic),
            ("scale", Affine { scale: bad, ..affine }, elastic),
            ("shear", Affine { shear: bad, ..affine }, elastic),
            ("alpha", affine, Elastic { alpha: bad, ..elastic }),
            ("sigma", affine, Elastic { sigma: bad, ..elastic }),
        ] {
            let sentence = refused(affine, elastic);
            assert!(sentence.contains(&format!("{name} is {bad:?}; give")), "{sentence}");
        }
    }
    assert_eq!(
        refused(affine, Elastic { sigma: 0.0, ..elastic }),
        "distort: sigma is 0.0; give a number from 0.5 to 100 (pixels)"
    );
    for (rows, cols) in [(0, 28), (28, 0), (28, 1025), (usize::MAX, usize::MAX)] {
        let error = Distorter::new(Distort::Affine(NO_AFFINE), rows, cols).unwrap_err();
        assert_eq!(error, DistortError::Size { rows, cols });
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for name in NAMES {
        let distort: Distort = name.parse().unwrap();
        assert_eq!(distort.to_string(), name);
        assert!(Distorter::new(distort, 28, 28).is_ok());
        let text = toml::to_string(&distort).unwrap();
        assert_eq!(toml::from_str::<Distort>(&text).unwrap(), distort, "{text}");
        let bare = toml::from_str::<Distort>(&format!("kind = '{name}'")).unwrap();
        assert_eq!(bare, distort, "missing keys have defaults");
    }
    assert_eq!(
        "elastik".parse::<Distort>().unwrap_err().to_string(),
        "no distortion is called \"elastik\"; choose none, affine or elastic"
    );
    for text in [
        "kind = 'none'\naffine.rotate = 3.0",
        "kind = 'affine'\nrotat = 3.0",
        "kind = 'elastic'\nelastic.alfa = 3.0",
        "kind = 'elastic'\nrotate = 3.0",
        "kind = 'elastik'",
    ] {
        assert!(toml::from_str::<Distort>(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn brightness_stays_in_range_for_any_size_and_strength(
        rows in 1usize..=40,
        cols in 1usize..=40,
        affine in (0f32..=28.0, 0f32..=180.0, 0f32..=0.9, 0f32..=2.0),
        alpha in 0f32..=1000.0,
        sigma in 0.5f32..=100.0,
        seed: u64,
    ) {
        let affine = Affine { shift: affine.0, rotate: affine.1, scale: affine.2, shear: affine.3 };
        let image = noise(rows, cols, seed);
        for distort in [
            Distort::Affine(affine),
            Distort::Elastic { affine, elastic: Elastic { alpha, sigma } },
        ] {
            let out = distorted(distort, &image, rows, cols, seed);
            prop_assert!(out.iter().all(|v| (0.0..=1.000_001).contains(v)));
        }
    }
}
