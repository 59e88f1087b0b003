//! Puts transparent pictures on a background that contrasts with the ink.
//!
//! ```text
//!   white ink, nothing else     ->  on black
//!   black ink, nothing else     ->  on white
//!   a sheet with clear margins  ->  margins in the colour of the sheet
//! ```

use super::area::Area;
use super::plane::Plane;

/// What is visible is a sheet with ink, not ink alone, if its grey levels differ by this much...
const SHEET_LEVELS: f32 = 60.0;
/// ...and it fills this share of the box around it.
const SHEET_FILL: f32 = 0.85;

/// Puts `planes`, which are multiplied by `alpha` / 255, on a plain background.
pub(super) fn over_contrasting_background(planes: &mut [Plane], alpha: &Plane) {
    let most = alpha.values.iter().fold(0.0f32, |most, &a| most.max(a));
    // A large part of any visible picture has more than half of its greatest opacity.
    let visible: Vec<usize> = (0..alpha.values.len()).filter(|&i| alpha.values[i] > most / 2.0).collect();
    let full = most >= 254.0 && visible.len() == alpha.values.len();
    let background = background(planes, alpha, &visible);
    for (plane, background) in planes.iter_mut().zip(background) {
        for (v, &a) in plane.values.iter_mut().zip(&alpha.values) {
            if !full || a < 255.0 {
                *v += background * (1.0 - a / 255.0);
            }
        }
    }
}

/// The level of the background in each plane.
fn background(planes: &[Plane], alpha: &Plane, visible: &[usize]) -> Vec<f32> {
    if visible.is_empty() {
        return vec![255.0; planes.len()];
    }
    let level = |plane: &Plane, i: usize| plane.values[i] * 255.0 / alpha.values[i];
    let sorted = |plane: &Plane| {
        let mut levels: Vec<f32> = visible.iter().map(|&i| level(plane, i)).collect();
        levels.sort_unstable_by(f32::total_cmp);
        levels
    };
    let levels: Vec<Vec<f32>> = planes.iter().map(sorted).collect();
    let medians: Vec<f32> = levels.iter().map(|levels| levels[levels.len() / 2]).collect();
    let last = visible.len() - 1;
    let range = |levels: &Vec<f32>| levels[last - last / 50] - levels[last / 50];
    let differs = levels.iter().any(|levels| range(levels) > SHEET_LEVELS);
    let area = Area::around(visible.iter().copied(), alpha.width);
    let fill = area.map_or(0.0, |area| visible.len() as f32 / (area.width * area.height) as f32);
    if differs && fill > SHEET_FILL {
        return medians;
    }
    let mean = medians.iter().sum::<f32>() / medians.len() as f32;
    vec![if mean > 127.5 { 0.0 } else { 255.0 }; planes.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::picture::{Picture, Samples};

    /// The brightness of some pixels of (grey level, alpha).
    fn shown(width: usize, pixels: &[[u8; 2]]) -> Vec<f32> {
        let picture =
            Picture::new(width, pixels.len() / width, Samples::GrayAlpha, pixels.as_flattened()).unwrap();
        picture.brightness().values
    }

    #[test]
    fn ink_alone_gets_a_background_that_contrasts() {
        assert_eq!(shown(3, &[[255, 0], [255, 255], [255, 0]]), [0.0, 255.0, 0.0]);
        assert_eq!(shown(3, &[[0, 0], [0, 255], [0, 0]]), [255.0, 0.0, 255.0]);
        assert_eq!(shown(2, &[[0, 0], [200, 51]]), [0.0, 40.0], "faint ink stays faint");
    }

    #[test]
    fn a_sheet_with_clear_margins_is_continued() {
        let mut pixels = vec![[230, 255]; 10 * 10];
        pixels[44] = [10, 255];
        pixels[45] = [10, 255];
        pixels[54] = [10, 255];
        for margin in &mut pixels[..10] {
            *margin = [0, 0];
        }
        let shown = shown(10, &pixels);
        assert_eq!((shown[3], shown[33], shown[44]), (230.0, 230.0, 10.0));
    }

    #[test]
    fn opaque_and_empty_pictures_stay() {
        assert_eq!(shown(2, &[[10, 255], [240, 255]]), [10.0, 240.0]);
        assert_eq!(shown(2, &[[10, 0], [240, 0]]), [255.0, 255.0]);
    }
}
