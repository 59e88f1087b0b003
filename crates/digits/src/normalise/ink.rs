//! Separates ink from paper by a threshold, under camera noise.
//!
//! ```text
//!   255 |        .-.
//!       |       /   \
//!   cut |------/-----\------    above the cut: ink
//!     0 |_.-._/       \_.-._     below: paper and its noise
//! ```

use super::error::NormaliseError;
use super::group::Group;
use super::light;
use super::mask::Mask;
use super::plane::Plane;

/// The smallest difference between ink and paper, as a share of the light, times 255.
const MIN_CONTRAST_LEVELS: f32 = 12.0;
/// The smallest difference between ink and paper in the picture itself, in grey levels from 0 to 255.
const MIN_LEVELS: f32 = 6.0;
/// The smallest difference between ink and paper, in standard deviations of the paper. Pure noise,
/// split into two halves, reaches 2.6.
const MIN_CONTRAST_DEVIATIONS: f32 = 4.0;

/// A shadow that is taken for ink has this share of all that is taken for ink...
const MIN_SHADOW_SHARE: f32 = 0.6;
/// ...and covers this share of the picture's border, where there is hardly any ink.
const MIN_SHADOW_BORDER: f32 = 0.03;
const MAX_INK_SHARE: f32 = 0.05;
/// The edge of a stroke is soft over this many pixels.
const SOFT_EDGE: usize = 2;

/// The ink of a picture.
pub(super) struct Ink {
    /// How much ink each pixel holds, 0..=255, without the light.
    pub amount: Plane,
    /// Where there is ink.
    pub mask: Mask,
    /// Below this amount, there is only the paper's noise.
    pub floor: f32,
    /// 0 for small drawings, 1 or 2 pixels for photos.
    pub noise_radius: usize,
}

/// Separates the ink of a picture.
///
/// 1. Smooth the camera's noise, and remove the light ([`light`]).
/// 2. Separate ink from paper by [`otsu`]'s threshold.
/// 3. Check that the ink stands out from the paper's noise.
pub(super) fn separate(picture: &Plane, dark_on_light: Option<bool>) -> Result<Ink, NormaliseError> {
    let (least, greatest) = picture.range();
    if greatest - least < 1.0 {
        return Err(NormaliseError::OneColour { level: greatest as u8 });
    }
    let noise_radius = (picture.width.max(picture.height) + 256) / 512;
    let smooth = picture.box_blur(noise_radius);
    let dark_on_light = dark_on_light.unwrap_or_else(|| light::is_dark_on_light(&smooth));
    let paper_level = light::paper(&smooth, dark_on_light);
    let amount = light::without_light(&smooth, &paper_level, dark_on_light);

    let values = &amount.values;
    let darker_than = |threshold: f32| {
        let bits = values.iter().map(|&v| v > threshold).collect();
        Mask { width: amount.width, height: amount.height, bits }
    };
    let no_paper = otsu(values);
    let shadow = band_of_shadow(&amount, no_paper);
    let mask = darker_than(shadow.map_or(no_paper, |(threshold, _)| threshold));
    let near_ink = darker_than(no_paper).grown(2 + noise_radius);
    let (paper, difference) = compared(values, &mask, &near_ink);
    // The camera's noise is the same in light and shadow: compare levels too, not only shares of light. Messages
    // tell levels, as an editor shows them.
    let levels: Vec<f32> =
        smooth.values.iter().zip(&paper_level.values).map(|(v, paper)| (v - paper).abs()).collect();
    let (noise, difference_levels) = compared(&levels, &mask, &near_ink);
    // What varies by so few levels is not uneven, but dark.
    if difference < MIN_CONTRAST_LEVELS || difference_levels < MIN_LEVELS {
        return Err(NormaliseError::TooFaint { difference: difference_levels });
    }
    for (paper, difference) in [(&paper, difference), (&noise, difference_levels)] {
        if difference < MIN_CONTRAST_DEVIATIONS * paper.deviation {
            return Err(NormaliseError::Uneven { deviation: noise.deviation });
        }
    }
    let floor = shadow.map_or(paper.floor(), |(_, floor)| floor);
    Ok(Ink { amount, mask, floor, noise_radius })
}

/// A band of shadow that crosses the picture, narrow enough to be taken for strokes: the threshold between it
/// and the ink, and the amount below which there is only shadow. Most of what is above the first threshold is
/// then shadow, and a second one within it separates the ink. The soft edges of the strokes do not count.
fn band_of_shadow(amount: &Plane, first: f32) -> Option<(f32, f32)> {
    let (w, h) = (amount.width, amount.height);
    let dark: Vec<f32> = amount.values.iter().copied().filter(|&v| v > first).collect();
    let second = otsu(&dark);
    let light = amount.values.iter().map(|&v| v <= first).collect();
    let near_light = Mask { width: w, height: h, bits: light }.grown(SOFT_EDGE);
    let core = || amount.values.iter().zip(&near_light.bits).filter(|&(_, &near)| !near).map(|(v, _)| *v);
    let shadow = || core().filter(|&v| v <= second);
    let border = amount.border();
    let on_border = border.iter().filter(|&&v| v > first).count() as f32;
    let ink_on_border = border.iter().filter(|&&v| v > second).count() as f32;
    let is_shadow = shadow().count() as f32 >= MIN_SHADOW_SHARE * core().count().max(1) as f32
        && on_border >= MIN_SHADOW_BORDER * 2.0 * (w + h) as f32
        && ink_on_border <= MAX_INK_SHARE * on_border;
    is_shadow.then(|| (second, Spread::of(shadow()).floor()))
}

