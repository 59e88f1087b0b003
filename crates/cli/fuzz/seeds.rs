//! Small whole files of every format.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ImageFormat, Rgb, RgbImage};

/// A file of the repository.
pub fn fixture(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Copies all files of a folder of the repository.
pub fn copy(from: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
    let files: Vec<PathBuf> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in files.iter().filter(|file| file.is_file()) {
        fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Moves the files of a folder beside it.
pub fn move_up(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        fs::rename(entry.path(), folder.with_file_name(entry.file_name())).unwrap();
    }
}

/// A file of the folder that `make` fills.
pub fn made_by(make: fn(&Path), file: &str) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    vec![fs::read(folder.path().join(file)).unwrap()]
}

/// IDX files of images and of labels.
pub fn idx() -> Vec<Vec<u8>> {
    let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3][..], &[7; 18]].concat();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 2][..], &[4, 9]].concat();
    let integers = [&[0, 0, 12, 2, 0, 0, 0, 1, 0, 0, 0, 2][..], &[0, 0, 0, 5, 0, 0, 0, 1]].concat();
    vec![images, labels, integers]
}

pub fn gzip(bytes: Vec<u8>) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&bytes).unwrap();
    gzip.finish().unwrap()
}

/// Pictures of a digit 1, and a photo with EXIF data.
pub fn pictures() -> Vec<Vec<u8>> {
    let one = RgbImage::from_fn(24, 20, |x, y| {
        if (10..13).contains(&x) && (3..17).contains(&y) { Rgb([10, 20, 30]) } else { Rgb([240; 3]) }
    });
    let mut all: Vec<Vec<u8>> = [ImageFormat::Png, ImageFormat::Jpeg]
        .into_iter()
        .map(|format| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            one.write_to(&mut bytes, format).unwrap();
            bytes.into_inner()
        })
        .collect();
    // The orientation 6 in a segment of EXIF data.
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    all.push([&all[1][..2], exif, &all[1][2..]].concat());
    all
}

/// Sets the checksums of the chunks of a PNG file.
pub fn with_png_checksums(mut file: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(length) = file.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])) {
        let Some(end) = at.checked_add(8 + length as usize).filter(|end| end + 4 <= file.len()) else {
            break;
        };
        let mut crc = flate2::Crc::new();
        crc.update(&file[at + 4..end]);
        file[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
    file
}

/// Sets the length of the header of a safetensors file, so that it ends at its last brace.
pub fn with_header_length(mut file: Vec<u8>) -> Vec<u8> {
    let brace = |pair: &[u8]| pair == b"}}" || pair == b"} ";
    if let Some(end) = file.windows(2).rposition(brace).map(|at| at + 2)
        && end > 8
    {
        file[..8].copy_from_slice(&(end as u64 - 8).to_le_bytes());
    }
    file
}

/// A checkpoint of `torch.save` in which no entry has a checksum, as PyTorch can be told to write it.
pub fn torch() -> Vec<u8> {
    let mut file = fixture("crates/gpt/tests/nanogpt/ckpt.pt");
    let entries: Vec<usize> =
        file.windows(4).enumerate().filter(|(_, magic)| magic == b"PK\x01\x02").map(|(at, _)| at).collect();
    entries.into_iter().for_each(|at| file[at + 16..at + 20].fill(0));
    file
}

/// The pickle in a checkpoint of `torch.save`.
pub fn torch_pickle() -> Vec<u8> {
    let file = torch();
    let start = file.windows(2).position(|bytes| bytes == b"\x80\x02").unwrap();
    let end = file[start..].windows(4).position(|bytes| bytes == b"PK\x07\x08").unwrap();
    file[start..start + end].to_vec()
}

/// A text with everything that cleaning and documents know.
pub fn texts() -> Vec<Vec<u8>> {
    let long = "It was the best of times,\r\nit was the w\u{f6}rst \u{1f642}.\n\n<|endoftext|>\n".repeat(9);
    vec![long.clone().into_bytes(), [b"\xef\xbb\xbf", long.as_bytes(), b"\xff\xfe"].concat()]
}
