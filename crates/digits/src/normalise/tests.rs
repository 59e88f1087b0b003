//! Real MNIST images, drawings, simulated photos, and pictures without a digit.
#![allow(clippy::unwrap_used)]

use super::{NormaliseError, PIXELS, normalise};
use proptest::prelude::*;
use std::io::Read;

/// The first `count` images of MNIST's test set.
pub(super) fn mnist(count: usize) -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/mnist/t10k-images-idx3-ubyte.gz");
    let mut bytes = vec![0; 16 + count * PIXELS];
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_exact(&mut bytes).unwrap();
    bytes[16..].chunks(PIXELS).map(<[u8]>::to_vec).collect()
}

/// Mean absolute difference in grey levels.
pub(super) fn difference(a: &[u8], b: &[u8]) -> f64 {
    let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
    sum as f64 / a.len() as f64
}

/// A simulated photo of an image as dark ink on paper: `width` x `height` pixels, with the image
/// enlarged bilinearly to `size` pixels at (`left`, `top`), lit by `light(x, y)` for x and y in
/// 0..=1, with noise of this standard deviation.
struct Photo {
    width: usize,
    height: usize,
    left: f32,
    top: f32,
    size: f32,
    light: fn(f32, f32) -> f32,
    noise: f32,
}

impl Photo {
    fn of(&self, image: &[u8]) -> Vec<u8> {
        let mut state = 1u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let pixel = |x: f32, y: f32| {
            let inside = (0.0..28.0).contains(&x) && (0.0..28.0).contains(&y);
            if inside { f32::from(image[y as usize * 28 + x as usize]) } else { 0.0 }
        };
        let mut photo = Vec::with_capacity(self.width * self.height);
        for y in 0..self.height {
            for x in 0..self.width {
                let u = (x as f32 - self.left) / self.size * 28.0 - 0.5;
                let v = (y as f32 - self.top) / self.size * 28.0 - 0.5;
                let (u0, v0) = (u.floor(), v.floor());
                let (a, b) = (u - u0, v - v0);
                let ink = (1.0 - b) * ((1.0 - a) * pixel(u0, v0) + a * pixel(u0 + 1.0, v0))
                    + b * ((1.0 - a) * pixel(u0, v0 + 1.0) + a * pixel(u0 + 1.0, v0 + 1.0));
                let light = (self.light)(x as f32 / self.width as f32, y as f32 / self.height as f32);
                // The sum of three uniforms of variance 1/12 is nearly normal, with variance 1/4.
                let noise = (uniform() + uniform() + uniform()) * 2.0 * self.noise;
                photo.push((light * (1.0 - 0.8 * ink / 255.0) + noise).round().clamp(0.0, 255.0) as u8);
            }
        }
        photo
    }
}

/// An even scan; a lamp at the right; a dark room with dark corners; the shadow of a hand.
const SCAN: fn(f32, f32) -> f32 = |_, _| 240.0;
const LAMP: fn(f32, f32) -> f32 = |x, y| 90.0 + 130.0 * x + 20.0 * y;
const VIGNETTE: fn(f32, f32) -> f32 = |x, y| 190.0 * (1.0 - 0.9 * ((x - 0.5).powi(2) + (y - 0.5).powi(2)));
const SHADOW: fn(f32, f32) -> f32 = |x, y| if x + 0.5 * y > 0.8 { 110.0 } else { 210.0 };

fn photos() -> Vec<(&'static str, Photo)> {
    let photo = |width, height, size, light, noise| Photo {
        width,
        height,
        left: width as f32 * 0.55 - size / 2.0,
        top: height as f32 * 0.45 - size / 2.0,
        size,
        light,
        noise,
    };
    vec![
        ("scan", photo(300, 400, 250.0, SCAN, 0.0)),
        ("scan, small", photo(56, 56, 56.0, SCAN, 1.0)),
        ("lamp, noise", photo(300, 400, 200.0, LAMP, 8.0)),
        ("lamp, large", photo(1600, 1200, 500.0, LAMP, 12.0)),
        ("lamp, far away", photo(900, 900, 150.0, LAMP, 8.0)),
        ("vignette", photo(600, 600, 300.0, VIGNETTE, 6.0)),
        ("shadow", photo(800, 600, 350.0, SHADOW, 6.0)),
    ]
}

