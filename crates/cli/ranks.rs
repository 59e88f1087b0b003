//! The processes that `mpirun` has started to train together.

use anyhow::bail;
use m2g_core::ranks::Ranks;
use m2g_core::threads;
use m2g_mpi::{Callbacks, Launch, connect};

use crate::interrupt;
use crate::machine::field;
use crate::terminal::notes;

/// Prepares this process, before it does anything else: of several, only the first prints.
pub fn prepare() {
    if Launch::find().is_some_and(|launch| launch.rank > 0) {
        notes::be_silent();
    }
}

/// Refuses a command other than training if several processes run it: each would do the same.
pub fn refuse(command: &str) -> anyhow::Result<()> {
    match Launch::find() {
        Some(Launch { size, .. }) if size > 1 => {
            bail!("{size} processes would do the same: mpirun is for training, so start {command} without it")
        }
        _ => Ok(()),
    }
}

/// Connects the processes of a training run. `expected` is their number, if it was given.
pub fn together(expected: Option<u16>) -> anyhow::Result<Ranks> {
    let size = Launch::find().map_or(1, |launch| launch.size);
    if let Some(expected) = expected.map(usize::from).filter(|expected| *expected != size) {
        let started =
            if size == 1 { "this process runs alone".into() } else { format!("{size} processes run") };
        bail!("{started}, but --ranks-expected is {expected}: start them with mpirun -n {expected}");
    }
    Ok(connect(Callbacks { lost, stopping: interrupt::requested })?)
}

/// Says that a process was lost, whichever process finds it out.
fn lost(name: &str) {
    notes::loud(format_args!(
        "error: {name} does not answer any more, so the run ends: to go on from its last checkpoint, start it again \
         with --resume"
    ));
}

/// The number of threads, if none was given: the processes of a machine share its cores. 0 means one per core.
pub fn default_threads() -> usize {
    let here = Launch::find().map_or(1, |launch| launch.on_this_machine);
    let is_chosen = std::env::var_os(threads::VARIABLE).is_some_and(|number| !number.is_empty());
    // A launcher that has bound each process to its cores has shared them already.
    if here == 1 || is_chosen || is_bound() {
        return 0;
    }
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / here).max(1))
}

/// Whether this process may use fewer processors than the machine has.
fn is_bound() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = field(&status, "Cpus_allowed_list");
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    allowed.is_some_and(|allowed| count(allowed) < count(&online))
}

/// The number of processors in a list such as `0-3,8`.
fn count(list: &str) -> usize {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((number(last)? + 1).saturating_sub(number(first)?))
    });
    ranges.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        for (list, n) in [("0-3\n", 4), ("0,2-3", 3), ("7", 1), ("", 0), ("x", 0)] {
            assert_eq!(count(list), n, "{list}");
        }
    }
}
