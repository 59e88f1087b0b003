//! Renders a figure as SVG.

use std::fmt::Write;

use base64::Engine;

use super::shapes::{Anchor, Drawing, Rgb, Shape};
use super::{font, png};
use crate::terminal::lines::visible;

/// The figure as an SVG document.
pub(super) fn write(figure: &Drawing) -> String {
    let (w, h) = (figure.width, figure.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"{}\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n",
        font::FAMILY
    );
    for shape in &figure.shapes {
        // Writing to a string cannot fail.
        let _ = match shape {
            Shape::Rect { at: (x, y), size: (w, h), fill } => {
                writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"{}\"/>",
                    hex(*fill)
                )
            }
            Shape::Line { points, colour, width } => {
                let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let (points, colour) = (points.join(" "), hex(*colour));
                writeln!(
                    svg,
                    "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
                )
            }
            Shape::Text { at: (x, y), text, size, anchor, colour, upward } => {
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                // XML has no control characters, and not these two.
                let text = visible(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let fill = hex(*colour);
                let turn = match upward {
                    true => format!(" transform=\"rotate(-90 {x:.1} {y:.1})\""),
                    false => String::new(),
                };
                writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{fill}\"{turn}>{text}</text>"
                )
            }
            Shape::Image { at: (x, y), scale, width, pixels } => {
                let height = pixels.len() / (*width).max(1);
                let (w, h) = (*width as f64 * scale, height as f64 * scale);
                let data = png::encode(*width, height, pixels).unwrap_or_default();
                let data = base64::engine::general_purpose::STANDARD.encode(data);
                writeln!(
                    svg,
                    "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" \
                     style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>"
                )
            }
        };
    }
    svg.push_str("</svg>\n");
    svg
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
