//! Decodes PNG and JPEG files to 8-bit samples.

use std::io::Cursor;

use png::DecodingError;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};

use super::exif;
use crate::normalise::Samples;

/// The longest side of a picture in pixels.
pub const MAX_SIDE: usize = 12_000;
/// The most pixels of a picture, in millions: those of a phone with a 108-megapixel camera. A progressive
/// JPEG needs 9 bytes of memory for each.
pub const MAX_MEGAPIXELS: usize = 110;
/// The memory limit for decoding in bytes.
const MAX_DECODING_BYTES: usize = 1 << 30;

/// The first bytes of a PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The first bytes of a JPEG file.
const JPEG: &[u8] = b"\xff\xd8\xff";

/// A decoded picture.
pub struct Decoded {
    pub width: usize,
    pub height: usize,
    pub samples: Samples,
    /// The samples, row by row.
    pub bytes: Vec<u8>,
    /// How the picture is to be turned, 1 to 8 as in EXIF data.
    pub orientation: u8,
}

/// Why a file cannot be decoded.
#[derive(Debug)]
pub enum Fault {
    UnknownFormat,
    /// The width and height in pixels.
    TooLarge(usize, usize),
    /// The unsupported feature.
    Unsupported(&'static str),
    /// What is wrong, and what to do. The decoders' own words are about their types.
    Damaged(&'static str),
}

/// What is wrong with a file that ends too early.
const NO_END: Fault = Fault::Damaged("its end is missing: copy or download it again");

/// What is wrong with a file that its decoder cannot read.
const BROKEN_PNG: Fault = Fault::Damaged(
    "its PNG data is not valid: copy or download it again, or save it again as a PNG or JPEG file",
);
const BROKEN_JPEG: Fault = Fault::Damaged(
    "its JPEG data is not valid: copy or download it again, or save it again as a PNG or JPEG file",
);

/// Decodes the content of a file.
pub fn decode(file: &[u8]) -> Result<Decoded, Fault> {
    match file {
        _ if file.starts_with(PNG) => decode_png(file),
        _ if file.starts_with(JPEG) => decode_jpeg(file),
        _ => Err(Fault::UnknownFormat),
    }
}

fn check_size(width: usize, height: usize) -> Result<(), Fault> {
    let too_large = width.max(height) > MAX_SIDE || width * height > MAX_MEGAPIXELS * 1_000_000;
    if too_large { Err(Fault::TooLarge(width, height)) } else { Ok(()) }
}

fn decode_png(file: &[u8]) -> Result<Decoded, Fault> {
    let limits = png::Limits { bytes: MAX_DECODING_BYTES };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    // Palettes and fewer than 8 bits are expanded, 16 bits cut to 8.
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let fault = |e: DecodingError| match e {
        DecodingError::LimitsExceeded => Fault::Unsupported("it needs too much memory"),
        DecodingError::IoError(_) => NO_END,
        _ => BROKEN_PNG,
    };
    let header = decoder.read_header_info().map_err(fault)?;
    let (width, height) = (header.width as usize, header.height as usize);
    check_size(width, height)?;
    let mut reader = decoder.read_info().map_err(fault)?;
    let size = reader.output_buffer_size().ok_or(Fault::TooLarge(width, height))?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(fault)?;
    bytes.truncate(frame.buffer_size());
    let samples = match frame.color_type {
        png::ColorType::Grayscale | png::ColorType::Indexed => Samples::Gray,
        png::ColorType::GrayscaleAlpha => Samples::GrayAlpha,
        png::ColorType::Rgb => Samples::Rgb,
        png::ColorType::Rgba => Samples::Rgba,
    };
    // EXIF data may follow the pixels. Damage there does not matter.
    let _ = reader.finish();
    let orientation = reader.info().exif_metadata.as_deref().map_or(1, exif::orientation);
    Ok(Decoded { width, height, samples, bytes, orientation })
}

fn decode_jpeg(file: &[u8]) -> Result<Decoded, Fault> {
    let fault = |e: DecodeErrors| match e {
        DecodeErrors::Unsupported(_) => Fault::Unsupported("a rare form of JPEG"),
        _ => BROKEN_JPEG,
    };
    if !has_end(file) {
        return Err(NO_END);
    }
    let options = DecoderOptions::default().set_strict_mode(false);
    let options = options.set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(fault)?;
    let (width, height) = decoder.dimensions().ok_or(BROKEN_JPEG)?;
    check_size(width, height)?;
    let (samples, colours) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (Samples::Gray, ColorSpace::Luma),
        _ => (Samples::Rgb, ColorSpace::RGB),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let bytes = decoder.decode().map_err(fault)?;
    let orientation = decoder.exif().map_or(1, |data| exif::orientation(data));
    Ok(Decoded { width, height, samples, bytes, orientation })
}

/// Whether a JPEG file has its end marker, without which the decoder would make up the pixels that are missing.
/// What follows the end, such as a phone's video, does not matter.
fn has_end(file: &[u8]) -> bool {
    // Behind the marker of the start.
    let mut rest = &file[2..];
    // A marker is 255 and a byte that says which. Between the pixels, 255 and 0 are a value.
    let next = |rest: &[u8]| rest.windows(2).position(|two| two[0] == 0xff && !matches!(two[1], 0 | 0xff));
    while let Some(at) = next(rest) {
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            0xd9 => return true,
            // Markers that stand alone, such as those between the rows of a scan.
            0x01 | 0xd0..=0xd8 => {}
            // A segment says its length. It may hold a small picture with an end of its own.
            _ => {
                let length = rest.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
    false
}
