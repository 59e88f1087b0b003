//! Reads picture files, and shows small pictures in the terminal.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{anyhow, bail};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use m2g_digits::normalise::{Picture, Samples};

/// The longest side of a picture in pixels.
const MAX_SIDE: u32 = 12_000;
/// The memory limit for decoding in bytes.
const MAX_DECODING_BYTES: u64 = 1 << 30;

/// The start of a HEIC or AVIF file, after four bytes that give a length.
const HEIC: &[u8] = b"ftyp";

/// Reads a PNG or JPEG picture and turns it upright, as its EXIF data says.
pub fn load(path: &Path) -> anyhow::Result<Picture> {
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
        if is_heic(path) {
            bail!("{name} is a HEIC or AVIF picture, which is not supported: save it as a JPEG file");
        }
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
    // What cannot be understood there is no reason to refuse the picture.
    let orientation = decoder.orientation().map_or(1, |orientation| orientation.to_exif());
    let decoded = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let (width, height) = (width as usize, height as usize);
    let picture = match &decoded {
        DynamicImage::ImageLuma8(p) => Picture::new(width, height, Samples::Gray, p),
        DynamicImage::ImageLumaA8(p) => Picture::new(width, height, Samples::GrayAlpha, p),
        DynamicImage::ImageRgb8(p) => Picture::new(width, height, Samples::Rgb, p),
        DynamicImage::ImageRgba8(p) => Picture::new(width, height, Samples::Rgba, p),
        other => Picture::new(width, height, Samples::Rgba, &other.to_rgba8()),
    };
    Ok(picture.map_err(|e| anyhow!("{name}: {e}"))?.upright(orientation))
}

/// Whether a file is in the format in which telephones save their photos.
fn is_heic(path: &Path) -> bool {
    let mut start = [0; 8];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start[4..] == HEIC
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
    use image::RgbaImage;

    fn error(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.png");
        std::fs::write(&path, bytes).unwrap();
        load(&path).map(|_| ()).unwrap_err().to_string()
    }

    fn png(picture: &RgbaImage) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn files_that_are_not_pictures_get_a_clear_error() {
        assert!(error(b"").contains("0 bytes"));
        assert!(error(b"this is a text").contains("not a picture"));
        assert!(error(b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
        let whole = png(&RgbaImage::new(50, 50));
        assert!(error(&whole[..whole.len() / 2]).contains("damaged"));
        let wide = png(&RgbaImage::new(20_000, 2));
        assert!(error(&wide).contains("20000x2 pixels: scale it to at most"), "{}", error(&wide));
    }
}