/// The spread of the values far from ink, and by how much the mean over the ink exceeds their mean.
fn compared(values: &[f32], ink: &Mask, near_ink: &Mask) -> (Spread, f32) {
    let far = values.iter().zip(&near_ink.bits).filter(|&(_, &near)| !near);
    let paper = Spread::of(far.map(|(v, _)| *v));
    let difference = Spread::of(ink.pixels().map(|pixel| values[pixel])).mean - paper.mean;
    (paper, difference)
}

impl Ink {
    /// The strokes of a digit, cut out and stretched: the paper's noise to 0, solid ink to 255, values
    /// between for soft edges; 0 away from the strokes, and where `is_other` says that the ink belongs to
    /// something else. Thin strokes have room to grow.
    pub fn stretched(&self, digit: &Group, is_other: impl Fn(usize) -> bool) -> Plane {
        let (width, height, values) = (self.amount.width, self.amount.height, &self.amount.values);
        let near = 2 + self.noise_radius;
        let margin = near + 1 + digit.area.longest() / 20;
        let area = digit.area.grown(margin, width, height);
        let inside = |pixel: usize| (pixel / width - area.top) * area.width + pixel % width - area.left;
        let strokes = Mask::of(area.width, area.height, digit.pixels.iter().map(|&pixel| inside(pixel)));
        let near_strokes = strokes.grown(near);
        let solid = upper_quartile(digit.pixels.iter().map(|&pixel| values[pixel]).collect());
        let scale = 255.0 / (solid - self.floor).max(1.0);
        let mut cut = self.amount.cropped(&area);
        for (i, v) in cut.values.iter_mut().enumerate() {
            let pixel = (area.top + i / area.width) * width + area.left + i % area.width;
            let shown = near_strokes.bits[i] && !is_other(pixel);
            *v = if shown { ((*v - self.floor) * scale).clamp(0.0, 255.0) } else { 0.0 };
        }
        cut
    }
}

/// The threshold that maximises the variance between two classes (N. Otsu, *A threshold selection
/// method from gray-level histograms*, 1979): w0 w1 (mean1 - mean0)^2, over all cuts of a histogram
/// with 256 bins.
fn otsu(values: &[f32]) -> f32 {
    let greatest = values.iter().fold(0.0f32, |most, &v| most.max(v));
    let bin_width = (greatest / 256.0).max(f32::MIN_POSITIVE);
    let mut histogram = [0u32; 256];
    for &v in values {
        histogram[((v / bin_width) as usize).min(255)] += 1;
    }
    let count = values.len() as f64;
    let total: f64 = histogram.iter().enumerate().map(|(bin, &n)| bin as f64 * f64::from(n)).sum();
    let (mut below, mut sum_below) = (0.0, 0.0);
    let (mut best, mut best_cut) = (0.0, 0);
    for (bin, &n) in histogram.iter().enumerate().take(255) {
        below += f64::from(n);
        sum_below += bin as f64 * f64::from(n);
        let above = count - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let apart = (total - sum_below) / above - sum_below / below;
        let between = below * above * apart * apart;
        if between > best {
            (best, best_cut) = (between, bin);
        }
    }
    (best_cut + 1) as f32 * bin_width
}

/// The mean and the standard deviation of some values.
struct Spread {
    mean: f32,
    deviation: f32,
}

impl Spread {
    /// Both are 0 if there are no values.
    fn of(values: impl Iterator<Item = f32>) -> Self {
        let (mut n, mut sum, mut squares) = (0.0f64, 0.0, 0.0);
        for v in values.map(f64::from) {
            n += 1.0;
            sum += v;
            squares += v * v;
        }
        let mean = sum / n.max(1.0);
        let variance = squares / n.max(1.0) - mean * mean;
        Self { mean: mean as f32, deviation: variance.max(0.0).sqrt() as f32 }
    }

    /// Nearly all values are below this.
    fn floor(&self) -> f32 {
        self.mean + 2.0 * self.deviation
    }
}

fn upper_quartile(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = values.len() * 3 / 4;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsu_cuts_between_two_clusters() {
        let mut values = vec![10.0; 900];
        values.extend([12.0; 50]);
        values.extend([200.0; 40]);
        values.extend([190.0; 10]);
        let threshold = otsu(&values);
        assert!(threshold > 12.0 && threshold <= 190.0, "{threshold}");
        assert!(otsu(&[0.0; 4]) > 0.0, "an empty picture has no ink");
    }
}
