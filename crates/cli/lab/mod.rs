//! `m2g lab`: experiments with arms that differ in one setting.
//!
//! | file | holds |
//! | --- | --- |
//! | `experiment.rs` | the TOML file: base, tasks, arms |
//! | `trainer.rs` | training of the arms, for any kind of model |
//! | `watch.rs` | progress and measures of a training run |
//! | `trial.rs` | the result of an arm with a seed |
//! | `results.rs` | the file of all results, from which a stopped experiment resumes |
//! | `statistics.rs` | mean, deviation, confidence interval of a difference |
//! | `table.rs` | the final table |

mod experiment;
mod results;
mod statistics;
mod table;
pub mod trainer;
mod trial;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::atomic;
use m2g_core::threads::with_threads;
use serde_json::json;

use self::experiment::{Arm, Experiment, SHIPPED};
use self::results::Results;
use self::trainer::Trainer;
use self::trial::Trial;
use self::watch::Watch;
use crate::flags::run_path;
use crate::plot::curves::{Curve, curves};
use crate::plot::dots::{Dots, dots};
use crate::{interrupt, output};

/// Run an experiment: train each arm with each seed, and compare the arms. Without a name, list
/// the built-in experiments.
#[derive(Args)]
pub struct Lab {
    /// The experiment: score, mask, positions, ablation, digits, or your own TOML file.
    #[arg(value_name = "NAME|FILE.toml")]
    name: Option<String>,
    /// Train only the standard and these arms.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    arms: Vec<String>,
    /// Use these seeds instead of the experiment's.
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Use this text or folder of images instead of the experiment's data.
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Train for N steps (digits: N epochs) instead of the experiment's number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Where to save: a name under runs/lab/, or a path [default: the experiment's name].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Replace existing results.
    #[arg(long)]
    overwrite: bool,
    /// Number of threads; the result is the same for any number [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object per training run and per arm, and a final one, to stdout.
    #[arg(long)]
    json: bool,
}

/// A training run of an experiment.
struct Job<'a> {
    task: Option<&'a Arm>,
    arm: &'a Arm,
    seed: u64,
    /// The index in the trainer.
    run: usize,
}

impl Lab {
    /// Runs the experiment.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Some(name) = &self.name else {
            for (name, _) in SHIPPED {
                let (_, experiment) = Experiment::load(name)?;
                let arms: Vec<&str> = experiment.arms.iter().map(|arm| arm.name.as_str()).collect();
                output::line(format!("{name:<10} {}\n           {}", experiment.about, arms.join(", ")))?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        interrupt::listen();
        with_threads(usize::from(self.threads.unwrap_or(0)), || self.experiment(name))?
    }

    fn experiment(&self, name: &str) -> anyhow::Result<ExitCode> {
        let (short, mut experiment) = Experiment::load(name)?;
        self.apply_flags(&mut experiment)?;
        let folder = match &self.run {
            None => Path::new("runs/lab").join(short),
            Some(name) if run_path(name).starts_with("runs") => Path::new("runs/lab").join(name),
            Some(path) => PathBuf::from(path),
        };
        let mut trainer = experiment.model()?.trainer();
        let jobs = jobs(&experiment, &mut *trainer)?;
        let mut data: Vec<&str> = Vec::new();
        for job in &jobs {
            let fingerprint = trainer.fingerprint(job.run);
            if !data.contains(&fingerprint) {
                data.push(fingerprint);
            }
        }
        // The results are valid only for this experiment and this data.
        let head = json!({"experiment": serde_json::to_value(&experiment)?, "data": data});
        let mut results = Results::open(&folder, &head, self.overwrite)?;
        let toml = toml::to_string(&experiment)?;
        atomic::write(&folder.join("experiment.toml"), |f| std::io::Write::write_all(f, toml.as_bytes()))?;
        eprintln!("{}: {}", name, experiment.about);
        let measures: Vec<&str> = experiment.measures().collect();
        let done = |job: &Job, results: &Results| {
            results.get(job.task.map(|task| task.name.as_str()), &job.arm.name, job.seed).is_some()
        };
        let finished: Vec<bool> = jobs.iter().map(|job| done(job, &results)).collect();
        let steps = |skip: bool| -> u64 {
            let counted = jobs.iter().zip(&finished).filter(|(_, finished)| **finished == skip);
            counted.map(|(job, _)| trainer.steps(job.run)).sum()
        };
        if finished.contains(&true) {
            let n = finished.iter().filter(|finished| **finished).count();
            eprintln!("{n} of {} training runs are already in {}", jobs.len(), folder.display());
        }
        let mut watch = Watch::new(steps(true), steps(true) + steps(false));
        watch.before = steps(true);
        let started = Instant::now();
        for (i, (job, finished)) in jobs.iter().zip(&finished).enumerate() {
            if *finished {
                continue;
            }
            let of_task = job.task.map_or(String::new(), |task| format!(", {}", task.name));
            let label = format!("{}{of_task}, seed {}", job.arm.name, job.seed);
            watch.bar.message(format!("{label} ({} of {})", i + 1, jobs.len()));
            watch.start(measures[0]);
            let ended = trainer.train(job.run, &measures, &mut watch);
            let Some(measured) = watch.result(ended, &measures)? else {
                watch.bar.finish();
                eprintln!(
                    "stopped after {} of {} training runs; run the same command again to resume",
                    results.trials.len(),
                    jobs.len()
                );
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            };
            watch.before += trainer.steps(job.run);
            let trial = Trial {
                task: job.task.map(|task| task.name.clone()),
                arm: job.arm.name.clone(),
                seed: job.seed,
                measures: measured.measures,
                curve: measured.curve,
                diverged: measured.diverged,
                seconds: measured.seconds,
            };
            let outcome = match (&trial.diverged, trial.measures.get(&experiment.measure)) {
                (Some(error), _) => error.clone(),
                (None, Some(value)) => format!("{} {value:.4}", experiment.measure),
                (None, None) => "nothing was measured".into(),
            };
            watch.bar.print_line(&format!("{label:<36} {outcome}  {:.1} s", trial.seconds));
            if self.json {
                let mut line = serde_json::to_value(&trial)?;
                line["event"] = "trial".into();
                output::line(line)?;
            }
            results.add(trial)?;
        }
        watch.bar.finish();
        self.conclude(&experiment, &results, &folder, started)
    }

