//! Writes drawings to files in the supported formats, up to a size limit.

use std::path::Path;

use anyhow::bail;

use crate::output_file;
use crate::plot::{Figure, Rgb};

/// The size limit of a drawing.
const MAX_BYTES: usize = 2_000_000;

/// The formats of a drawing, which are also the endings of its file.
const FORMATS: [&str; 3] = ["html", "svg", "png"];

/// The format of a drawing, by its file extension.
pub fn format(out: &Path) -> anyhow::Result<&'static str> {
    output_file::format("--out", out, &FORMATS)
}

/// Checks the output path before anything is computed.
pub fn check(out: &Path) -> anyhow::Result<()> {
    output_file::check_format("--out", out, &FORMATS)
}

/// Writes a figure as SVG, PNG, or an HTML page that contains the SVG.
pub fn figure(out: &Path, figure: &Figure) -> anyhow::Result<()> {
    let bytes = match format(out)? {
        "png" => figure.png()?,
        "svg" => figure.svg().into_bytes(),
        _ => {
            format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>m2g inspect</title>\n{}", figure.svg())
                .into_bytes()
        }
    };
    bytes_to(out, &bytes)
}

/// Writes a file, unless it would be too large.
pub fn bytes_to(out: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if bytes.len() >= MAX_BYTES {
        let size = bytes.len() as f64 / 1e6;
        bail!(
            "the drawing would take {size:.1} MB, but the limit is 2 MB: give a shorter --prompt, or one --layer"
        );
    }
    output_file::write_bytes(out, bytes)
}

/// White for 0 to dark blue for 1; the square root makes small weights visible.
pub fn shade(weight: f32) -> Rgb {
    let strength = weight.clamp(0.0, 1.0).sqrt();
    let dark = [8.0, 48.0, 107.0];
    dark.map(|d: f32| (255.0 + (d - 255.0) * strength) as u8)
}
