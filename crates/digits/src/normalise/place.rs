//! Scales and centres ink in 28 x 28 pixels, by the steps that made MNIST from NIST's forms.

use super::area::Area;
use super::components::stroke_width;
use super::mask::Mask;
use super::plane::Plane;

/// The side of the box that a digit is scaled into, in pixels.
const BOX_SIDE: usize = 20;
/// The side of the image, in pixels.
pub const SIDE: usize = 28;
/// The number of pixels of the image, 28 rows of 28 as in MNIST.
pub const PIXELS: usize = SIDE * SIDE;

/// Strokes thinner than this are thickened, in pixels of the 20 x 20 box. A fifth of MNIST's
/// digits have thinner strokes, but a fine pen on a large sheet gives a tenth of that.
const MIN_STROKE_PIXELS: f32 = 2.0;

/// Thickens strokes that would come out hair-thin, crops to the ink, scales it into 20 x 20 while
/// keeping its aspect ratio, and centres it in 28 x 28. `None` if the plane has no ink.
pub(super) fn place(ink: &Plane) -> Option<[u8; PIXELS]> {
    let thick = thickened(ink)?;
    Some(centred(&fitted(&thick.cropped(&area_of(&thick)?))))
}

/// Ink with strokes of at least [`MIN_STROKE_PIXELS`] once scaled.
fn thickened(ink: &Plane) -> Option<Plane> {
    let longest = area_of(ink)?.longest();
    let bits = ink.values.iter().map(|&v| v > 127.0).collect();
    let strokes = Mask { width: ink.width, height: ink.height, bits };
    let width = stroke_width(&strokes.pixels().collect::<Vec<_>>(), &strokes);
    let wanted = MIN_STROKE_PIXELS * longest as f32 / BOX_SIDE as f32;
    // Casting a float to usize saturates at zero: strokes that are wide enough stay.
    let radius = ((wanted - width) / 2.0) as usize;
    Some(if radius == 0 { ink.clone() } else { ink.sliding_max(radius) })
}

/// The box around the ink; `None` without ink.
fn area_of(ink: &Plane) -> Option<Area> {
    let inked = ink.values.iter().enumerate().filter(|&(_, &v)| v >= 0.5);
    Area::around(inked.map(|(pixel, _)| pixel), ink.width)
}

/// Scales so that the longer side becomes 20 pixels.
fn fitted(digit: &Plane) -> Plane {
    let longest = digit.width.max(digit.height);
    let scaled = |side: usize| ((side * BOX_SIDE + longest / 2) / longest).max(1);
    resampled(digit, scaled(digit.width), scaled(digit.height))
}

fn resampled(plane: &Plane, width: usize, height: usize) -> Plane {
    let across = weights(plane.width, width);
    let down = weights(plane.height, height);
    let mut rows = Vec::with_capacity(plane.height * width);
    for row in plane.values.chunks_exact(plane.width) {
        rows.extend(across.iter().map(|taps| taps.iter().map(|&(x, w)| row[x] * w).sum::<f32>()));
    }
    let mut values = Vec::with_capacity(height * width);
    for taps in &down {
        values.extend((0..width).map(|x| taps.iter().map(|&(y, w)| rows[y * width + x] * w).sum::<f32>()));
    }
    Plane { width, height, values }
}

/// For each output pixel, the contributing input pixels and their weights, which sum to 1.
/// Shrinking takes the mean over the interval of input that the pixel covers; growing interpolates
/// linearly between the two nearest centres; the same size copies the pixel.
fn weights(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let ratio = from as f64 / to as f64;
    let last = from - 1;
    (0..to)
        .map(|i| {
            if to > from {
                let centre = ((i as f64 + 0.5) * ratio - 0.5).clamp(0.0, last as f64);
                let left = centre as usize;
                let share = (centre - left as f64) as f32;
                return vec![(left, 1.0 - share), ((left + 1).min(last), share)];
            }
            let (start, end) = (i as f64 * ratio, (i + 1) as f64 * ratio);
            (start as usize..=last)
                .map(|x| (x, (end.min(x as f64 + 1.0) - start.max(x as f64)) / ratio))
                .take_while(|&(_, weight)| weight > 1e-9)
                .map(|(x, weight)| (x, weight as f32))
                .collect()
        })
        .collect()
}

