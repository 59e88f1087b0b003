//! The memory that training needs, estimated before any of it is allocated, and the memory that there is.
//!
//! Training holds, of a model with N parameters, in elements of 4 bytes:
//!
//! ```text
//! N                    the parameters
//! N                    their best values so far
//! N                    their gradients
//! N log2(shards)       sums of gradients that wait for others, if a step is cut into shards
//! the optimiser        2 N for AdamW, N for momentum
//! activations          the values of one forward and backward pass, which the model estimates
//! ```

use std::fs::read_to_string;
use std::path::Path;

use crate::Error;

/// The numbers of elements that training a model holds at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// N, the elements of all parameters. This number is exact.
    pub parameters: u64,
    /// The elements of the optimiser's tensors.
    pub optimizer: u64,
    /// The elements of the values of one forward and backward pass, and of the batches of a step, roughly.
    pub activations: u64,
    /// The sums of gradients, of N elements each, that wait for those of other shards.
    pub waiting_sums: u64,
}

/// Bytes of an element, a single-precision float.
const BYTES_PER_ELEMENT: u64 = 4;

/// Copies of the parameters: themselves, their best values, their gradients. Waiting sums come on top.
const COPIES: u64 = 3;

/// A smaller need is not compared with the available memory. Reading that takes 60 us, as long as a small model
/// takes for two tokens.
const FEW_BYTES: u64 = 16 << 20;

/// From this share of the available memory on, a run may not fit: the estimate is rough.
const NEAR: f64 = 0.8;

impl Footprint {
    /// The bytes that training needs.
    pub fn bytes(&self) -> u64 {
        self.of_parameters().saturating_add(self.activations).saturating_mul(BYTES_PER_ELEMENT)
    }

    /// The elements for parameters, gradients and the optimiser.
    fn of_parameters(&self) -> u64 {
        let copies = self.waiting_sums.saturating_add(COPIES);
        self.parameters.saturating_mul(copies).saturating_add(self.optimizer)
    }

    /// Compares the need with the available memory. Returns a warning if it is near.
    ///
    /// # Errors
    /// [`Error::Memory`] if training needs more than there is.
    pub fn check(&self) -> Result<Option<String>, Error> {
        available().map_or(Ok(None), |available| self.check_against(available))
    }

    fn check_against(&self, available: u64) -> Result<Option<String>, Error> {
        let needed = self.bytes();
        if needed > available {
            let bytes = |elements: u64| readable(elements.saturating_mul(BYTES_PER_ELEMENT));
            return Err(Error::Memory {
                what: "training this model",
                needed: format!(
                    "{} ({} for parameters, gradients and the optimizer, {} for the values of a step)",
                    readable(needed),
                    bytes(self.of_parameters()),
                    bytes(self.activations)
                ),
                available: readable(available),
                advice: "use a smaller model, a smaller batch, or fewer batches in a step",
            });
        }
        let near = needed as f64 > NEAR * available as f64;
        Ok(near.then(|| {
            format!(
                "training needs about {} of the {} of memory that are available: if it ends early, use a smaller \
                 model or batch",
                readable(needed),
                readable(available)
            )
        }))
    }
}

/// Checks that there is memory for tensors with this number of elements in total. `what` and `advice` are
/// for the message.
///
/// # Errors
/// [`Error::Memory`] if there is not.
pub fn check(elements: u64, what: &'static str, advice: &'static str) -> Result<(), Error> {
    let needed = elements.saturating_mul(BYTES_PER_ELEMENT);
    if needed < FEW_BYTES {
        return Ok(());
    }
    match available() {
        Some(available) if needed > available => {
            let (needed, available) = (readable(needed), readable(available));
            Err(Error::Memory { what, needed, available, advice })
        }
        _ => Ok(()),
    }
}

/// How many pieces of work may run side by side if each holds this number of elements: at most `most`, at least one,
/// and no more than half of the available memory has room for.
pub fn at_once(elements: u64, most: usize) -> usize {
    let bytes = elements.saturating_mul(BYTES_PER_ELEMENT);
    match most {
        0 | 1 => 1,
        _ => at_once_in(bytes, most, available()),
    }
}

