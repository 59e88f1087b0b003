//! Separates ink from paper under uneven light and camera noise.

use super::error::NormaliseError;
use super::plane::Plane;
use super::specks;

/// The smallest difference between ink and paper, in grey levels from 0 to 255.
const MIN_CONTRAST_LEVELS: f32 = 12.0;
/// The smallest difference between ink and paper, in standard deviations of the paper. Pure noise,
/// split into two halves, reaches 2.6.
const MIN_CONTRAST_DEVIATIONS: f32 = 4.0;

/// The ink of a picture: 0 for paper, 255 for solid ink, values between for soft edges.
///
/// 1. Detect whether the paper is dark or light: [`is_dark_on_light`].
/// 2. Estimate the level of the paper at each pixel ([`opened`]) and take the difference from it
///    ([`dark_on_light`], [`light_on_dark`]).
/// 3. Separate ink from paper by [`otsu`]'s threshold, and drop specks.
/// 4. Around the remaining ink, stretch the values: the paper's noise to 0, solid ink to 255.
pub(super) fn ink(picture: &Plane) -> Result<Plane, NormaliseError> {
    let (least, greatest) = range(&picture.values);
    if greatest - least < 1.0 {
        return Err(NormaliseError::OneColour { level: greatest as u8 });
    }
    let longest = picture.width.max(picture.height);
    // 0 for small drawings, 1 or 2 pixels for photos: smooths the camera's noise.
    let noise_radius = (longest + 256) / 512;
    let smooth = picture.box_blur(noise_radius);
    let contrast = if is_dark_on_light(&smooth) {
        dark_on_light(&smooth, longest)
    } else {
        light_on_dark(&smooth, longest)
    };

    let values = &contrast.values;
    let threshold = otsu(values);
    let is_ink: Vec<bool> = values.iter().map(|&v| v > threshold).collect();
    let near_ink = specks::grown(&is_ink, contrast.width, 2 + noise_radius);
    let paper = Spread::of(values.iter().zip(&near_ink).filter(|&(_, &near)| !near).map(|(v, _)| *v));
    let ink = Spread::of(selected(values, &is_ink));
    let difference = ink.mean - paper.mean;
    if difference < MIN_CONTRAST_LEVELS || difference < MIN_CONTRAST_DEVIATIONS * paper.deviation {
        return Err(NormaliseError::TooFaint { difference });
    }

    let strokes = specks::without_specks(&is_ink, contrast.width);
    let near_strokes = specks::grown(&strokes, contrast.width, 2 + noise_radius);
    let floor = paper.mean + 2.0 * paper.deviation;
    let solid = upper_quartile(selected(values, &strokes).collect());
    let scale = 255.0 / (solid - floor).max(1.0);
    let stretched = |v: f32| ((v - floor) * scale).clamp(0.0, 255.0);
    let values = values.iter().zip(near_strokes).map(|(&v, near)| if near { stretched(v) } else { 0.0 });
    Ok(Plane { width: contrast.width, height: contrast.height, values: values.collect() })
}

/// Whether the ink is darker than the paper. The median of the border counts as paper, and the
/// values farthest from it as ink. (To test whether the paper is brighter than mid-grey would fail on
/// badly lit photos.)
fn is_dark_on_light(picture: &Plane) -> bool {
    let mut border = picture.border();
    let middle = border.len() / 2;
    let (_, paper, _) = border.select_nth_unstable_by(middle, f32::total_cmp);
    let (darkest, lightest) = range(&picture.values);
    *paper - darkest > lightest - *paper
}

/// The share of the light on each pixel that the ink absorbs, 0..=255. Light multiplies, so the share
/// is the same for ink in a shadow and ink under a lamp.
fn dark_on_light(picture: &Plane, longest: usize) -> Plane {
    let paper = opened(&picture.map(|v| -v), longest);
    combined(picture, &paper, |v, paper| 255.0 * (-paper - v) / (-paper).max(1.0))
}

/// The difference in brightness between each pixel and the dark background.
fn light_on_dark(picture: &Plane, longest: usize) -> Plane {
    combined(picture, &opened(picture, longest), |v, paper| v - paper)
}

/// The paper under the ink, where ink has the higher value: the morphological opening, which is the
/// maximum over a window of the minima over the same window. Anything as large as the window (paper,
/// a shadow, a gradient of light) stays, and strokes vanish. The window is a third of the longest
/// side: wider than a stroke, narrower than a shadow.
///
/// Windows reach beyond the edge, or a gradient would be misjudged there. Outside they see the
/// border itself, opened along its length in case ink touches it.
fn opened(picture: &Plane, longest: usize) -> Plane {
    let radius = (longest / 6).max(1);
    let border = picture.border();
    let around = Plane { width: border.len(), height: 1, values: border };
    let reach = longest / 3;
    let around = around.sliding_min(reach).sliding_max(reach);
    picture.framed(&around.values, radius).sliding_min(radius).sliding_max(radius).unframed(radius)
}

fn combined(a: &Plane, b: &Plane, f: impl Fn(f32, f32) -> f32) -> Plane {
    let values = a.values.iter().zip(&b.values).map(|(&a, &b)| f(a, b)).collect();
    Plane { width: a.width, height: a.height, values }
}

/// The threshold that maximises the variance between two classes (N. Otsu, *A threshold selection
/// method from gray-level histograms*, 1979): w0 w1 (mean1 - mean0)^2, over all cuts of a histogram
/// with 256 bins.
fn otsu(values: &[f32]) -> f32 {
    let (_, greatest) = range(values);
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
}

fn selected(values: &[f32], mask: &[bool]) -> impl Iterator<Item = f32> {
    values.iter().zip(mask).filter(|&(_, &in_mask)| in_mask).map(|(v, _)| *v)
}

fn upper_quartile(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = values.len() * 3 / 4;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)))
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

    #[test]
    fn badly_lit_paper_is_still_paper() {
        // Paper at 100 (darker than mid-grey), ink at 20.
        let mut values = vec![100.0; 20 * 20];
        for y in 5..15 {
            values[y * 20 + 10] = 20.0;
        }
        let plane = Plane { width: 20, height: 20, values };
        assert!(is_dark_on_light(&plane));
        assert!(!is_dark_on_light(&plane.map(|v| 255.0 - v)));
    }
}
