//! The letters of drawings: DejaVu Sans, reduced to Latin, Greek and Cyrillic, and embedded. Its
//! licence stands beside the font file.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScaleFont, ScaleFont, point};

/// The font in SVG files; the widths of texts are those of DejaVu Sans.
pub const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// The height of a line in multiples of the font's size.
pub const LINE_HEIGHT: f64 = 1.35;
/// The smallest size that can be read.
const MIN_SIZE: f64 = 7.0;

static FONT: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(include_bytes!("font/DejaVuSans-Latin.ttf")).ok());

/// The font in this size, in pixels per em.
fn scaled(size: f64) -> Option<PxScaleFont<&'static FontRef<'static>>> {
    let font = FONT.as_ref()?;
    let per_em = font.units_per_em()?;
    // The crate measures a font by its line height, drawings by its em, as CSS does.
    Some(font.as_scaled(size as f32 * font.height_unscaled() / per_em))
}

/// The width of a text in pixels.
pub fn width(text: &str, size: f64) -> f64 {
    let Some(font) = scaled(size) else { return 0.0 };
    text.chars().map(|c| f64::from(font.h_advance(font.glyph_id(c)))).sum()
}

/// The text in lines of at most `max` pixels, broken between words. A longer word stays whole.
pub fn wrap(text: &str, size: f64, max: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= max => *line += &format!(" {word}"),
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// The largest size up to `size` in which the text is at most `max` pixels wide, and the text. In
/// the smallest readable size, the middle of a longer text becomes `…`.
pub fn fit(text: &str, size: f64, max: f64) -> (String, f64) {
    let needed = width(text, size);
    if needed <= max {
        return (text.into(), size);
    }
    let smaller = (size * max / needed * 0.99).max(MIN_SIZE.min(size));
    let mut short = text.to_string();
    let mut kept = text.chars().count();
    while kept > 1 && width(&short, smaller) > max {
        kept -= 1;
        short = crate::terminal::width::clip(text, kept);
    }
    (short, smaller)
}

/// Calls `paint` with the column, the row and the coverage, 0 to 1, of every pixel of a text that
/// starts at `(x, y)`; `y` is the baseline.
pub fn draw(text: &str, size: f64, (x, y): (f64, f64), mut paint: impl FnMut(i64, i64, f64)) {
    let Some(font) = scaled(size) else { return };
    let mut at = x as f32;
    for c in text.chars() {
        let id = font.glyph_id(c);
        let glyph: Glyph = id.with_scale_and_position(font.scale(), point(at, y as f32));
        at += font.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let bounds = outline.px_bounds();
        let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
        outline.draw(|col, row, cover| {
            paint(left + i64::from(col), top + i64::from(row), f64::from(cover.clamp(0.0, 1.0)));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_text_has_a_glyph() {
        let font = FONT.as_ref().expect("the embedded font can be read");
        for c in "Aa0 éñüßœĳğșΩµя→±·×—…√≈□".chars() {
            assert_ne!(font.glyph_id(c).0, 0, "{c}");
        }
    }

    #[test]
    fn widths_are_those_of_the_font() {
        // DejaVu Sans is 2048 units per em; "M" is 1767 and "i" 569 wide.
        assert!((width("M", 20.48) - 17.67).abs() < 1e-3);
        assert!((width("iM", 20.48) - 23.36).abs() < 1e-3);
        assert_eq!(width("", 12.0), 0.0);
    }

    #[test]
    fn long_texts_wrap_or_shrink() {
        let text = "Weights into 30 of 30 first-layer neurons of a run with a long name";
        let lines = wrap(text, 14.0, 300.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, 14.0) <= 300.0));
        assert_eq!(lines.join(" "), text);
        let (same, size) = fit(text, 14.0, 400.0);
        assert!(same == text && size < 14.0 && width(&same, size) <= 400.0);
        let (short, size) = fit(text, 14.0, 50.0);
        assert!(short.contains('…') && width(&short, size) <= 50.0, "{short} {size}");
    }
}