fn at_once_in(bytes: u64, most: usize, available: Option<u64>) -> usize {
    let room = available.map_or(u64::MAX, |available| available / 2 / bytes.max(1));
    most.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

/// The product of lengths, which may be absurd; at most `u64::MAX`.
pub fn elements(lengths: &[usize]) -> u64 {
    lengths.iter().fold(1, |n: u64, &length| n.saturating_mul(length as u64))
}

/// The sum of numbers of elements, which may be absurd; at most `u64::MAX`.
pub fn sum(terms: &[u64]) -> u64 {
    terms.iter().fold(0, |sum: u64, term| sum.saturating_add(*term))
}

/// The elements of the tensors of AdamW: two moments, and the parameters of the last evaluations if they are averaged.
pub fn of_adamw(parameters: u64, average: usize) -> u64 {
    let kept = if average > 1 { average } else { 0 };
    parameters.saturating_mul(2 + kept as u64)
}

/// The elements that passes need which take turns on a tape, each with the length of its batch. A buffer also serves
/// tensors of half its length, but no shorter ones. So of two passes whose lengths differ by more, both need all of
/// theirs; of others, the shorter one needs what it has more of for each unit of length.
pub fn in_turn(mut passes: Vec<(usize, u64)>) -> u64 {
    passes.sort_unstable_by_key(|&pass| std::cmp::Reverse(pass));
    let (mut all, mut longest, mut of_each) = (0_u64, usize::MAX, 0_u64);
    for (length, elements) in passes {
        if length < longest / 2 {
            (longest, of_each) = (length, 0);
        }
        let there = of_each.saturating_mul(length as u64);
        all = all.saturating_add(elements.saturating_sub(there));
        of_each = of_each.max(elements / (length as u64).max(1));
    }
    all
}

/// Bytes of memory that this process can still get, where the system says so: the least of what is free
/// on the machine, in the control groups of the process, and below its limit of addresses.
pub fn available() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemAvailable:"));
    let limits = [machine, groups(), addresses()];
    limits.into_iter().flatten().min()
}

/// What is free below the limits of the control groups, of version 2 or 1.
fn groups() -> Option<u64> {
    let number = |path: &Path| read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let own = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_string();
    let root = Path::new("/sys/fs/cgroup");
    let version_2 = root.join(own).ancestors().map(Path::to_path_buf).collect::<Vec<_>>();
    let mut all = Vec::new();
    for group in version_2.iter().filter(|group| group.starts_with(root)) {
        let limit = number(&group.join("memory.max"));
        all.extend(limit.zip(number(&group.join("memory.current"))).map(|found| (group.clone(), found)));
    }
    let group = root.join("memory");
    let limit = number(&group.join("memory.limit_in_bytes"));
    all.extend(limit.zip(number(&group.join("memory.usage_in_bytes"))).map(|found| (group, found)));
    let free = |(group, (limit, used)): (std::path::PathBuf, (u64, u64))| {
        // The system drops cached files when memory is needed.
        let stat = read_to_string(group.join("memory.stat")).unwrap_or_default();
        let cached = ["inactive_file ", "active_file "].map(|key| field(&stat, key).unwrap_or(0));
        limit.saturating_sub(used.saturating_sub(cached.iter().sum()))
    };
    all.into_iter().map(free).min()
}

/// What is left of the limit of addresses (`ulimit -v`); `None` without a limit.
fn addresses() -> Option<u64> {
    let limit = field(&read_to_string("/proc/self/limits").ok()?, "Max address space ")?;
    let used = kilobytes(&read_to_string("/proc/self/status").ok()?, "VmSize:")?;
    Some(limit.saturating_sub(used))
}

/// The number after a key at the start of a line.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}

/// [`field`] of a number of kilobytes, in bytes.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    field(text, key).map(|kilobytes| kilobytes << 10)
}

