//! `m2g doctor`: reports the hardware, its limits, and what slows training down.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use m2g_core::data::catalogue;
use m2g_core::train::run_folder::CONFIG;
use serde::Serialize;

use crate::bench::peers::Python;
use crate::flags::RUNS;
use crate::machine::{Limits, Machine};
use crate::output;
use crate::runs::folders::folders;
use crate::terminal::lines::{entry_at, wrap};
use crate::terminal::program::with_program;
use crate::terminal::width::columns;

/// Report this machine's hardware and limits, where m2g looks for data, and what slows training
/// down.
///
/// The kernels use the best instruction set that the processor has. The environment variable
/// M2G_INSTRUCTION_SET makes any command use a lower one instead: amx, avx512-bf16, avx512, avx2, neon
/// or baseline. A result then has the bits that a machine with no better one computes, if its system is the same.
#[derive(Args)]
pub struct Doctor {
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// The column in which the text of a finding starts.
const NAME_COLUMNS: usize = 14;

/// The findings.
#[derive(Serialize)]
#[serde(tag = "event", rename = "doctor")]
struct Findings {
    version: &'static str,
    build: &'static str,
    machine: Machine,
    /// The limits with one thread.
    one_thread: Limits,
    /// The limits with the threads that training uses.
    all_threads: Limits,
    data: Data,
    runs: Runs,
    /// The Python of `bench --against`.
    python: Option<Python>,
    /// Why Python cannot be used.
    python_missing: Option<String>,
    /// What slows training down.
    warnings: Vec<String>,
}

/// The location of MNIST.
#[derive(Serialize)]
struct Data {
    /// The searched folders, in order.
    looked_for_in: Vec<String>,
    /// The first folder that holds all files.
    mnist: Option<String>,
    /// The error in the files, or the reason why none were found.
    wrong: Option<String>,
}

/// The runs.
#[derive(Serialize)]
struct Runs {
    folder: String,
    count: usize,
    /// Why the folder cannot be read.
    wrong: Option<String>,
}

impl Doctor {
    /// Inspects the machine, measures for about a second, and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let findings = Findings::new()?;
        match self.json {
            true => output::line(serde_json::to_string(&findings)?)?,
            false => findings.print()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Findings {
    fn new() -> anyhow::Result<Self> {
        let machine = Machine::here();
        let all_threads = Limits::measure(0)?;
        let (python, python_missing) = match Python::find() {
            Ok(python) => (Some(python), None),
            Err(why) => (None, Some(why)),
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            one_thread: Limits::measure(1)?,
            data: Data::find()?,
            runs: Runs::find(),
            python,
            python_missing,
            warnings: warnings(&machine, all_threads.threads, cfg!(debug_assertions)),
            machine,
            all_threads,
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        let line = |name: &str, text: String| output::line(entry_at(NAME_COLUMNS, name, &text, columns()));
        let (machine, all) = (&self.machine, &self.all_threads);
        line("m2g", format!("{} ({} build)", self.version, self.build))?;
        line("processor", format!("{}, {}, {}", machine.processor, machine.architecture, machine.system))?;
        let found = match machine.instruction_sets[..] {
            [] => "none of the relevant ones".into(),
            _ => machine.instruction_sets.join(", "),
        };
        line("instructions", format!("{found}; the kernels use {}", machine.kernels_use))?;
        line(
            "threads",
            format!("{} in use, {} logical processors", all.threads, machine.logical_processors),
        )?;
        if let (Some(whole), Some(free)) = (machine.memory, machine.memory_available) {
            let gb = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            line("memory", format!("{:.1} GiB, {:.1} GiB of it free", gb(whole), gb(free)))?;
        }
        let caches: Vec<String> = machine
            .caches
            .iter()
            .map(|c| format!("L{} {} {}", c.level, c.kind.to_lowercase(), c.size))
            .collect();
        if !caches.is_empty() {
            line("caches", caches.join(", "))?;
        }
        let both = |of: fn(&Limits) -> f64| (of(&self.one_thread), of(all));
        let (one, more) = both(|limits| limits.copy_gb_per_s);
        let n = all.threads;
        line(
            "bandwidth",
            format!(
                "{one:.1} GB/s with 1 thread, {more:.1} GB/s with {n}, when copying (bytes read plus bytes written)"
            ),
        )?;
        let rate = |(one, more): (f64, f64)| {
            format!("{one:.0} GFLOP/s with 1 thread, {more:.0} GFLOP/s with {n}, in matrix products")
        };
        line("f32 peak", rate(both(|limits| limits.f32_gflops)))?;
        line("bf16 peak", format!("{}, {}", rate(both(|limits| limits.bf16_gflops)), machine.bf16_path))?;
        line("MNIST", self.data.text())?;
        line("searched", self.data.looked_for_in.join(", "))?;
        line("runs", self.runs.text())?;
        line("Python", with_program(&self.python()))?;
        match self.warnings.is_empty() {
            true => output::line("nothing here slows training down"),
            false => self
                .warnings
                .iter()
                .try_for_each(|warning| output::line(wrap(&format!("warning: {warning}"), columns(), 2))),
        }
    }

    /// The Python of `bench --against`.
    fn python(&self) -> String {
        let Some(found) = &self.python else {
            let why = self.python_missing.as_deref().unwrap_or_default();
            return format!("not found ({why}); only `m2g bench --against` needs it");
        };
        let packages = ["torch", "numpy", "transformers"].map(|name| match found.packages.get(name) {
            Some(version) => format!("{name} {version}"),
            None => format!("no {name}"),
        });
        format!("{}, {}; only `m2g bench --against` needs it", found.python, packages.join(", "))
    }
}

impl Data {
    fn find() -> anyhow::Result<Self> {
        let mnist = catalogue::named("mnist")?;
        let looked_for_in = catalogue::places(mnist).iter().map(|dir| dir.display().to_string()).collect();
        Ok(match catalogue::find(mnist.name, None) {
            Err(error) => Self { looked_for_in, mnist: None, wrong: Some(error.to_string()) },
            Ok(dir) => {
                let check = |file| match catalogue::local(&dir, file) {
                    Some(path) => catalogue::check(&path, file).err().map(|error| error.to_string()),
                    None => Some(format!("{} is missing", file.name)),
                };
                let wrong = mnist.files.iter().find_map(check);
                Self { looked_for_in, mnist: Some(dir.display().to_string()), wrong }
            }
        })
    }

    fn text(&self) -> String {
        match (&self.mnist, &self.wrong) {
            (Some(dir), None) => {
                format!("complete, in {}", Path::new(dir).canonicalize().unwrap_or(dir.into()).display())
            }
            (Some(dir), Some(wrong)) => format!("damaged, in {dir}: {wrong}"),
            (None, wrong) => wrong.clone().unwrap_or_default(),
        }
    }
}

impl Runs {
    fn find() -> Self {
        let folder = std::path::absolute(RUNS).unwrap_or(RUNS.into());
        let (runs, wrong) = match folders() {
            Ok(runs) => (runs, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let count = runs.iter().filter(|run| run.join(CONFIG).is_file()).count();
        Self { folder: folder.display().to_string(), count, wrong }
    }

    fn text(&self) -> String {
        match &self.wrong {
            Some(wrong) => wrong.clone(),
            None => format!("{} in {}", self.count, self.folder),
        }
    }
}

/// What slows training down, one sentence each.
fn warnings(machine: &Machine, threads: usize, debug: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if debug {
        let how = "build with `cargo build --release`, or run with `cargo run --release --`";
        warnings.push(format!("this is a debug build, which is slower: {how}"));
    }
    match (threads, machine.logical_processors) {
        (1, 1) => warnings.push("there is only one processor: training uses one thread".into()),
        (1, n) => warnings
            .push(format!("only one of {n} processors is used: check whether RAYON_NUM_THREADS is set")),
        _ => {}
    }
    let is_chosen = machine.kernels_use != machine.best_for_kernels;
    if machine.kernels_use == "SSE2" {
        let missing = ["AVX2", "FMA"].into_iter().find(|set| !machine.instruction_sets.contains(set));
        let why: String = match missing {
            _ if is_chosen => "M2G_INSTRUCTION_SET chooses the baseline".into(),
            Some(missing) => format!("the processor has no {missing}"),
            None => "the processor, or a virtual machine that hides it, has AVX2 without BMI or LZCNT".into(),
        };
        warnings
            .push(format!("{why}: training takes several times as long, and generation about fifty times"));
    } else if is_chosen {
        warnings
            .push(format!("M2G_INSTRUCTION_SET keeps the kernels from using {}", machine.best_for_kernels));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_machines_get_a_warning() {
        let mut machine = Machine::here();
        machine.instruction_sets = vec!["SSE2", "AVX2", "FMA"];
        (machine.kernels_use, machine.best_for_kernels) = ("AVX2 and FMA", "AVX2 and FMA");
        machine.logical_processors = 4;
        assert!(warnings(&machine, 4, false).is_empty());
        machine.best_for_kernels = "AVX-512";
        assert!(warnings(&machine, 4, false)[0].ends_with("keeps the kernels from using AVX-512"));
        machine.kernels_use = "SSE2";
        assert!(warnings(&machine, 4, false)[0].starts_with("M2G_INSTRUCTION_SET chooses the baseline: "));
        machine.best_for_kernels = "SSE2";
        assert!(warnings(&machine, 4, false)[0].contains("without BMI"));
        machine.instruction_sets.pop();
        assert!(warnings(&machine, 4, false)[0].starts_with("the processor has no FMA: "));
        machine.instruction_sets.pop();
        let all = warnings(&machine, 1, true);
        assert!(all.len() == 3 && all[1].contains("one of 4") && all[2].contains("AVX2"), "{all:?}");
    }
}
