//! `m2g lab`: experiments, whose arms differ in one thing and share all others.
//!
//! | file | holds |
//! | --- | --- |
//! | `experiment` | the TOML file: base, tasks, arms |
//! | `trial` | one training of an arm with a seed |
//! | `results` | the file of all results, with which a stopped experiment goes on |
//! | `statistics` | mean, deviation, and how sure a difference is |
//! | `table` | the table at the end |

mod experiment;
mod results;
mod statistics;
mod table;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::atomic;
use m2g_core::threads::with_threads;
use serde_json::json;

use self::experiment::{Arm, Config, Experiment, ModelKind, SHIPPED};
use self::results::Results;
use self::trial::{Datasets, Trial, Watch};
use crate::flags::run_path;
use crate::plot::curves::{Curve, curves};
use crate::plot::dots::{Dots, dots};
use crate::{interrupt, output};

/// Run an experiment: train each of its arms with each of its seeds, and compare. Without a
/// name, list the experiments that come with the program.
#[derive(Args)]
pub struct Lab {
    /// The experiment: score, mask, positions, ablation, digits, or a TOML file of your own.
    #[arg(value_name = "NAME|FILE.toml")]
    name: Option<String>,
    /// Only these arms, and the standard.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    arms: Vec<String>,
    /// Other seeds than the experiment's.
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Another text, or for the digits another folder of images, than the experiment's.
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Steps of each training (for the digits: epochs) instead of the experiment's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Where to save: a name under runs/lab/, or a path [default: the experiment's name].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Replace results that are there.
    #[arg(long)]
    overwrite: bool,
    /// How many threads to use; the result is the same for any number [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write one JSON object for each training and each arm, and a last one, to stdout.
    #[arg(long)]
    json: bool,
}

/// One training that an experiment asks for.
struct Job<'a> {
    task: Option<&'a Arm>,
    arm: &'a Arm,
    seed: u64,
    config: Config,
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
        self.change(&mut experiment)?;
        let folder = match &self.run {
            None => Path::new("runs/lab").join(short),
            Some(name) if run_path(name).starts_with("runs") => Path::new("runs/lab").join(name),
            Some(path) => PathBuf::from(path),
        };
        let jobs = jobs(&experiment)?;
        let (mut datasets, mut data) = (Datasets::default(), Vec::new());
        for job in &jobs {
            let fingerprint = datasets.load(&job.config)?;
            if !data.contains(&fingerprint) {
                data.push(fingerprint);
            }
        }
        // What decides the results: when it is another, they are not these.
        let head = json!({"experiment": serde_json::to_value(&experiment)?, "data": data});
        let mut results = Results::open(&folder, &head, self.overwrite)?;
        let toml = toml::to_string(&experiment)?;
        atomic::write(&folder.join("experiment.toml"), |f| std::io::Write::write_all(f, toml.as_bytes()))?;
        eprintln!("{}: {}", name, experiment.about);
        let measures: Vec<&str> = experiment.measures().collect();
        let done = |job: &Job, results: &Results| {
            results.get(job.task.map(|task| task.name.as_str()), &job.arm.name, job.seed).is_some()
        };
        let there: Vec<bool> = jobs.iter().map(|job| done(job, &results)).collect();
        let steps = |skip: bool| -> u64 {
            let counted = jobs.iter().zip(&there).filter(|(_, there)| **there == skip);
            counted.map(|(job, _)| datasets.steps(&job.config)).sum()
        };
        if there.contains(&true) {
            let n = there.iter().filter(|there| **there).count();
            eprintln!("{n} of {} trainings are there already, in {}", jobs.len(), folder.display());
        }
        let mut watch = Watch::new(steps(true), steps(true) + steps(false));
        watch.before = steps(true);
        let started = Instant::now();
        for (i, (job, there)) in jobs.iter().zip(&there).enumerate() {
            if *there {
                continue;
            }
            let of_task = job.task.map_or(String::new(), |task| format!(", {}", task.name));
            let label = format!("{}{of_task}, seed {}", job.arm.name, job.seed);
            watch.bar.message(format!("{label} ({} of {})", i + 1, jobs.len()));
            let Some(measured) = datasets.train(&job.config, &measures, &mut watch)? else {
                watch.bar.finish();
                eprintln!(
                    "stopped after {} of {} trainings; the same command goes on",
                    results.trials.len(),
                    jobs.len()
                );
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            };
            watch.before += datasets.steps(&job.config);
            let trial = Trial {
                task: job.task.map(|task| task.name.clone()),
                arm: job.arm.name.clone(),
                seed: job.seed,
                measures: measured.measures,
                curve: measured.curve,
                diverged: measured.diverged,
                seconds: measured.seconds,
            };
            let said = match (&trial.diverged, trial.measures.get(&experiment.measure)) {
                (Some(where_), _) => where_.clone(),
                (None, Some(value)) => format!("{} {value:.4}", experiment.measure),
                (None, None) => "nothing was measured".into(),
            };
            watch.bar.say(&format!("{label:<36} {said}  {:.1} s", trial.seconds));
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

    /// Puts the flags in the place of what the experiment says.
    fn change(&self, experiment: &mut Experiment) -> anyhow::Result<()> {
        if !self.arms.is_empty() {
            experiment.keep_arms(&self.arms)?;
        }
        if !self.seeds.is_empty() {
            experiment.seeds = self.seeds.clone();
        }
        let (digits, base) = (experiment.model == ModelKind::Digits, &mut experiment.base);
        if let Some(data) = &self.data {
            let path = Path::new(data);
            let full = std::path::absolute(path).unwrap_or(path.to_path_buf()).display().to_string();
            base.insert("data".into(), if path.exists() { full } else { data.clone() }.into());
        }
        if let Some(steps) = self.steps {
            let steps = i64::try_from(steps).map_err(|_| anyhow!("--steps {steps} is too many"))?;
            base.insert(if digits { "epochs" } else { "max_iters" }.into(), steps.into());
        }
        experiment.check()
    }

    /// Tables and drawings.
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

/// All trainings: every task, every arm, every seed.
fn jobs(experiment: &Experiment) -> anyhow::Result<Vec<Job<'_>>> {
    let mut jobs = Vec::new();
    for task in experiment.tasks() {
        for arm in &experiment.arms {
            for &seed in &experiment.seeds {
                jobs.push(Job { task, arm, seed, config: experiment.config(task, arm, seed)? });
            }
        }
    }
    if jobs.is_empty() {
        bail!("the experiment asks for no training");
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
