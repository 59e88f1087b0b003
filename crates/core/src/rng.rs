//! Random numbers: one seed, and separate streams with a name and an index.
//!
//! A stream depends only on its seed, name and index, such as `("shuffle", epoch)`. There is no
//! shared state, so evaluations, the number of threads, and stopping and resuming a training run
//! change no stream.
//!
//! The bits come from ChaCha8, which is the same on every machine. The distributions (uniform,
//! normal, permutations) are implemented here: those of `rand` may change between versions, and a
//! seed in a lab book must keep its meaning.

use rand::SeedableRng;
use rand::rand_core::Rng;
pub use rand::rngs::ChaCha8Rng;

/// All random streams of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of one seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Stream `index` of those named `name`.
    pub fn stream(&self, name: &str, index: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&hash(name).to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index);
        rng
    }

    /// The key of the dropout masks of one training step.
    pub fn dropout(&self, step: u64) -> DropoutKey {
        self.dropout_of_shard(step, 0)
    }

    /// The key of the dropout masks of one shard of a training step: the next number of the step's stream.
    pub fn dropout_of_shard(&self, step: u64, shard: usize) -> DropoutKey {
        let mut stream = self.stream("dropout", step);
        // A number takes two words of 32 bits.
        stream.set_word_pos(2 * shard as u128);
        DropoutKey(stream.next_u64())
    }
}

/// FNV-1a hash of a stream's name.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// A key that gives random bits for every index, in any order. They are cheap enough to compute in
/// `forward` and again in `backward`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey(u64);

impl DropoutKey {
    /// The key of the next dropout in the same step.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x2545_f491_4f6c_dd1d))
    }

    /// 32 random bits for index `start + i`, as a function of `i`: two rounds of an integer mixer,
    /// one for each half of the key, in 32-bit arithmetic that vectorises.
    #[inline(always)]
    pub(crate) fn random_from(self, start: u64) -> impl Fn(u32) -> u32 + Sync {
        let (low_key, high_key) = (self.0 as u32, (self.0 >> 32) as u32);
        let (first, high) = (start as u32, (start >> 32) as u32);
        let spread = |high: u32| high_key ^ high.wrapping_mul(0x9e37_79b9);
        let (here, behind) = (spread(high), spread(high.wrapping_add(1)));
        move |distance| {
            let low = first.wrapping_add(distance);
            mix(mix(low ^ low_key) ^ if low < first { behind } else { here })
        }
    }
}

/// A bijection of 32 bits in which every input bit changes every output bit with
/// probability near 1/2 (constants: murmur3's finaliser, public domain).
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// Uniformly distributed in `[0, 1)`, with 53 random bits.
pub fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Normally distributed with mean 0 and standard deviation 1 (Box and Muller 1958).
pub fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

/// Uniformly distributed in `0..n`, without bias (Lemire 2019).
///
/// # Panics
/// If `n` is 0.
pub fn below(rng: &mut impl Rng, n: u32) -> u32 {
    assert!(n > 0, "no integer is below 0");
    loop {
        let wide = u64::from(rng.next_u32()) * u64::from(n);
        // Rejects the lowest 2^32 mod n values of the low half, which would bias the result.
        if wide as u32 >= n.wrapping_neg() % n {
            return (wide >> 32) as u32;
        }
    }
}

/// The integers `0..n` in random order (Fisher and Yates).
pub fn permutation(rng: &mut impl Rng, n: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i as usize, below(rng, i + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden values: a seed must always give the same network.
    #[test]
    fn the_streams_never_change() {
        let mut rng = Streams::new(1).stream("init", 0);
        let first: Vec<u64> = (0..2).map(|_| rng.next_u64()).collect();
        assert_eq!(first, GOLDEN, "{first:#x?}");
        assert_eq!(permutation(&mut Streams::new(1).stream("shuffle", 3), 8), GOLDEN_ORDER);
        assert_eq!(Streams::new(1).dropout(5).random_from(6)(0), GOLDEN_DROPOUT);
    }
    const GOLDEN: [u64; 2] = [0x47c3_d5b0_5bae_91ed, 0xb9a1_fcac_0211_a088];
    const GOLDEN_ORDER: [u32; 8] = [7, 3, 2, 1, 0, 6, 5, 4];
    const GOLDEN_DROPOUT: u32 = 53_933_317;

    #[test]
    fn names_and_indices_give_different_streams() {
        let first = |name, index| Streams::new(1).stream(name, index).next_u64();
        let all = [first("a", 0), first("a", 1), first("b", 0), Streams::new(2).stream("a", 0).next_u64()];
        for (i, x) in all.iter().enumerate() {
            assert!(!all[..i].contains(x));
        }
    }

    #[test]
    fn normal_has_mean_0_and_variance_1() {
        let mut rng = Streams::new(3).stream("test", 0);
        let xs: Vec<f64> = (0..200_000).map(|_| normal(&mut rng)).collect();
        let n = xs.len() as f64;
        let mean = xs.iter().sum::<f64>() / n;
        let variance = xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn below_reaches_every_integer_equally_often() {
        let mut rng = Streams::new(3).stream("test", 1);
        let mut counts = [0; 7];
        (0..70_000).for_each(|_| counts[below(&mut rng, 7) as usize] += 1);
        assert!(counts.iter().all(|&c| (9_500..10_500).contains(&c)), "{counts:?}");
    }

    #[test]
    fn a_permutation_contains_every_integer_once() {
        let mut order = permutation(&mut Streams::new(9).stream("test", 2), 1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..1000));
    }

    #[test]
    fn dropout_bits_depend_on_the_index_alone() {
        let key = Streams::new(4).dropout(3);
        let end_of_32_bits = u64::from(u32::MAX) - 5;
        for start in [0, 1_000_000, end_of_32_bits, 7 << 32] {
            for i in 0..20 {
                assert_eq!(key.random_from(start)(i), key.random_from(start + u64::from(i))(0));
            }
        }
        assert_ne!(key.random_from(5)(0), key.random_from(5 + (1 << 32))(0));
    }

    #[test]
    fn dropout_bits_are_fair() {
        let key = Streams::new(4).dropout(0);
        assert_ne!(Streams::new(4).dropout_of_shard(0, 1), key, "each shard drops others");
        for bit in 0..32 {
            let ones = (0..10_000).filter(|&i| key.random_from(0)(i) >> bit & 1 == 1).count();
            assert!((4_700..5_300).contains(&ones), "bit {bit}: {ones}");
        }
    }
}
