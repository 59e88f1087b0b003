//! Reads picture files, and shows small pictures in the terminal.

use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::Path;

use anyhow::{anyhow, bail};
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Limits};

/// The longest side of a picture in pixels.
const MAX_SIDE: u32 = 12_000;
/// The memory limit for decoding in bytes.
const MAX_DECODING_BYTES: u64 = 1 << 30;

/// A greyscale picture: 0 is black, 255 is white; row-major.
pub struct GrayPicture {
    /// The pixels.
    pub pixels: Vec<u8>,
    /// The width in pixels.
    pub width: usize,
    /// The height in pixels.
    pub height: usize,
}

/// Reads a PNG or JPEG picture in greyscale. Transparent pixels become white.
pub fn load_gray(path: &Path) -> anyhow::Result<GrayPicture> {
    let name = path.display();
    if path.is_dir() {
        bail!("{name} is a folder: give the path of the picture");
    }
    let metadata = std::fs::metadata(path).map_err(|e| anyhow!("cannot read {name}: {e}"))?;
    if !metadata.is_file() {
        bail!("{name} is not a file");
    }
    let file = File::open(path).map_err(|e| anyhow!("cannot read {name}: {e}"))?;
    if metadata.len() == 0 {
        bail!("{name} is empty: it has 0 bytes");
    }
    let reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(|e| anyhow!("cannot read {name}: {e}"))?;
    if reader.format().is_none() {
        bail!("{name} is not a picture of a known format: give a PNG or JPEG file");
    }
    let broken = |e: image::ImageError| match e {
        image::ImageError::Limits(_) => {
            anyhow!("{name} is too large: scale it to at most {MAX_SIDE} pixels a side")
        }
        image::ImageError::Unsupported(_) => {
            anyhow!("{name} is a PNG or JPEG picture of an unsupported kind")
        }
        e => anyhow!("{name} is damaged: {e}"),
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODING_BYTES);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE {
        bail!("{name} is {width}x{height} pixels: scale it to at most {MAX_SIDE} a side");
    }
    decoder.set_limits(limits).map_err(broken)?;
    let transparent = matches!(
        decoder.color_type(),
        ColorType::Rgba8 | ColorType::Rgba16 | ColorType::La8 | ColorType::La16
    );
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let pixels = if transparent {
        let over_white = |p: &image::LumaA<u8>| {
            let alpha = u32::from(p.0[1]);
            ((u32::from(p.0[0]) * alpha + 255 * (255 - alpha)) / 255) as u8
        };
        picture.into_luma_alpha8().pixels().map(over_white).collect()
    } else {
        picture.into_luma8().into_raw()
    };
    Ok(GrayPicture { pixels, width: width as usize, height: height as usize })
}

/// A picture of ink (255) on paper (0) as lines of text, two characters per pixel: in
/// colour if stdout is a terminal, as characters of different density otherwise.
pub fn for_terminal(pixels: &[u8], width: usize) -> String {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut text = String::new();
    for row in pixels.chunks(width) {
        for &p in row {
            if coloured {
                // 24 greys, from 232 (black) to 255 (white).
                text.push_str(&format!("\x1b[48;5;{}m  ", 232 + u16::from(p) * 23 / 255));
            } else {
                const RAMP: &[u8; 10] = b" .:-=+*#%@";
                let c = char::from(RAMP[usize::from(p) * (RAMP.len() - 1) / 255]);
                text.extend([c, c]);
            }
        }
        text.push_str(if coloured { "\x1b[0m\n" } else { "\n" });
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::{Rgba, RgbaImage};

    fn error(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.png");
        std::fs::write(&path, bytes).unwrap();
        load_gray(&path).map(|_| ()).unwrap_err().to_string()
    }

    fn png(picture: &RgbaImage) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparent_pixels_are_white() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.png");
        let picture = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 0, 0, if x == 0 { 255 } else { 0 }]));
        std::fs::write(&path, png(&picture)).unwrap();
        let gray = load_gray(&path).unwrap();
        assert_eq!((gray.pixels, gray.width, gray.height), (vec![0, 255], 2, 1));
    }

    #[test]
    fn files_that_are_not_pictures_get_a_clear_error() {
        assert!(error(b"").contains("0 bytes"));
        assert!(error(b"this is a text").contains("not a picture"));
        let whole = png(&RgbaImage::new(50, 50));
        assert!(error(&whole[..whole.len() / 2]).contains("damaged"));
        let wide = png(&RgbaImage::new(20_000, 2));
        assert!(error(&wide).contains("20000x2 pixels: scale it to at most"), "{}", error(&wide));
    }
}
