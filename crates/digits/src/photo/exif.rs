//! The orientation of a photo, from its EXIF data.

/// The tag of the orientation in a directory of EXIF data (EXIF 2.32, table 4).
const ORIENTATION_TAG: u16 = 0x0112;
/// The type of a field that holds 16-bit integers.
const SHORT: u16 = 3;
/// Bytes of one field of a directory: tag, type, count, value.
const BYTES_PER_FIELD: usize = 12;

/// The orientation in EXIF data, 1 to 8; 1, upright, if it cannot be read.
pub fn orientation(exif: &[u8]) -> u8 {
    find_orientation(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)).unwrap_or(1)
}

/// Looks in the first directory of a TIFF structure.
fn find_orientation(tiff: &[u8]) -> Option<u8> {
    let big_endian = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk::<2>()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let offset = *tiff.get(4..)?.first_chunk::<4>()?;
    let directory = if big_endian { u32::from_be_bytes(offset) } else { u32::from_le_bytes(offset) } as usize;
    let first_field = directory.checked_add(2)?;
    for field in 0..usize::from(u16_at(directory)?) {
        let at = first_field.checked_add(field * BYTES_PER_FIELD)?;
        if u16_at(at)? == ORIENTATION_TAG && u16_at(at.checked_add(2)?)? == SHORT {
            let orientation = u8::try_from(u16_at(at.checked_add(8)?)?).ok()?;
            return (1..=8).contains(&orientation).then_some(orientation);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF data with one other field and the orientation.
    fn exif(big_endian: bool, orientation: u16) -> Vec<u8> {
        let short = |x: u16| if big_endian { x.to_be_bytes() } else { x.to_le_bytes() };
        let long = |x: u32| if big_endian { x.to_be_bytes() } else { x.to_le_bytes() };
        let mut bytes = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        bytes.extend(long(10));
        bytes.extend([0, 0]); // The directory need not follow the header at once.
        bytes.extend(short(2));
        for (tag, value) in [(0x0100, 7), (ORIENTATION_TAG, orientation)] {
            bytes.extend([short(tag), short(SHORT)].concat());
            bytes.extend(long(1));
            bytes.extend([short(value), [0; 2]].concat());
        }
        bytes
    }

    #[test]
    fn all_orientations_are_read_in_both_byte_orders() {
        for (big_endian, want) in [false, true].into_iter().flat_map(|order| (1..=8).map(move |o| (order, o)))
        {
            let exif = exif(big_endian, u16::from(want));
            assert_eq!(orientation(&exif), want);
            assert_eq!(orientation(&[b"Exif\0\0", &exif[..]].concat()), want);
        }
    }

    #[test]
    fn damaged_data_means_upright() {
        for strange in [0, 9, 300] {
            assert_eq!(orientation(&exif(true, strange)), 1);
        }
        let whole = exif(false, 6);
        for end in 0..whole.len() - 4 {
            assert_eq!(orientation(&whole[..end]), 1, "the first {end} bytes");
        }
        assert_eq!(orientation(b"II*\0\xff\xff\xff\xff\0\0"), 1);
    }
}
