#![allow(clippy::unwrap_used)]
use std::path::Path;

use m2g_core::data::mnist::load_test;
use proptest::prelude::*;

use super::*;

/// A "1" drawn as a thick upright line: `shade(x, y, is ink)` for each pixel.
fn one(width: usize, height: usize, shade: impl Fn(usize, usize, bool) -> f32) -> Vec<u8> {
    let ink = |x: usize, y: usize| x.abs_diff(width / 3) < width / 20 && y > height / 5 && y < height * 4 / 5;
    let pixels = (0..width * height).map(|i| {
        let (x, y) = (i % width, i / width);
        (shade(x, y, ink(x, y)) * 255.0).clamp(0.0, 255.0) as u8
    });
    pixels.collect()
}

/// An upright line of ink in the middle columns, 20 rows high, nothing elsewhere.
fn assert_is_one(image: &[u8; 784]) {
    let at = |row: usize, col: usize| image[row * 28 + col];
    assert!((5..23).all(|row| at(row, 14) > 150 || at(row, 15) > 150), "{image:?}");
    assert!((0..28).all(|row| (0..11).chain(19..28).all(|col| at(row, col) == 0)), "{image:?}");
    assert!((0..28).all(|col| at(3, col) == 0 && at(25, col) == 0));
}

#[test]
fn dark_on_light_and_light_on_dark_are_the_same() {
    let dark = normalise(&one(300, 400, |_, _, ink| if ink { 0.1 } else { 0.9 }), 300, 400).unwrap();
    let light = normalise(&one(300, 400, |_, _, ink| if ink { 0.9 } else { 0.1 }), 300, 400).unwrap();
    assert_is_one(&dark);
    assert!(dark.iter().zip(light).all(|(&d, l)| d.abs_diff(l) <= 2));
}

#[test]
fn shadows_and_noise_of_a_photo_do_not_matter() {
    let noisy = one(600, 800, |x, y, ink| {
        let noise = ((x * 7919 + y * 104_729) % 1000) as f32 / 1000.0 * 0.06;
        let light = 0.9 - 0.4 * x as f32 / 600.0 - 0.1 * (y as f32 / 800.0);
        (if ink { light * 0.35 } else { light }) + noise
    });
    assert_is_one(&normalise(&noisy, 600, 800).unwrap());
}

#[test]
fn a_thin_line_does_not_fade() {
    let mut pixels = vec![255; 200 * 200];
    (30..170).for_each(|y| pixels[y * 200 + 90] = 0);
    let image = normalise(&pixels, 200, 200).unwrap();
    assert!((5..23).all(|row| image[row * 28 + 14].max(image[row * 28 + 15]) > 180));
}

#[test]
fn mnists_own_images_come_back_nearly_unchanged() {
    let test = load_test(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mnist")).unwrap();
    let mut total = 0.0;
    for i in 0..200 {
        let image = normalise(test.image(i), 28, 28).unwrap();
        let difference: u32 = test.image(i).iter().zip(image).map(|(&a, b)| u32::from(a.abs_diff(b))).sum();
        total += f64::from(difference) / 784.0;
    }
    assert!(total / 200.0 < 8.0, "mean difference {} of 255", total / 200.0);
}

#[test]
fn a_picture_without_a_digit_is_refused() {
    for shade in [0, 128, 255] {
        assert_eq!(normalise(&[shade; 900], 30, 30), Err(NormaliseError::Blank));
    }
    assert_eq!(normalise(&[7], 1, 1), Err(NormaliseError::Blank));
    assert_eq!(normalise(&[], 0, 0), Err(NormaliseError::Size { width: 0, height: 0, found: 0 }));
    assert!(normalise(&[1, 2, 3], 2, 2).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_picture_makes_it_panic((w, h) in (1_usize..50, 1_usize..50), seed: u32) {
        let mut x = seed;
        let pixels: Vec<u8> = (0..w * h).map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        }).collect();
        let _ = normalise(&pixels, w, h);
    }
}

#[test]
fn extreme_shapes_are_fine() {
    let mut line = vec![255; 5000];
    line[2000..2500].fill(0);
    assert!(normalise(&line, 1, 5000).is_ok());
    assert!(normalise(&line, 5000, 1).is_ok());
}
