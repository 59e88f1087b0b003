//! Reads picture files: PNG and JPEG, turned upright.

mod decode;
mod exif;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::normalise::Picture;
use decode::{Fault, MAX_MEGAPIXELS, MAX_SIDE, decode};

/// Why a file cannot be read as a picture: a sentence that names it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PhotoError(String);

/// A [`PhotoError`] with a formatted sentence.
macro_rules! error {
    ($($sentence:tt)*) => { PhotoError(format!($($sentence)*)) };
}

/// The largest picture file in bytes.
const MAX_FILE_BYTES: u64 = 1 << 28;

/// Other formats of pictures: their names with an article, and the bytes at a place in the file that tell them.
const OTHER_FORMATS: [(&str, usize, &[u8]); 8] = [
    // Videos, too, begin with `ftyp`: what follows tells them.
    ("a HEIC", 4, b"ftyphe"),
    ("a HEIF", 4, b"ftypmif1"),
    ("an AVIF", 4, b"ftypavi"),
    ("a GIF", 0, b"GIF8"),
    ("a WebP", 8, b"WEBP"),
    ("a BMP", 0, b"BM"),
    ("a TIFF", 0, b"II*\0"),
    ("a TIFF", 0, b"MM\0*"),
];

/// Reads a PNG or JPEG picture and turns it upright, as its EXIF data says.
///
/// # Errors
/// [`PhotoError`] if the file cannot be read, and those of [`parse`].
pub fn load(path: &Path) -> Result<Picture, PhotoError> {
    let name = path.display();
    if path.is_dir() {
        return Err(error!("{name} is a folder: give the path of the picture"));
    }
    let metadata = std::fs::metadata(path).map_err(|e| error!("cannot read {name}: {e}"))?;
    if !metadata.is_file() {
        return Err(error!("{name} is not a file"));
    }
    let file = File::open(path).map_err(|e| error!("cannot read {name}: {e}"))?;
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(|e| error!("cannot read {name}: {e}"))?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(error!("{name} has more than {} MiB: save it smaller", MAX_FILE_BYTES >> 20));
    }
    parse(&name.to_string(), &content)
}

/// Reads the content of a PNG or JPEG file, which errors call `name`, and turns it upright.
///
/// # Errors
/// [`PhotoError`] for another format, damage, or a picture that is too large.
pub fn parse(name: &str, content: &[u8]) -> Result<Picture, PhotoError> {
    if content.is_empty() {
        return Err(error!("{name} is empty: it has 0 bytes"));
    }
    let decoded = decode(content).map_err(|fault| match fault {
        Fault::UnknownFormat => {
            let is = |&(_, at, bytes): &(&str, usize, &[u8])| {
                content.get(at..).is_some_and(|rest| rest.starts_with(bytes))
            };
            match OTHER_FORMATS.iter().copied().find(is) {
                Some((format, ..)) => {
                    error!(
                        "{name} is {format} picture, which is not supported: save it as a PNG or JPEG file"
                    )
                }
                None => error!("{name} is not a picture of a known format: give a PNG or JPEG file"),
            }
        }
        Fault::TooLarge(width, height) => {
            error!("{name} is {width}x{height} pixels: scale it to at most {MAX_SIDE} a side and {MAX_MEGAPIXELS} megapixels")
        }
        Fault::Unsupported(why) => {
            error!("{name} is a kind of picture that cannot be read here ({why}): save it as an ordinary PNG or JPEG file")
        }
        Fault::Damaged(why) => error!("{name} is damaged: {why}"),
    })?;
    let picture = Picture::new(decoded.width, decoded.height, decoded.samples, &decoded.bytes)
        .map_err(|e| error!("{name}: {e}"))?;
    Ok(picture.upright(decoded.orientation))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.png");
        std::fs::write(&path, bytes).unwrap();
        load(&path).map(|_| ()).unwrap_err().to_string()
    }

    /// A white PNG.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let pixels = vec![255; (width * height) as usize];
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        bytes
    }

    #[test]
    fn half_a_picture_and_a_huge_one_get_a_clear_error() {
        let whole = png(50, 50);
        assert!(refused(&whole[..whole.len() / 2]).contains("damaged"));
        assert!(refused(&png(20_000, 2)).contains("20000x2 pixels: scale it to at most"));
    }

    #[test]
    fn a_jpeg_without_its_end_is_damaged() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/digits/many.jpg");
        let whole = std::fs::read(path).unwrap();
        for percent in [30, 55, 80, 99] {
            let part = &whole[..whole.len() * percent / 100];
            let error = parse("p.jpg", part).map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("p.jpg is damaged: "), "{percent} %: {error}");
        }
        // What a phone puts behind the end does not matter.
        for more in [&[][..], &[0xff; 1000], b"\0\0\0\x18ftypmp42"] {
            assert!(parse("p.jpg", &[&whole, more].concat()).is_ok());
        }
    }

    /// In our words, with what to do.
    #[test]
    fn a_damaged_picture_gets_a_clear_error() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/digits");
        let jpeg = std::fs::read(folder.join("edge-border/5.jpg")).unwrap();
        let png = png(6, 6);
        assert!(parse("p.png", &png).is_ok() && parse("p.jpg", &jpeg).is_ok());
        let mut refused = 0;
        for whole in [png, jpeg] {
            for bit in 0..8 * 60 {
                let mut changed = whole.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let Err(error) = parse("a picture", &changed) else { continue };
                let error = error.to_string();
                let advice = ["again", "PNG or JPEG file", "megapixels"];
                assert!(advice.iter().any(|advice| error.ends_with(advice)), "bit {bit}: {error}");
                assert!(!error.contains(['{', '_', '"']) && !error.contains("rror"), "bit {bit}: {error}");
                refused += 1;
            }
        }
        assert!(refused > 200, "{refused}");
    }

    #[test]
    fn files_that_are_not_pictures_get_a_clear_error() {
        assert!(refused(b"").contains("0 bytes"));
        assert!(refused(b"this is a text").contains("not a picture"));
        assert!(refused(b"GIF89a\x01\0\x01\0").contains("is a GIF picture"));
        assert!(refused(b"\0\0\0\x18ftypheic\0\0\0\0").contains("is a HEIC picture"));
        assert!(refused(b"\0\0\0\x20ftypavif\0\0\0\0").contains("is an AVIF picture"));
        assert!(refused(b"\0\0\0\x14ftypqt  \0\0\0\0").contains("not a picture"));
        assert!(refused(b"MM\0*\0\0\0\x08").contains("is a TIFF picture"));
    }
}
