//! Removes uneven light: how much each pixel differs from the paper around it.
//!
//! ```text
//!   level  ---.        .---              ink
//!              \  _   /           ->              .-.
//!   a lamp,     '' |_''  a stroke        ________/   \________
//! ```

use super::plane::Plane;

/// Whether the ink is darker than the paper. The median of the border counts as paper, and the
/// values farthest from it as ink. (To test whether the paper is brighter than mid-grey would fail on
/// badly lit photos.)
pub(super) fn is_dark_on_light(picture: &Plane) -> bool {
    let mut border = picture.border();
    let middle = border.len() / 2;
    let (_, paper, _) = border.select_nth_unstable_by(middle, f32::total_cmp);
    let (darkest, lightest) = picture.range();
    *paper - darkest > lightest - *paper
}

/// The level of the paper at each pixel, also under the ink.
pub(super) fn paper(picture: &Plane, dark_on_light: bool) -> Plane {
    if dark_on_light { opened(&picture.map(|v| -v)).map(|v| -v) } else { opened(picture) }
}

/// How much ink each pixel holds, 0..=255, without the light. For dark ink, the share of the light
/// that the ink absorbs: light multiplies, so the share is the same for ink in a shadow and ink
/// under a lamp. For light ink, the difference in brightness from the dark background.
pub(super) fn without_light(picture: &Plane, paper: &Plane, dark_on_light: bool) -> Plane {
    let levels = picture.values.iter().zip(&paper.values);
    let values = if dark_on_light {
        levels.map(|(v, paper)| 255.0 * (paper - v) / paper.max(1.0)).collect()
    } else {
        levels.map(|(v, paper)| v - paper).collect()
    };
    Plane { width: picture.width, height: picture.height, values }
}

/// The paper under the ink, where ink has the higher value: the morphological opening, which is the
/// maximum over a window of the minima over the same window. Anything as large as the window (paper,
/// a shadow, a gradient of light) stays, and strokes vanish. The window is a third of the longest
/// side: wider than a stroke, narrower than a shadow.
///
/// Windows reach beyond the edge, or a gradient would be misjudged there. Outside they see the
/// border itself, opened along its length in case ink touches it.
fn opened(picture: &Plane) -> Plane {
    let longest = picture.width.max(picture.height);
    let radius = (longest / 6).max(1);
    let border = picture.border();
    let around = Plane { width: border.len(), height: 1, values: border };
    let reach = longest / 3;
    let around = around.opened(reach);
    picture.framed(&around.values, radius).opened(radius).unframed(radius)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn ink_in_a_shadow_is_as_black_as_ink_in_the_light() {
        // Light at the left, a shadow at the right, a stroke that absorbs 80 % in each.
        let mut values: Vec<f32> = (0..60 * 60).map(|i| if i % 60 < 30 { 200.0 } else { 80.0 }).collect();
        for y in 20..40 {
            values[y * 60 + 12] = 40.0;
            values[y * 60 + 48] = 16.0;
        }
        let picture = Plane { width: 60, height: 60, values };
        let ink = without_light(&picture, &paper(&picture, true), true);
        assert_eq!(ink.values[30 * 60 + 12].round(), 204.0);
        assert_eq!(ink.values[30 * 60 + 48].round(), 204.0);
        assert_eq!(ink.values.iter().filter(|&&v| v > 1.0).count(), 40, "the edge of the shadow is no ink");
    }
}