#[test]
fn mnist_itself_comes_back_nearly_unchanged() {
    let images = mnist(500);
    let mut changes = Vec::new();
    for (i, image) in images.iter().enumerate() {
        let once = normalise(image, 28, 28).unwrap();
        changes.push(difference(&once, image));
        let again = difference(&normalise(&once, 28, 28).unwrap(), &once);
        assert!(again < 2.0, "test image {i} changed by {again:.2} the second time");
    }
    let mean = changes.iter().sum::<f64>() / changes.len() as f64;
    assert!(mean < 0.4, "mean change {mean:.3} of 255");
    // A centre of mass between two pixels can be rounded to either: a shift by one.
    let shifted = changes.iter().filter(|&&change| change > 3.0).count();
    assert!(shifted <= 5, "{shifted} of 500 images changed by more than 3 of 255");
}

#[test]
fn photos_of_mnist_digits_come_back_as_the_digits() {
    let images = mnist(6);
    // The distance between different digits; a shift by one pixel costs about 20.
    let strangers: f64 = (1..6).map(|i| difference(&images[i], &images[0])).sum::<f64>() / 5.0;
    assert!(strangers > 35.0, "{strangers}");
    for (name, photo) in photos() {
        let mut total = 0.0;
        for (i, image) in images.iter().enumerate() {
            let found = normalise(&photo.of(image), photo.width, photo.height)
                .unwrap_or_else(|e| panic!("{name}, image {i}: {e}"));
            total += difference(&found, image) / images.len() as f64;
        }
        assert!(total < 13.0, "{name}: {total:.1} grey levels per pixel away from the originals");
    }
}

/// A picture of 300 x 400 pixels with a stroke 60 wide and 280 long.
fn thick_one(paper: u8, ink: u8) -> Vec<u8> {
    let mut gray = vec![paper; 300 * 400];
    for y in 60..340 {
        gray[y * 300 + 120..y * 300 + 180].fill(ink);
    }
    gray
}

#[test]
fn a_thick_one_looks_the_same_dark_on_light_and_light_on_dark() {
    let one = normalise(&thick_one(240, 20), 300, 400).unwrap();
    for (paper, ink) in [(10, 250), (120, 30), (120, 250), (255, 200)] {
        let other = normalise(&thick_one(paper, ink), 300, 400).unwrap();
        let change = difference(&one, &other);
        assert!(change < 1.0, "ink {ink} on paper {paper}: {change}");
    }
    let row = &one[14 * 28..15 * 28];
    assert_eq!(row.iter().filter(|&&v| v > 127).count(), 4, "60 / 280 of 20 pixels: {row:?}");
    assert_eq!(one.iter().step_by(28).max(), Some(&0), "the left margin is empty");
}

#[test]
fn dust_goes_and_the_bar_of_a_five_stays() {
    let mut gray = vec![235; 200 * 200];
    let mut rect = |x: usize, y: usize, w: usize, h: usize| {
        (y..y + h).for_each(|y| gray[y * 200 + x..][..w].fill(40));
    };
    rect(60, 60, 10, 50);
    rect(60, 105, 60, 10);
    rect(115, 105, 10, 50);
    rect(60, 150, 60, 10);
    rect(76, 40, 60, 10); // the bar, apart from the body
    rect(10, 10, 3, 3);
    rect(190, 180, 4, 4);
    let five = normalise(&gray, 200, 200).unwrap();
    let has_ink = |row: &[u8]| row.iter().any(|&v| v > 0);
    let top = five.chunks(28).position(has_ink).unwrap();
    let bottom = (0..28).rfind(|y| has_ink(&five[y * 28..][..28])).unwrap();
    assert_eq!(bottom - top + 1, 20);
    let bar = five.chunks(28).find(|row| row.iter().any(|&v| v > 100)).unwrap();
    assert!(bar.iter().filter(|&&v| v > 100).count() >= 8, "{bar:?}");
    // With the dust, the digit would be half as high as its box.
    assert!(five.iter().filter(|&&v| v > 100).count() > 80);
}