/// Stretches the darkest ink to 255 and shifts the digit by whole pixels until its centre of mass
/// lies within pixel (14, 14), where MNIST has it in all but two of its 70,000 images.
fn centred(digit: &Plane) -> [u8; PIXELS] {
    let (mut mass, mut moment_x, mut moment_y, mut most) = (0.0f64, 0.0, 0.0, 0.0f32);
    for (i, &v) in digit.values.iter().enumerate() {
        mass += f64::from(v);
        moment_x += f64::from(v) * ((i % digit.width) as f64 + 0.5);
        moment_y += f64::from(v) * ((i / digit.width) as f64 + 0.5);
        most = most.max(v);
    }
    let shift = |moment: f64, side: usize| {
        let shift = ((SIDE / 2) as f64 - moment / mass.max(f64::MIN_POSITIVE)).ceil();
        (shift.max(0.0) as usize).min(SIDE - side)
    };
    let (left, top) = (shift(moment_x, digit.width), shift(moment_y, digit.height));
    let mut image = [0; SIDE * SIDE];
    for (i, &v) in digit.values.iter().enumerate() {
        let (x, y) = (left + i % digit.width, top + i / digit.width);
        image[y * SIDE + x] = (v * 255.0 / most.max(f32::MIN_POSITIVE)).round() as u8;
    }
    image
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plane(width: usize, values: &[f32]) -> Plane {
        Plane { width, height: values.len() / width, values: values.to_vec() }
    }

    #[test]
    fn shrinking_averages_areas() {
        // Three pixels to two: each covers one and a half.
        let half = resampled(&plane(3, &[30.0, 60.0, 90.0]), 2, 1);
        assert_eq!(half.values, [40.0, 80.0]);
        let quarter = resampled(&plane(2, &[1.0, 2.0, 3.0, 6.0]), 1, 1);
        assert_eq!(quarter.values, [3.0]);
    }

    #[test]
    fn growing_interpolates_and_the_same_size_changes_nothing() {
        let grown = resampled(&plane(2, &[0.0, 100.0]), 4, 1);
        assert_eq!(grown.values, [0.0, 25.0, 75.0, 100.0]);
        let same = plane(3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(resampled(&same, 3, 2).values, same.values);
        for (from, to) in [(1, 1), (1, 20), (7, 20), (21, 20), (1024, 20), (1000, 1)] {
            for taps in weights(from, to) {
                let sum: f32 = taps.iter().map(|&(_, w)| w).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{from} -> {to}: {sum}");
            }
        }
    }

    #[test]
    fn the_longer_side_fills_the_box() {
        let image = place(&plane(4, &[255.0; 4 * 10])).unwrap();
        let rows = image.chunks(28).filter(|row| row.iter().any(|&v| v > 0)).count();
        let columns = (0..28).filter(|x| image.iter().skip(*x).step_by(28).any(|&v| v > 0)).count();
        assert_eq!((columns, rows), (8, 20));
    }

    #[test]
    fn the_centre_of_mass_moves_to_pixel_14() {
        // An L: its centre of mass lies left of and below the centre of its box.
        let mut ink = vec![0.0; 20 * 12];
        for y in 0..20 {
            let length = if y < 18 { 2 } else { 12 };
            ink[y * 12..][..length].fill(200.0);
        }
        let image = place(&plane(12, &ink)).unwrap();
        let mass: f64 = image.iter().map(|&v| f64::from(v)).sum();
        let moment = |coordinate: fn(usize) -> usize| -> f64 {
            image.iter().enumerate().map(|(i, &v)| f64::from(v) * (coordinate(i) as f64 + 0.5)).sum()
        };
        let (x, y) = (moment(|i| i % 28) / mass, moment(|i| i / 28) / mass);
        assert!((14.0..15.0).contains(&x) && (14.0..15.0).contains(&y), "({x}, {y})");
        assert_eq!(image.iter().max(), Some(&255), "200 is stretched to 255");
    }

    #[test]
    fn a_hairline_is_thickened() {
        let mut ink = vec![0.0; 400 * 100];
        for y in 20..380 {
            ink[y * 100 + 50] = 255.0;
        }
        let image = place(&plane(100, &ink)).unwrap();
        let row = &image[14 * 28..15 * 28];
        let width = row.iter().map(|&v| f32::from(v)).sum::<f32>() / 255.0;
        assert!((1.5..=2.5).contains(&width), "stroke {width} pixels wide: {row:?}");
    }
}
