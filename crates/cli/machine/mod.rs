//! The machine: what it is (here), and what it can do at most (`limits.rs`).

mod limits;

use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

pub use limits::{Limits, product_gflops, usual_product_gflops};

/// What is known of the machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The name of the processor.
    pub processor: String,
    /// Such as `x86_64`.
    pub architecture: &'static str,
    /// Such as `linux`.
    pub system: &'static str,
    /// The instruction sets that were found, of those that matter here.
    pub instruction_sets: Vec<&'static str>,
    /// The one of them that the element-wise kernels use.
    pub kernels_use: &'static str,
    /// Processors that this program may run on.
    pub logical_processors: usize,
    /// Bytes of memory, where the system tells.
    pub memory: Option<u64>,
    /// Those of them that are free.
    pub memory_available: Option<u64>,
    /// The caches of the first processor, where the system tells.
    pub caches: Vec<Cache>,
}

/// A cache.
#[derive(Debug, Clone, Serialize)]
pub struct Cache {
    /// 1 is the nearest.
    pub level: u32,
    /// `Data`, `Instruction` or `Unified`.
    pub kind: String,
    /// Such as `32K`.
    pub size: String,
}

impl Machine {
    /// Asks the system.
    pub fn here() -> Self {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let bytes = |key| field(&memory, key)?.trim_end_matches(" kB").parse().ok().map(|kb: u64| kb << 10);
        Self {
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            architecture: std::env::consts::ARCH,
            system: std::env::consts::OS,
            instruction_sets: instruction_sets(),
            kernels_use: m2g_core::instruction_set(),
            logical_processors: available_parallelism().map_or(1, usize::from),
            memory: bytes("MemTotal"),
            memory_available: bytes("MemAvailable"),
            caches: caches(),
        }
    }
}

/// The text behind `key:` at the beginning of a line, as the files of Linux have it.
pub fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let after = |line: &'a str| Some(line.strip_prefix(key)?.trim_start().strip_prefix(':')?.trim());
    text.lines().find_map(after)
}

fn processor(cpuinfo: &str) -> String {
    field(cpuinfo, "model name").filter(|name| !name.is_empty()).unwrap_or("unknown").to_string()
}

fn instruction_sets() -> Vec<&'static str> {
    let found: &[(&str, bool)] = &[
        #[cfg(target_arch = "x86_64")]
        ("SSE2", is_x86_feature_detected!("sse2")),
        #[cfg(target_arch = "x86_64")]
        ("AVX2", is_x86_feature_detected!("avx2")),
        #[cfg(target_arch = "x86_64")]
        ("FMA", is_x86_feature_detected!("fma")),
        #[cfg(target_arch = "x86_64")]
        ("AVX-512F", is_x86_feature_detected!("avx512f")),
        #[cfg(target_arch = "x86_64")]
        ("AVX512-BF16", is_x86_feature_detected!("avx512bf16")),
        #[cfg(target_arch = "aarch64")]
        ("NEON", std::arch::is_aarch64_feature_detected!("neon")),
    ];
    found.iter().filter(|(_, here)| *here).map(|(name, _)| *name).collect()
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
    fn the_files_of_linux_are_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Processor: 2 GHz\nflags\t: sse2\n";
        assert_eq!(processor(cpuinfo), "A Processor: 2 GHz");
        assert_eq!([processor(""), processor("model name\t:\n")], ["unknown", "unknown"]);
        assert_eq!(field("MemTotal:  2048 kB\n", "MemTotal"), Some("2048 kB"));
        assert_eq!(field("VmHWMx: 1 kB", "VmHWM"), None);
    }
}