#[test]
fn a_hairline_on_a_large_sheet_becomes_a_stroke() {
    let mut gray = vec![250; 1000 * 1000];
    for y in 100..900 {
        gray[y * 1000 + 500..y * 1000 + 504].fill(60);
    }
    let one = normalise(&gray, 1000, 1000).unwrap();
    let width = one[14 * 28..15 * 28].iter().map(|&v| f32::from(v) / 255.0).sum::<f32>();
    assert!((1.5..2.6).contains(&width), "{width}");
}

#[test]
fn pictures_without_a_digit_are_refused() {
    for level in [0, 77, 255] {
        for (width, height) in [(1, 1), (28, 28), (1, 5000), (300, 400)] {
            let error = normalise(&vec![level; width * height], width, height).unwrap_err();
            assert_eq!(error, NormaliseError::OneColour { level });
            assert!(error.to_string().starts_with("no digit found in the picture"), "{error}");
        }
    }
    let empty = Photo { width: 400, height: 300, left: 0.0, top: 0.0, size: 200.0, light: LAMP, noise: 6.0 };
    let error = normalise(&empty.of(&[0; PIXELS]), 400, 300).unwrap_err();
    assert!(matches!(error, NormaliseError::TooFaint { .. } | NormaliseError::Uneven { .. }), "{error:?}");
}

#[test]
fn a_dark_picture_is_refused_by_its_grey_levels() {
    let faint = normalise(&thick_one(60, 58), 300, 400).unwrap_err();
    assert!(matches!(faint, NormaliseError::TooFaint { difference } if difference <= 2.5), "{faint:?}");
    // A lens cap: the noise of the camera alone.
    let black =
        Photo { width: 400, height: 300, left: 0.0, top: 0.0, size: 9.0, light: |_, _| 12.0, noise: 1.3 };
    let error = normalise(&black.of(&[0; PIXELS]), 400, 300).unwrap_err();
    assert!(matches!(error, NormaliseError::TooFaint { difference } if difference < 6.0), "{error:?}");
}

#[test]
fn sizes_that_do_not_agree_are_refused() {
    for (len, width, height) in [(0, 0, 0), (5, 0, 5), (6, 2, 2), (4, usize::MAX, 2)] {
        let expected = NormaliseError::Size { width, height, len };
        assert_eq!(normalise(&vec![9; len], width, height), Err(expected));
    }
}

#[test]
fn a_strip_of_5000_pixels_is_normalised() {
    let mut strip = vec![200; 5000];
    strip[2000..3000].fill(10);
    for (width, height) in [(1, 5000), (5000, 1)] {
        let image = normalise(&strip, width, height).unwrap();
        assert_eq!(image.iter().max(), Some(&255));
    }
}

proptest! {
    #[test]
    fn any_picture_gives_an_image_or_an_error(
        width in 1usize..70,
        height in 1usize..70,
        bytes in prop::collection::vec(any::<u8>(), 70 * 70),
        levels in 1u8..=255,
    ) {
        let gray: Vec<u8> = bytes[..width * height].iter().map(|b| b / levels * levels).collect();
        if let Ok(image) = normalise(&gray, width, height) {
            prop_assert_eq!(image.iter().max(), Some(&255));
            let ink = |x: usize, y: usize| image[y * 28 + x] > 0;
            let columns = (0..28).filter(|&x| (0..28).any(|y| ink(x, y))).count();
            let rows = (0..28).filter(|&y| (0..28).any(|x| ink(x, y))).count();
            prop_assert!(columns <= 20 && rows <= 20);
        }
    }
}
