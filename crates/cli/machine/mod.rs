//! The machine: its hardware and, in `limits.rs`, its speed limits.

mod limits;

use std::fs;
use std::thread::available_parallelism;

use anyhow::bail;
use m2g_core::Error;
use serde::Serialize;

pub use limits::{Limits, median_product_gflops, peak};

/// The hardware of the machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The name of the processor.
    pub processor: String,
    /// For example `x86_64`.
    pub architecture: &'static str,
    /// For example `linux`.
    pub system: &'static str,
    /// The relevant instruction sets that are available.
    pub instruction_sets: Vec<&'static str>,
    /// The instruction set that the element-wise kernels use.
    pub kernels_use: &'static str,
    /// The best instruction set that they could use here.
    #[serde(skip)]
    pub best_for_kernels: &'static str,
    /// How matrix products in bf16 are computed, and why.
    pub bf16_path: String,
    /// The number of processors available to this program.
    pub logical_processors: usize,
    /// Bytes of memory, where the system reports it.
    pub memory: Option<u64>,
    /// Bytes of memory that this program can get.
    pub memory_available: Option<u64>,
    /// The caches of the first processor, where the system reports them.
    pub caches: Vec<Cache>,
}

/// A cache.
#[derive(Debug, Clone, Serialize)]
pub struct Cache {
    /// The level; 1 is closest to the processor.
    pub level: u32,
    /// `Data`, `Instruction` or `Unified`.
    pub kind: String,
    /// For example `32K`.
    pub size: String,
}

impl Machine {
    /// Queries the system.
    pub fn here() -> Self {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            architecture: std::env::consts::ARCH,
            system: std::env::consts::OS,
            instruction_sets: m2g_core::available_instruction_sets(),
            kernels_use: m2g_core::instruction_set(),
            best_for_kernels: m2g_core::best_instruction_set(),
            bf16_path: m2g_core::Bf16Path::in_use().reason(),
            logical_processors: available_parallelism().map_or(1, usize::from),
            memory: bytes_of(&memory, "MemTotal"),
            memory_available: m2g_core::memory::available(),
            caches: caches(),
        }
    }
}

/// The environment variable that names the instruction set of the kernels.
const INSTRUCTION_SET: &str = "M2G_INSTRUCTION_SET";

/// Makes the kernels use the instruction set that [`INSTRUCTION_SET`] names, if it is set.
pub fn choose_instruction_set() -> anyhow::Result<()> {
    // An empty variable is one that is not set.
    let name = std::env::var_os(INSTRUCTION_SET).filter(|name| !name.is_empty());
    let Some(name) = name else { return Ok(()) };
    match m2g_core::use_instruction_set(&name.to_string_lossy()) {
        Err(Error::Setting { value, rule, .. }) => bail!("{INSTRUCTION_SET} is {value}: {rule}"),
        chosen => Ok(chosen?),
    }
}

/// The text after `key:` at the start of a line, as in Linux's /proc files.
pub fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let after = |line: &'a str| Some(line.strip_prefix(key)?.trim_start().strip_prefix(':')?.trim());
    text.lines().find_map(after)
}

/// The bytes after `key:`, for which Linux's /proc files write kB for 1024 bytes.
pub fn bytes_of(text: &str, key: &str) -> Option<u64> {
    let kib: u64 = field(text, key)?.trim_end_matches(" kB").parse().ok()?;
    Some(kib << 10)
}

/// The name of the processor. On AArch64, Linux has the name of the board at most, and two numbers.
fn processor(cpuinfo: &str) -> String {
    let found = |key| field(cpuinfo, key).filter(|text| !text.is_empty());
    if let Some(name) = found("model name").or_else(|| found("Model")) {
        return name.into();
    }
    match (found("CPU implementer"), found("CPU part")) {
        (Some(implementer), Some(part)) => format!("implementer {implementer}, part {part}"),
        _ => "unknown".into(),
    }
}

fn caches() -> Vec<Cache> {
    let read = |index: usize, what: &str| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}");
        fs::read_to_string(path).ok().map(|text| text.trim().to_string())
    };
    let cache = |index| {
        Some(Cache {
            level: read(index, "level")?.parse().ok()?,
            kind: read(index, "type")?,
            size: read(index, "size")?,
        })
    };
    (0..).map_while(cache).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_proc_files_are_parsed() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Processor: 2 GHz\nflags\t: sse2\n";
        assert_eq!(processor(cpuinfo), "A Processor: 2 GHz");
        assert_eq!([processor(""), processor("model name\t:\n")], ["unknown", "unknown"]);
        let numbers = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n";
        assert_eq!(processor(numbers), "implementer 0x41, part 0xd40");
        assert_eq!(processor(&format!("{numbers}\nModel\t\t: A Board\n")), "A Board");
        assert_eq!(field("MemTotal:  2048 kB\n", "MemTotal"), Some("2048 kB"));
        assert_eq!(field("VmHWMx: 1 kB", "VmHWM"), None);
        assert_eq!(bytes_of("VmPeak:\t  999999 kB\nVmHWM:\t    2048 kB\n", "VmHWM"), Some(2 << 20));
    }
}
