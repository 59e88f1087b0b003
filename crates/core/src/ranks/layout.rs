//! How the elements of all gradients are grouped into the messages that carry them.

use std::ops::Range;

use super::tree::{Block, largest_nodes, share};

/// The smallest bucket: a message has a cost of its own.
const MIN_BUCKET_BYTES: usize = 512 << 10;

/// The largest number of buckets. The first one is sent when it is full, and the last one when the backward pass
/// has ended: more buckets begin sooner and leave less to wait for.
const MAX_BUCKETS: usize = 16;

/// How the gradients of a model are cut up for sending.
///
/// The gradients lie one after the other, the last parameter first, because a backward pass completes it
/// first. This sequence is cut into buckets of equal size. Each rank adds up one slice of each bucket:
///
/// ```text
/// parameters   | 5 | 4     | 3  | 2 | 1          | 0      |
/// buckets      |     0     |     1     |     2     |    3   |
/// slices       | 0 | 1 | 2 | 0 | 1 | 2 | ...                     of 3 ranks
/// ```
///
/// A rank sends, for each slice and one rank after the other, the sums of its [nodes](super::Sum).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where the gradient of each parameter lies in the sequence; empty if it has none.
    places: Vec<Range<usize>>,
    buckets: Vec<Range<usize>>,
    /// The nodes that each rank sends.
    nodes: Vec<Vec<Block>>,
    shards: usize,
    rank: usize,
}

impl Layout {
    /// The layout for gradients with these numbers of elements, 0 for a parameter without one, on rank `rank`
    /// of `size`.
    pub fn new(lengths: &[usize], bytes_per_element: usize, shards: usize, rank: usize, size: usize) -> Self {
        let mut places = vec![0..0; lengths.len()];
        let mut end = 0;
        for (place, length) in places.iter_mut().zip(lengths).rev() {
            *place = end..end + length;
            end += length;
        }
        let count = (end * bytes_per_element / MIN_BUCKET_BYTES).clamp(1, MAX_BUCKETS);
        let buckets = (0..count).map(|i| share(end, i, count)).collect();
        let nodes = (0..size).map(|rank| largest_nodes(share(shards, rank, size), shards)).collect();
        Self { places, buckets, nodes, shards, rank }
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// This rank.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The number of buckets.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The number of elements in a bucket.
    pub fn bucket_len(&self, bucket: usize) -> usize {
        self.buckets[bucket].len()
    }

    /// The nodes that each rank sends.
    pub fn nodes(&self) -> &[Vec<Block>] {
        &self.nodes
    }

    /// The number of nodes that this rank sends.
    pub fn own_nodes(&self) -> usize {
        self.nodes[self.rank].len()
    }

    /// Whether this parameter has a gradient.
    pub fn has(&self, param: usize) -> bool {
        self.places.get(param).is_some_and(|place| !place.is_empty())
    }

    /// The number of parameters.
    pub fn params(&self) -> usize {
        self.places.len()
    }

    /// The elements of a bucket that each rank adds up.
    pub fn slices(&self, bucket: usize) -> impl Iterator<Item = Range<usize>> {
        let size = self.nodes.len();
        (0..size).map(move |rank| share(self.buckets[bucket].len(), rank, size))
    }

    /// The parts of each bucket that belong to the gradient of a parameter: the bucket, the elements in it,
    /// and the elements of the gradient.
    pub fn parts(&self, param: usize) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> {
        let place = self.places[param].clone();
        self.buckets.iter().enumerate().filter_map(move |(i, bucket)| {
            let both = place.start.max(bucket.start)..place.end.min(bucket.end);
            let shifted = |start: usize| both.start - start..both.end - start;
            (!both.is_empty()).then(|| (i, shifted(bucket.start), shifted(place.start)))
        })
    }

    /// Copies a part of the sum of this rank's node number `node` into the buffer to send. `at` are the
    /// elements in the bucket.
    pub fn pack<T: Copy>(&self, send: &mut [T], bucket: usize, node: usize, at: Range<usize>, values: &[T]) {
        for slice in self.slices(bucket) {
            let both = at.start.max(slice.start)..at.end.min(slice.end);
            if !both.is_empty() {
                let first = self.own_nodes() * slice.start + node * slice.len();
                send[first + both.start - slice.start..first + both.end - slice.start]
                    .copy_from_slice(&values[both.start - at.start..both.end - at.start]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_in_one_place() {
        let lengths = [3, 0, 700_000, 5, 400_001];
        let layout = Layout::new(&lengths, 4, 5, 1, 3);
        assert_eq!((layout.buckets(), layout.own_nodes()), (8, 2));
        let mut seen: Vec<Vec<bool>> = (0..8).map(|b| vec![false; layout.bucket_len(b)]).collect();
        for (param, length) in lengths.into_iter().enumerate() {
            let mut next = 0;
            for (bucket, at, of) in layout.parts(param) {
                assert_eq!((of.start, of.len()), (next, at.len()));
                next = of.end;
                at.for_each(|i| assert!(!std::mem::replace(&mut seen[bucket][i], true)));
            }
            assert_eq!((next, layout.has(param)), (length, length > 0));
        }
        assert!(seen.iter().flatten().all(|seen| *seen));
        // The last parameter comes first.
        assert_eq!(layout.parts(4).next().map(|part| part.1.start), Some(0));
    }

    #[test]
    fn a_slice_holds_the_nodes_one_after_the_other() {
        // Rank 1 of 3 computes shards 1 and 2 of 5, which are no node of the tree.
        let layout = Layout::new(&[6], 4, 5, 1, 3);
        let mut send = vec![0; 12];
        layout.pack(&mut send, 0, 0, 0..6, &[1, 2, 3, 4, 5, 6]);
        layout.pack(&mut send, 0, 1, 1..4, &[20, 30, 40]);
        assert_eq!(send, [1, 2, 0, 20, 3, 4, 30, 40, 5, 6, 0, 0]);
    }
}
