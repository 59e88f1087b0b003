//! `m2g lab`: experiments with arms that differ in one setting.
//!
//! | file | holds |
//! | --- | --- |
//! | `experiment.rs` | the TOML file: base, tasks, arms |
//! | `check.rs` | what can be checked of it without training |
//! | `trainer.rs` | training of the arms, for any kind of model |
//! | `watch.rs` | progress and measures of a training run |
//! | `trial.rs` | the result of an arm with a seed, and what determines it |
//! | `results.rs` | the file of all results, each under the settings that made it |
//! | `means.rs` | the results in short, for the page |
//! | `old_results.rs` | results files of older versions |
//! | `reach.rs` | how long training runs take to reach a value |
//! | `statistics.rs` | mean, deviation, confidence interval of a difference |
//! | `table.rs` | the final table |

mod check;
pub mod experiment;
#[cfg(feature = "page")]
pub mod means;
mod old_results;
mod reach;
pub mod results;
mod statistics;
mod table;
pub mod trainer;
mod trial;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::anyhow;
use clap::Args;
use m2g_core::atomic;
use m2g_core::threads::with_threads;
use serde_json::json;

use self::experiment::{Arm, Experiment, SHIPPED};
use self::results::Results;
use self::trainer::Trainer;
use self::trial::{Key, Record, Trial};
use self::watch::Watch;
use crate::flags::{RUNS, Threads, full_path};
use crate::interrupt::{self, Work};
use crate::output::{self, LongRun};
use crate::output_file::followed_folder;
use crate::plot::curves::{Curve, curves};
use crate::plot::dots::{Dots, dots};
use crate::runs::name::{EXPERIMENT, EXPERIMENTS, named_folder};
use crate::terminal::lines::{entry, flow, note, visible, wrap};
use crate::terminal::width::{clip, columns, pad, width};

/// The width of the name of a training run in the lines of progress, in columns.
const LABEL_COLUMNS: usize = 30;

/// Run what-if experiments: train models that differ in one setting, and compare them.
#[derive(Args)]
pub struct Lab {
    /// The experiment: score, mask, positions, ablation, speedrun, digits, translate, or your own TOML file.
    #[arg(value_name = "NAME|FILE.toml")]
    name: Option<String>,
    /// Train only the standard and these arms: names with commas between them. May be repeated; a
    /// name may itself contain commas.
    #[arg(long, value_name = "NAMES")]
    arms: Vec<String>,
    /// Use these seeds instead of the experiment's.
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Use this text or folder of images instead of the experiment's data. Arms and tasks with data of their own
    /// keep them.
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Train for N steps (digits: N epochs) instead of the experiment's number. Arms and tasks with a number
    /// of their own keep it.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    steps: Option<u64>,
    /// Where to save: a name under runs/lab/, or a path [default: the experiment's name].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Train again what is already finished, as after an update of this program, and use the new results.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    threads: Threads,
    /// Print one JSON object per training run that it takes and per arm and, unless it is stopped, a final one, to
    /// stdout; without a name, one per experiment.
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
    /// What determines its result with this program.
    key: Key,
}

impl Job<'_> {
    /// A result with the names of this training run: a new one has none, and an arm may have had another name.
    fn name(&self, trial: Trial) -> Trial {
        let task = self.task.map(|task| task.name.clone());
        Trial { task, arm: self.arm.name.clone(), seed: self.seed, ..trial }
    }
}

