//! What all metrics have in common.

use std::iter::Sum;

/// The version of sacreBLEU whose definitions these are, for the signatures.
pub(super) const VERSION: &str = "2.6.0";

/// A metric of translations. The score of a corpus is not the mean of the scores of its segments: their
/// counts are added up first.
pub trait Metric {
    /// The counts of a segment, or the sum over several.
    type Counts: Copy + Default + Sum;

    /// The name in reports: `BLEU`.
    fn name(&self) -> String;

    /// How the score is computed, with this number of references for each segment.
    fn signature(&self, references: usize) -> String;

    /// The counts of one segment: a hypothesis and its references, at least one.
    fn segment(&self, hypothesis: &str, references: &[&str]) -> Self::Counts;

    /// The score of counts, from 0 to 100.
    fn score(&self, counts: &Self::Counts) -> f64;

    /// The counts of each segment of a corpus. Each element of `references` is a complete set of
    /// references, one for each hypothesis.
    ///
    /// # Errors
    /// [`MetricError`] if there are no hypotheses, no references, or a set of another length.
    fn segments<S: AsRef<str>>(
        &self,
        hypotheses: &[S],
        references: &[Vec<S>],
    ) -> Result<Vec<Self::Counts>, MetricError> {
        Ok(each_segment(self, hypotheses, references)?.collect())
    }

    /// The counts of a corpus: the sum over its segments. Uses the memory of one segment at a time.
    ///
    /// # Errors
    /// As [`Metric::segments`].
    fn corpus<S: AsRef<str>>(
        &self,
        hypotheses: &[S],
        references: &[Vec<S>],
    ) -> Result<Self::Counts, MetricError> {
        Ok(each_segment(self, hypotheses, references)?.sum())
    }
}

/// Counts segment by segment, as the iterator is read.
fn each_segment<M: Metric + ?Sized, S: AsRef<str>>(
    metric: &M,
    hypotheses: &[S],
    references: &[Vec<S>],
) -> Result<impl Iterator<Item = M::Counts>, MetricError> {
    if hypotheses.is_empty() || references.is_empty() {
        return Err(MetricError::Empty);
    }
    if let Some(set) = references.iter().find(|set| set.len() != hypotheses.len()) {
        return Err(MetricError::Lengths { hypotheses: hypotheses.len(), references: set.len() });
    }
    Ok(hypotheses.iter().enumerate().map(move |(i, hypothesis)| {
        let references: Vec<&str> = references.iter().map(|set| set[i].as_ref()).collect();
        metric.segment(hypothesis.as_ref(), &references)
    }))
}

/// Why a corpus cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// There is nothing to compare.
    #[error("there are no sentences to score")]
    Empty,
    /// Hypotheses and references do not belong together.
    #[error(
        "there are {hypotheses} translations, but {references} references: give one line for each sentence, \
         in the same order"
    )]
    Lengths {
        /// The number of hypotheses.
        hypotheses: usize,
        /// The number of references.
        references: usize,
    },
}