/// A number of bytes for people: `1.5 GB`.
fn readable(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let decimals = if unit == 0 || value >= 100.0 { 0 } else { 1 };
    format!("{value:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SMALL: Footprint =
        Footprint { parameters: 1000, optimizer: 2000, activations: 5000, waiting_sums: 0 };

    #[test]
    fn as_many_run_at_once_as_half_of_the_memory_has_room_for() {
        for (bytes, most, available, want) in [
            (100, 8, Some(1000), 5),
            (100, 3, Some(1000), 3),
            (100, 8, Some(10), 1),
            (0, 8, Some(10), 5),
            (100, 8, None, 8),
            (u64::MAX, 8, Some(1000), 1),
            (100, 0, Some(1000), 1),
        ] {
            assert_eq!(at_once_in(bytes, most, available), want, "{bytes} {most} {available:?}");
        }
    }

    #[test]
    fn passes_of_similar_length_take_turns_in_the_same_memory() {
        // Lengths, and how many tensors of that length there are.
        let need = |passes: &[(usize, u64)]| {
            in_turn(passes.iter().map(|&(length, n)| (length, n * length as u64)).collect())
        };
        for (passes, want) in [
            (vec![], 0),
            (vec![(8, 3), (8, 5)], 5 * 8),
            (vec![(8, 3), (16, 5)], 5 * 16),
            (vec![(8, 5), (16, 3)], 3 * 16 + 2 * 8),
            (vec![(8, 3), (18, 5)], 5 * 18 + 3 * 8),
            (vec![(10, 1), (24, 2), (1, 4), (16, 3), (6, 2)], 2 * 24 + 16 + 10 + 6 + 4),
        ] {
            assert_eq!(need(&passes), want, "{passes:?}");
        }
        assert_eq!(in_turn(vec![(1, u64::MAX), (9, 1), (0, 5)]), u64::MAX);
    }

    #[test]
    fn a_model_larger_than_the_memory_is_refused_with_the_figures() {
        assert_eq!(SMALL.bytes(), 40_000);
        assert_eq!(SMALL.check_against(60_000).unwrap(), None);
        let warning = SMALL.check_against(45_000).unwrap().unwrap();
        assert!(warning.starts_with("training needs about 40.0 kB of the 45.0 kB of memory"), "{warning}");
        let error = SMALL.check_against(39_999).unwrap_err().to_string();
        let figures = "about 40.0 kB (20.0 kB for parameters, gradients and the optimizer, 20.0 kB for the values \
                       of a step) of memory, but 40.0 kB are available";
        assert!(error.contains(figures), "{error}");
        let sharded = Footprint { waiting_sums: 3, ..SMALL };
        assert_eq!(sharded.bytes(), 52_000);
        let error = sharded.check_against(1).unwrap_err().to_string();
        assert!(error.contains("about 52.0 kB (32.0 kB for parameters, gradients"), "{error}");
        let absurd = Footprint { parameters: u64::MAX, optimizer: u64::MAX, activations: 1, waiting_sums: 1 };
        assert!(absurd.check_against(u64::MAX - 1).is_err());
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        assert_eq!(elements(&[2, 3]), 6);
        assert_eq!(elements(&[usize::MAX, usize::MAX, 4]), u64::MAX);
    }

    #[test]
    fn the_files_of_linux_are_read() {
        assert_eq!(kilobytes("MemTotal: 9 kB\nMemAvailable:   2048 kB\n", "MemAvailable:"), Some(2 << 20));
        let limits = "Limit   Soft Limit  Hard Limit\nMax address space  4096  unlimited  bytes\n";
        assert_eq!(field(limits, "Max address space "), Some(4096));
        assert_eq!(field("Max address space  unlimited  unlimited  bytes\n", "Max address space "), None);
        if cfg!(target_os = "linux") {
            assert!(available().unwrap() > 1 << 20);
        }
    }

    #[test]
    fn bytes_are_readable() {
        let bytes = [999, 1500, 150_000_000_000, u64::MAX].map(readable);
        assert_eq!(bytes, ["999 bytes", "1.5 kB", "150 GB", "18.4 EB"]);
    }
}