    /// Applies the flags to the experiment.
    fn apply_flags(&self, experiment: &mut Experiment) -> anyhow::Result<()> {
        if !self.arms.is_empty() {
            experiment.keep_arms(&self.arms)?;
        }
        if !self.seeds.is_empty() {
            experiment.seeds = self.seeds.clone();
        }
        let length = experiment.model()?.length_setting();
        let base = &mut experiment.base;
        if let Some(data) = &self.data {
            let path = Path::new(data);
            let full = std::path::absolute(path).unwrap_or(path.to_path_buf()).display().to_string();
            base.insert("data".into(), if path.exists() { full } else { data.clone() }.into());
        }
        if let Some(steps) = self.steps {
            let steps =
                i64::try_from(steps).map_err(|_| anyhow!("--steps is {steps}: give a smaller number"))?;
            base.insert(length.into(), steps.into());
        }
        experiment.check()
    }

    /// Writes the tables and the drawings.
    fn conclude(
        &self,
        experiment: &Experiment,
        results: &Results,
        folder: &Path,
        started: Instant,
    ) -> anyhow::Result<ExitCode> {
        let mut text = String::new();
        for task in experiment.tasks() {
            let name = task.map(|task| task.name.as_str());
            let rows = table::rows(experiment, results, name);
            let seeds: Vec<String> = experiment.seeds.iter().map(u64::to_string).collect();
            let title = match task {
                Some(task) => format!("{}: {}", task.name, task.about),
                None => experiment.about.clone(),
            };
            text.push_str(&format!("\n{title} (seeds {})\n\n", seeds.join(", ")));
            text.push_str(&table::markdown(experiment, &rows));
            let suffix = name.map_or(String::new(), |name| format!("-{name}"));
            let each: Vec<Dots> =
                rows.iter().map(|row| Dots { name: row.arm.clone(), values: row.values.clone() }).collect();
            dots(&title, &experiment.measure, &each).save(folder, &format!("arms{suffix}"))?;
            let lines: Vec<Curve> =
                experiment.arms.iter().map(|arm| curve(results, name, &arm.name)).collect();
            curves(&title, "step", &lines).save(folder, &format!("curves{suffix}"))?;
            if self.json {
                rows.iter().try_for_each(|row| output::line(table::object(name, row)))?;
            }
        }
        atomic::write(&folder.join("table.md"), |file| std::io::Write::write_all(file, text.as_bytes()))?;
        let seconds = started.elapsed().as_secs_f64();
        match self.json {
            true => output::line(json!({
                "event": "done", "trials": results.trials.len(), "seconds": seconds, "folder": folder,
            }))?,
            false => output::line(text.trim_end())?,
        }
        eprintln!("{seconds:.0} s; tables and drawings are in {}", folder.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// One training run per task, arm and seed.
fn jobs<'a>(experiment: &'a Experiment, trainer: &mut dyn Trainer) -> anyhow::Result<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    for task in experiment.tasks() {
        for arm in &experiment.arms {
            for &seed in &experiment.seeds {
                let run = trainer.add(&experiment.layers(task, arm), seed)?;
                jobs.push(Job { task, arm, seed, run });
            }
        }
    }
    if jobs.is_empty() {
        bail!("the experiment has no training runs");
    }
    Ok(jobs)
}

/// The mean curve of an arm over its seeds.
fn curve(results: &Results, task: Option<&str>, arm: &str) -> Curve {
    let of_arm = results.trials.iter().filter(|t| t.task.as_deref() == task && t.arm == arm);
    let all: Vec<&Vec<(u64, f64)>> = of_arm.map(|trial| &trial.curve).filter(|c| !c.is_empty()).collect();
    let longest = all.iter().map(|curve| curve.len()).max().unwrap_or(0);
    let points = (0..longest).map(|i| {
        let here: Vec<&(u64, f64)> = all.iter().filter_map(|curve| curve.get(i)).collect();
        let mean = here.iter().map(|p| p.1).sum::<f64>() / here.len() as f64;
        (here[0].0 as f64, mean)
    });
    Curve { name: arm.to_string(), points: points.collect() }
}
