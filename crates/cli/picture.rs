//! Reads picture files, and shows small pictures in the terminal.

mod decode;
mod exif;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_digits::normalise::Picture;

use decode::{Fault, MAX_MEGAPIXELS, MAX_SIDE, decode};

/// The largest picture file in bytes.
const MAX_FILE_BYTES: u64 = 1 << 28;

/// Other formats of pictures: their names, and the bytes at a place in the file that tell them.
const OTHER_FORMATS: [(&str, usize, &[u8]); 5] = [
    ("HEIC or AVIF", 4, b"ftyp"),
    ("GIF", 0, b"GIF8"),
    ("WebP", 8, b"WEBP"),
    ("BMP", 0, b"BM"),
    ("TIFF", 0, b"II*\0"),
];

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
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(|e| anyhow!("cannot read {name}: {e}"))?;
    if content.is_empty() {
        bail!("{name} is empty: it has 0 bytes");
    }
    if content.len() as u64 > MAX_FILE_BYTES {
        bail!("{name} has more than {} MiB: save it smaller", MAX_FILE_BYTES >> 20);
    }
    let decoded = decode(&content).map_err(|fault| match fault {
        Fault::UnknownFormat => {
            let is = |&(_, at, bytes): &(&str, usize, &[u8])| {
                content.get(at..).is_some_and(|rest| rest.starts_with(bytes))
            };
            match OTHER_FORMATS.iter().copied().find(is) {
                Some((format, ..)) => {
                    anyhow!(
                        "{name} is a {format} picture, which is not supported: save it as a PNG or JPEG file"
                    )
                }
                None => anyhow!("{name} is not a picture of a known format: give a PNG or JPEG file"),
            }
        }
        Fault::TooLarge(width, height) => {
            anyhow!("{name} is {width}x{height} pixels: scale it to at most {MAX_SIDE} a side and {MAX_MEGAPIXELS} megapixels")
        }
        Fault::Unsupported(why) => anyhow!("{name} is a PNG or JPEG picture of an unsupported kind ({why})"),
        Fault::Damaged(why) => anyhow!("{name} is damaged: {why}"),
    })?;
    let picture = Picture::new(decoded.width, decoded.height, decoded.samples, &decoded.bytes)
        .map_err(|e| anyhow!("{name}: {e}"))?;
    Ok(picture.upright(decoded.orientation))
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
        assert!(error(b"GIF89a\x01\0\x01\0").contains("is a GIF picture"));
        assert!(error(b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
        let whole = png(&RgbaImage::new(50, 50));
        assert!(error(&whole[..whole.len() / 2]).contains("damaged"));
        let wide = png(&RgbaImage::new(20_000, 2));
        assert!(error(&wide).contains("20000x2 pixels: scale it to at most"), "{}", error(&wide));
    }
}
