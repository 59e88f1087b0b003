//! Shows a training run: a progress bar and lines on stderr, JSON objects on stdout.

use std::time::{Duration, Instant};

use m2g_core::train::{EvaluationRecord, Observer, Progress, is_logged};
use serde_json::{Value, json};

use crate::interrupt;
use crate::output::LongRun;
use crate::progress::Bar;
use crate::terminal::lines::{fit, flow, wrap};
use crate::terminal::width::columns as terminal_columns;

/// The shortest time between two updates of the bar: small steps take microseconds.
const BAR_INTERVAL: Duration = Duration::from_millis(50);

/// What to log during training.
#[derive(Default)]
pub struct Log {
    /// The line after a step, for models that log steps.
    pub steps: Option<StepLog>,
    /// The line after an evaluation, for models that are evaluated while they train.
    pub evaluations: Option<EvaluationLog>,
}

/// The line after a step.
pub struct StepLog {
    /// Steps between two lines.
    pub interval: u64,
    /// What a step computes, counted from 1: batches may grow.
    pub work: Box<dyn Fn(u64) -> StepWork>,
    /// The highest GFLOP/s of the machine so far.
    pub peak: f64,
}

/// What a step, or several, compute.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepWork {
    /// Tokens.
    pub tokens: f64,
    /// Floating-point operations, in units of 1e9.
    pub gflop: f64,
}

/// The line after an evaluation.
#[derive(Clone, Copy)]
pub struct EvaluationLog {
    /// The name of the JSON event.
    pub event: &'static str,
    /// The number of epochs, if evaluations are counted in epochs.
    pub epochs: Option<u64>,
    /// The name of the training loss.
    pub loss: &'static str,
    /// The metrics to show. A missing metric is skipped, except that the JSON object has `null` for the
    /// first.
    pub columns: &'static [Column],
}

/// A metric in the line after an evaluation.
pub struct Column {
    /// The name in the evaluation.
    pub metric: &'static str,
    /// The name in the line.
    pub title: &'static str,
    /// Formats the value.
    pub format: fn(f64) -> String,
}

/// Shows a training run. With `json`, also prints one object per event to stdout.
pub struct Watch {
    bar: Bar,
    bar_updated: Instant,
    log: Log,
    json: bool,
    step_started: Instant,
    /// The pace since the last logged step.
    recent: Pace,
    overall: Pace,
    results: LongRun,
}

/// What some steps computed and the time they took, without evaluations and checkpoints.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    work: StepWork,
    time: Duration,
    /// The part of it in which this process waited for others.
    waited: Duration,
}

impl Pace {
    fn add(&mut self, work: StepWork, time: Duration, waited: Duration) {
        self.work.tokens += work.tokens;
        self.work.gflop += work.gflop;
        self.time += time;
        self.waited += waited;
    }

    /// The share of the time in which this process waited for others.
    fn communication(self) -> f64 {
        self.waited.as_secs_f64() / self.time.as_secs_f64().max(1e-9)
    }

    fn tokens_per_second(self) -> f64 {
        self.work.tokens / self.time.as_secs_f64().max(1e-9)
    }

    fn gflops(self) -> f64 {
        self.work.gflop / self.time.as_secs_f64().max(1e-9)
    }
}

impl Watch {
    /// Starts at step `step` of `steps`.
    pub fn new((step, steps): (u64, u64), log: Log, json: bool) -> Self {
        let now = Instant::now();
        Self {
            bar: Bar::new(step, steps),
            bar_updated: now,
            log,
            json,
            step_started: now,
            recent: Pace::default(),
            overall: Pace::default(),
            results: LongRun::new(true),
        }
    }

    /// Removes the bar. Returns where the results go.
    pub fn finish(self) -> LongRun {
        self.bar.finish();
        self.results
    }

    /// Tokens per second, without evaluations.
    pub fn tokens_per_second(&self) -> f64 {
        self.overall.tokens_per_second()
    }

    fn print_json(&mut self, line: Value) {
        if self.json {
            self.results.line(line);
        }
    }

