//! The most likely next tokens of a row of logits.

/// The `n` tokens with the largest logits, largest first; of equal ones, the lowest id. Tokens in
/// `forbidden` do not count.
pub(super) fn most_likely(logits: &[f32], n: usize, forbidden: &[u32]) -> Vec<(u32, f32)> {
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(n + 1);
    for (id, &logit) in (0..).zip(logits) {
        // Not `<=`: NaN is never taken.
        let enough = best.len() == n;
        if (enough && best.last().is_some_and(|&(_, last)| logit <= last)) || logit.is_nan() {
            continue;
        }
        if forbidden.contains(&id) {
            continue;
        }
        let place = best.partition_point(|&(_, other)| other >= logit);
        best.insert(place, (id, logit));
        best.truncate(n);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::most_likely;

    #[test]
    fn the_largest_come_first_and_ties_in_order() {
        let logits = [1.0, 5.0, f32::NAN, 5.0, 9.0, 2.0];
        assert_eq!(most_likely(&logits, 3, &[4]), [(1, 5.0), (3, 5.0), (5, 2.0)]);
        assert_eq!(most_likely(&logits, 9, &[]).len(), 5);
    }
}
