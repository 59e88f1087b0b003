//! Increasing numbers in few bytes.

/// Increasing numbers. Each is stored as its distance to the one before, in groups of seven bits from the lowest
/// on; the highest bit of a byte says that another group follows. So numbers that lie close take a byte each.
#[derive(Debug, Default)]
pub(super) struct Increasing {
    bytes: Vec<u8>,
    /// The least number that may follow.
    next: usize,
}

const MORE: u8 = 1 << 7;

impl Increasing {
    /// Adds a number, unless it is the last one.
    ///
    /// # Panics
    /// In builds with debug assertions, if it is below the last one.
    pub fn push(&mut self, number: usize) {
        debug_assert!(number + 1 >= self.next, "{number} after {}", self.next);
        let Some(mut distance) = number.checked_sub(self.next) else { return };
        self.next = number + 1;
        while distance >= usize::from(MORE) {
            self.bytes.push(distance as u8 | MORE);
            distance >>= 7;
        }
        self.bytes.push(distance as u8);
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let (mut next, mut distance, mut bits) = (0, 0, 0);
        self.bytes.iter().filter_map(move |byte| {
            distance |= usize::from(byte & !MORE) << bits;
            bits += 7;
            if byte & MORE != 0 {
                return None;
            }
            let number = next + distance;
            (next, distance, bits) = (number + 1, 0, 0);
            Some(number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(numbers: &[usize]) -> Increasing {
        let mut stored = Increasing::default();
        numbers.iter().for_each(|&number| stored.push(number));
        stored
    }

    #[test]
    fn neighbours_take_a_byte_each() {
        let numbers: Vec<usize> = (0..1000).collect();
        assert_eq!(stored(&numbers).bytes.len(), 1000);
        assert_eq!(stored(&[127, 255, 384]).bytes, [127, 127, 128, 1]);
    }

    proptest! {
        #[test]
        fn numbers_come_back_once(
            // Of every size, but not the largest, which has no next one.
            numbers in prop::collection::vec((1..usize::BITS, any::<usize>()), 0..40),
        ) {
            let mut numbers: Vec<usize> = numbers.into_iter().map(|(bits, n)| n >> bits).collect();
            numbers.extend(numbers.clone());
            numbers.sort_unstable();
            let found: Vec<usize> = stored(&numbers).iter().collect();
            numbers.dedup();
            prop_assert_eq!(found, numbers);
        }
    }
}
