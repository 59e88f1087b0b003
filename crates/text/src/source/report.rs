//! Sentences on what was cleaned and what was skipped.

use super::clean::Cleaned;
use super::inputs::Source;

impl Source {
    /// One sentence for each kind of change that cleaning made, and for skipped files.
    pub fn reports(&self, cleaned: &Cleaned) -> Vec<String> {
        let counted = |n: u64, one: &str, many: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{} {many}", with_thousands_separators(n))),
        };
        const NAMED: usize = 3;
        let mut skipped: Vec<String> =
            self.skipped.iter().take(NAMED).map(|(name, why)| format!("skipped {name}: {why}")).collect();
        let more = self.skipped.len().saturating_sub(NAMED) as u64;
        skipped.extend(counted(more, "more was", "more were").map(|them| format!("{them} skipped too")));
        let marks =
            counted(cleaned.byte_order_marks, "byte-order mark (BOM) was", "byte-order marks (BOM) were")
                .map(|marks| format!("{marks} dropped"));
        let crlfs = counted(cleaned.crlfs, "CRLF line end was", "CRLF line ends were")
            .map(|ends| format!("{ends} replaced by LF"));
        let crs = counted(
            cleaned.crs,
            "CR without LF (an old line end of Macintosh) is",
            "CRs without LF (old line ends of Macintosh) are",
        )
        .map(|ends| format!("{ends} kept"));
        let invalid = counted(cleaned.invalid, "byte that is not UTF-8 was", "bytes that are not UTF-8 were")
            .map(|bytes| format!("{bytes} replaced by U+FFFD"));
        let zeros = counted(cleaned.zeros, "zero byte (NUL) is", "zero bytes (NUL) are")
            .map(|bytes| format!("{bytes} kept"));
        skipped.extend([marks, crlfs, crs, invalid, zeros].into_iter().flatten());
        skipped
    }
}

/// A number with commas: 1115394 as `1,115,394`.
pub fn with_thousands_separators(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_threes() {
        assert_eq!(
            [0, 999, 1000, 1_115_394, 6_432_896].map(with_thousands_separators),
            ["0", "999", "1,000", "1,115,394", "6,432,896"]
        );
    }
}