    fn log_step(&mut self, progress: &Progress) {
        let Some(log) = &mut self.log.steps else { return };
        if !is_logged(progress.step, log.interval) {
            return;
        }
        let (tokens, gflops) = (self.recent.tokens_per_second(), self.recent.gflops());
        let communication = progress.waited.map(|_| self.recent.communication());
        self.recent = Pace::default();
        // A step can exceed the measured peak if the machine was busy during that measurement.
        log.peak = log.peak.max(gflops);
        let share = gflops / log.peak;
        let Progress { step, steps, loss, lr, grad_norm, .. } = *progress;
        let norm = grad_norm.unwrap_or(f64::NAN);
        self.bar.message(format!("loss {loss:.4}"));
        // What matters least goes first in a narrow terminal.
        let mut fields = vec![
            (0, format!("step {step:>width$}/{steps}", width = steps.to_string().len())),
            (0, format!("loss {loss:.4}")),
            (3, format!("lr {lr:.1e}")),
            (2, format!("norm {norm:.2}")),
            (1, format!("{tokens:.0} tokens/s")),
            (5, format!("{gflops:.0} GFLOP/s")),
        ];
        fields.push(match communication {
            // The peak is that of one machine.
            Some(communication) => (2, format!("{:.0} % communication", 100.0 * communication)),
            None => (4, format!("{:.0} % of peak", 100.0 * share)),
        });
        self.bar.print_line(&fit(&fields, terminal_columns()));
        let mut line = json!({
            "event": "step", "step": step, "loss": loss, "lr": lr, "grad_norm": grad_norm,
            "tokens_per_second": tokens, "gflops": gflops, "share_of_peak": share,
        });
        if let Some(communication) = communication {
            line["share_of_peak"] = Value::Null;
            line["communication"] = json!(communication);
        }
        self.print_json(line);
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        let now = Instant::now();
        let time = now - self.step_started;
        let waited = progress.waited.unwrap_or_default();
        let work = self.log.steps.as_ref().map_or_else(StepWork::default, |log| (log.work)(progress.step));
        self.recent.add(work, time, waited);
        self.overall.add(work, time, waited);
        if now - self.bar_updated >= BAR_INTERVAL {
            self.bar.set_step(progress.step);
            self.bar_updated = now;
        }
        self.log_step(progress);
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let Some(EvaluationLog { event, epochs, loss, columns }) = self.log.evaluations else { return };
        let value = |column: &Column| {
            record.metrics.iter().find(|(name, _)| *name == column.metric).map(|(_, value)| *value)
        };
        let start = match epochs {
            Some(epochs) => {
                let width = epochs.to_string().len();
                format!("epoch {:>width$}/{epochs}", record.evaluation)
            }
            None => format!("     after step {}", record.step),
        };
        let mut shown = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            let Some(value) = value(column) else { continue };
            let text = format!("{} {}", column.title, (column.format)(value));
            if i == 0 {
                self.bar.message(text.clone());
            }
            let best = match i {
                0 if record.best => " *",
                0 => "  ",
                _ => "",
            };
            shown.push(format!("{text}{best}"));
        }
        if shown.is_empty() {
            shown.push("no validation".into());
        }
        // The time stands behind the first metric, so that further ones may go to the next line.
        shown.insert(1, format!("{:.1} s", record.seconds));
        let fields = [vec![start, format!("{loss} {:.4}", record.train_loss)], shown].concat();
        self.bar.print_line(&flow(&fields, "  ", terminal_columns(), 5));
        let mut line = json!({
            "event": event, "step": record.step, "train_loss": record.train_loss, "lr": record.lr,
            "best": record.best, "seconds": record.seconds,
        });
        if epochs.is_some() {
            line["epoch"] = json!(record.evaluation);
        }
        if let Some(first) = columns.first() {
            line[first.metric] = json!(value(first));
        }
        for (name, value) in &record.metrics {
            line[*name] = json!(value);
        }
        self.print_json(line);
    }

    fn warning(&mut self, message: &str) {
        self.bar.print_line(&wrap(&format!("warning: {message}"), terminal_columns(), 2));
    }

    fn stop(&mut self) -> bool {
        self.step_started = Instant::now();
        interrupt::requested()
    }

    fn stop_during_evaluation(&self) -> fn() -> bool {
        interrupt::requested
    }
}