impl Lab {
    /// Runs the experiment.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Some(name) = &self.name else { return self.list() };
        with_threads(self.threads.number(), || self.experiment(name))?
    }

    /// Lists the built-in experiments.
    fn list(&self) -> anyhow::Result<ExitCode> {
        for (name, _) in SHIPPED {
            let (_, Experiment { about, arms, .. }) = Experiment::load(name)?;
            let arms: Vec<String> = arms.into_iter().map(|arm| arm.name).collect();
            if self.json {
                output::line(
                    json!({"event": "experiment", "experiment": name, "about": about, "arms": arms}),
                )?;
                continue;
            }
            // Names may contain commas and spaces.
            let arms: Vec<String> = arms.iter().map(|arm| format!("{arm};")).collect();
            let arms = flow(&arms, " ", columns().saturating_sub(11), 0);
            let text = format!("{about}\n{}", arms.trim_end_matches(';'));
            output::line(entry(name, &text, columns()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn experiment(&self, name: &str) -> anyhow::Result<ExitCode> {
        let (short, mut experiment) = Experiment::load(name)?;
        self.apply_flags(&mut experiment)?;
        let runs = Path::new(RUNS);
        let folder = match &self.run {
            None => runs.join(EXPERIMENTS).join(short),
            Some(name) => match named_folder(name)? {
                bare if bare == runs.join(name) => runs.join(EXPERIMENTS).join(name),
                path => path,
            },
        };
        let folder = followed_folder(&folder);
        let mut trainer = experiment.model()?.trainer();
        let jobs = jobs(&experiment, &mut *trainer)?;
        let mut results = Results::open(&folder, self.overwrite)?;
        if self.overwrite {
            // Before training, so that the new results are all that is found if it is stopped.
            results.forget(&jobs.iter().map(|job| &job.key).collect::<Vec<_>>())?;
        }
        let toml = toml::to_string(&experiment)?;
        atomic::write(&folder.join(EXPERIMENT), |f| std::io::Write::write_all(f, toml.as_bytes()))?;
        note(&format!("{name}: {}", experiment.about));
        if !results.is_locked() {
            note(&format!(
                "the file system of {} has no locks: do not run this experiment in two processes",
                folder.display()
            ));
        }
        let measures: Vec<&str> = experiment.measures().collect();
        // Results of older versions do not say when a value was reached.
        let timed = |trial: &&Trial| experiment.reach.is_empty() || trial.times.len() == trial.curve.len();
        let known = |job: &Job| results.get(&job.key, &measures).filter(timed).cloned();
        let mut trials: Vec<Option<Trial>> = jobs.iter().map(|job| Some(job.name(known(job)?))).collect();
        let finished: Vec<bool> = trials.iter().map(Option::is_some).collect();
        let steps = |skip: bool| -> u64 {
            let counted = jobs.iter().zip(&finished).filter(|(_, finished)| **finished == skip);
            counted.map(|(job, _)| trainer.steps(job.run)).sum()
        };
        if finished.contains(&true) {
            let n = finished.iter().filter(|finished| **finished).count();
            note(&format!("{n} of {} training runs are already in {}", jobs.len(), folder.display()));
        }
        let work = Work::stoppable();
        let mut shown = LongRun::new(true);
        let mut watch = Watch::new(steps(true), steps(true) + steps(false));
        let started = Instant::now();
        for (i, job) in jobs.iter().enumerate().filter(|(i, _)| !finished[*i]) {
            let of_task = job.task.map_or(String::new(), |task| format!(", {}", task.name));
            let label = format!("{}{of_task}, seed {}", job.arm.name, job.seed);
            watch.bar.message(format!("{label} ({} of {})", i + 1, jobs.len()));
            watch.start(experiment.curve_measure());
            let ended = trainer.train(job.run, &measures, &mut watch);
            let Some(trial) = watch.result(ended, &measures)? else {
                watch.bar.finish();
                let again = if self.overwrite { " without --overwrite" } else { "" };
                note(&format!(
                    "stopped after {} of {} training runs; run the same command again{again} to resume",
                    trials.iter().flatten().count(),
                    jobs.len()
                ));
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            };
            watch.before += trainer.steps(job.run);
            let trial = job.name(trial);
            let outcome = match trial.measures.get(&experiment.measure) {
                Some(value) => format!("{} {value:.4}", experiment.measure),
                None => format!("{} was not measured", experiment.measure),
            };
            let label = clip(&visible(&label), columns());
            let figures = flow(&[outcome, format!("{:.1} s", trial.seconds)], "  ", columns() - 2, 2);
            let beside = width(&label) <= LABEL_COLUMNS && LABEL_COLUMNS + 2 + width(&figures) <= columns();
            watch.bar.print_line(&match &trial.diverged {
                Some(error) => format!("{label}\n  {}", wrap(error, columns() - 2, 2)),
                None if beside => format!("{}  {figures}", pad(&label, LABEL_COLUMNS, false)),
                None => format!("{label}\n  {figures}"),
            });
            let wanted = measures.iter().map(ToString::to_string).collect();
            results.add(Record { trial: trial.clone(), key: job.key.clone(), wanted })?;
            if self.json {
                let mut line = serde_json::to_value(&trial)?;
                line["event"] = "trial".into();
                shown.line(line);
            }
            trials[i] = Some(trial);
        }
        watch.bar.finish();
        drop(work);
        let trials: Vec<Trial> = trials.into_iter().flatten().collect();
        self.conclude(&experiment, &trials, &folder, started, shown)
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
        if let Some(data) = &self.data {
            let path = Path::new(data);
            let stored = if path.exists() { full_path(path)? } else { data.clone() };
            experiment.base.insert("data".into(), stored.into());
            note_own(experiment, "--data", "data");
        }
        if let Some(steps) = self.steps {
            let steps =
                i64::try_from(steps).map_err(|_| anyhow!("--steps is {steps}: give a smaller number"))?;
            experiment.base.insert(length.into(), steps.into());
            note_own(experiment, "--steps", length);
        }
        experiment.check()
    }

    /// Writes the tables and the drawings.
    fn conclude(
        &self,
        experiment: &Experiment,
        trials: &[Trial],
        folder: &Path,
        started: Instant,
        mut shown: LongRun,
    ) -> anyhow::Result<ExitCode> {
        let (mut text, mut file, mut drawings) = (String::new(), String::new(), Vec::new());
        for task in experiment.tasks() {
            let name = task.map(|task| task.name.as_str());
            let rows = table::rows(experiment, trials, name);
            let seeds: Vec<String> = experiment.seeds.iter().map(u64::to_string).collect();
            let title = match task {
                Some(task) => format!("{}: {}", task.name, task.about),
                None => experiment.about.clone(),
            };
            let head = format!("{title} (seeds {})", seeds.join(", "));
            file.push_str(&format!("\n{head}\n\n{}\n", table::markdown(experiment, &rows)));
            let table = table::text(experiment, &rows, columns());
            text.push_str(&format!("\n{}\n\n{table}\n", wrap(&head, columns(), 2)));
            let suffix = name.map_or(String::new(), |name| format!("-{name}"));
            let each: Vec<Dots> = rows
                .iter()
                .map(|row| Dots {
                    name: row.arm.clone(),
                    values: row.values.clone(),
                    diverged: row.diverged > 0,
                })
                .collect();
            drawings.push((format!("arms{suffix}"), dots(&title, &experiment.measure, &each)));
            let lines: Vec<Curve> =
                experiment.arms.iter().map(|arm| curve(trials, name, &arm.name)).collect();
            drawings.push((
                format!("curves{suffix}"),
                curves(&format!("{title} ({})", experiment.curve_measure()), "step", &lines),
            ));
            if self.json {
                rows.iter().for_each(|row| shown.line(table::object(name, row)));
            }
        }
        // What was found is shown before anything that can fail.
        if !self.json {
            shown.line(text.trim_end());
        }
        atomic::write(&folder.join("table.md"), |out| std::io::Write::write_all(out, file.as_bytes()))?;
        for (name, drawing) in drawings {
            drawing.save(folder, &name)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        if self.json {
            shown.line(json!({
                "event": "done", "trials": trials.len(), "seconds": seconds, "folder": folder.to_string_lossy(),
            }));
        }
        note(&format!("{seconds:.0} s; tables and drawings are in {}", folder.display()));
        shown.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Says which tasks and arms have this setting of their own, which a flag does not change.
fn note_own(experiment: &Experiment, flag: &str, setting: &str) {
    let parts = experiment.tasks.iter().chain(&experiment.arms);
    let own: Vec<&str> =
        parts.filter(|arm| arm.settings.contains_key(setting)).map(|arm| &*arm.name).collect();
    if !own.is_empty() {
        note(&format!("{flag} does not change those with their own {setting}: {}", own.join("; ")));
    }
}

/// One training run per task, arm and seed.
fn jobs<'a>(experiment: &'a Experiment, trainer: &mut dyn Trainer) -> anyhow::Result<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    for task in experiment.tasks() {
        for arm in &experiment.arms {
            for &seed in &experiment.seeds {
                let layers = experiment.layers(task, arm);
                let run = trainer.add(&layers, seed)?;
                let settings = trainer.settings(&layers, seed)?;
                let data = trainer.fingerprint(run).to_string();
                let key = Key { model: experiment.model.clone(), settings, data };
                jobs.push(Job { task, arm, seed, run, key });
            }
        }
    }
    Ok(jobs)
}

/// The mean curve of an arm over its seeds, at the steps that all of them have: where one has diverged, the mean of the
/// others would jump.
fn curve(trials: &[Trial], task: Option<&str>, arm: &str) -> Curve {
    let of_arm = trials.iter().filter(|t| t.task.as_deref() == task && t.arm == arm);
    let all: Vec<&Vec<(u64, f64)>> = of_arm.map(|trial| &trial.curve).filter(|c| !c.is_empty()).collect();
    let mut by_step = BTreeMap::<u64, Vec<f64>>::new();
    for &(step, value) in all.iter().copied().flatten() {
        by_step.entry(step).or_default().push(value);
    }
    by_step.retain(|_, values| values.len() == all.len());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Curve::new(arm, by_step.iter().map(|(step, values)| (*step as f64, mean(values))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_curve_has_the_steps_that_all_seeds_have() {
        let trial = |seed, curve: &[(u64, f64)]| Trial {
            arm: "arm".into(),
            seed,
            curve: curve.to_vec(),
            ..Trial::default()
        };
        let mean = |trials: &[Trial]| curve(trials, None, "arm").points;
        let first = trial(1, &[(10, 3.0), (20, 2.0), (30, 1.0)]);
        // An evaluation that was not finite is missing.
        let all = [first.clone(), trial(2, &[(10, 3.0), (30, 2.0)])];
        assert_eq!(mean(&all), [(10.0, 3.0), (30.0, 1.5)]);
        // One has diverged, and one before its first evaluation.
        let all = [first, trial(2, &[(10, 5.0)]), trial(3, &[])];
        assert_eq!(mean(&all), [(10.0, 4.0)]);
    }
}
