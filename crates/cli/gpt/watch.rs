//! What a person, or a machine, sees of a training.

use std::time::{Duration, Instant};

use m2g_core::train::{EvaluationRecord, Observer, Progress};
use serde_json::{Value, json};

use crate::progress::Bar;
use crate::{interrupt, output};

/// The work of a step, to tell how fast it was done.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Tokens in a step.
    pub tokens: u64,
    /// GFLOP in a step.
    pub gflop: f64,
    /// The most GFLOP/s that were seen.
    pub peak: f64,
}

/// Steps, and the time that they took without evaluations and checkpoints.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    steps: u64,
    time: Duration,
}

impl Pace {
    fn add(&mut self, time: Duration) {
        self.steps += 1;
        self.time += time;
    }

    fn per_second(self, each: f64) -> f64 {
        match self.steps {
            0 => 0.0,
            steps => each * steps as f64 / self.time.as_secs_f64().max(1e-9),
        }
    }
}

/// Shows a training on stderr, and with `json` one object for each logged step and each
/// evaluation on stdout.
pub struct Watch {
    bar: Bar,
    work: Work,
    log_interval: u64,
    json: bool,
    step_started: Instant,
    /// Since the last line of the log.
    lately: Pace,
    overall: Pace,
    /// The first error of writing to stdout.
    pub failed: Option<anyhow::Error>,
}

impl Watch {
    /// Watches from step `step` of `steps` on.
    pub fn new(step: u64, steps: u64, log_interval: u64, work: Work, json: bool) -> Self {
        Self {
            bar: Bar::new(step, steps),
            work,
            log_interval,
            json,
            step_started: Instant::now(),
            lately: Pace::default(),
            overall: Pace::default(),
            failed: None,
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish();
    }

    /// Tokens trained on in a second, evaluations left out.
    pub fn tokens_per_second(&self) -> f64 {
        self.overall.per_second(self.work.tokens as f64)
    }

    fn report(&mut self, line: Value) {
        if self.json
            && let Err(error) = output::line(line)
        {
            self.failed.get_or_insert(error);
        }
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        let time = self.step_started.elapsed();
        self.lately.add(time);
        self.overall.add(time);
        self.bar.at(progress.step);
        if progress.step != 1 && !progress.step.is_multiple_of(self.log_interval) {
            return;
        }
        let tokens = self.lately.per_second(self.work.tokens as f64);
        let gflops = self.lately.per_second(self.work.gflop);
        self.lately = Pace::default();
        // On a machine that was busy when it was measured, a step can be faster.
        self.work.peak = self.work.peak.max(gflops);
        let share = gflops / self.work.peak;
        let Progress { step, steps, loss, lr, grad_norm } = *progress;
        let norm = grad_norm.unwrap_or(f64::NAN);
        self.bar.message(format!("loss {loss:.4}"));
        self.bar.say(&format!(
            "step {step:>width$}/{steps}  loss {loss:.4}  lr {lr:.2e}  norm {norm:.2}  {tokens:.0} tokens/s  \
             {gflops:.1} GFLOP/s ({:.0} %)",
            100.0 * share,
            width = steps.to_string().len(),
        ));
        self.report(json!({
            "event": "step", "step": step, "loss": loss, "lr": lr, "grad_norm": grad_norm,
            "tokens_per_second": tokens, "gflops": gflops, "share_of_peak": share,
        }));
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let mut line = json!({
            "event": "eval", "step": record.step, "train_loss": record.train_loss, "lr": record.lr,
            "best": record.best, "seconds": record.seconds,
        });
        let metric = |name| record.metrics.iter().find(|(known, _)| *known == name).map(|metric| metric.1);
        for (name, value) in &record.metrics {
            line[*name] = json!(value);
        }
        let estimate = match (metric("train_loss_estimate"), metric("val_loss_estimate")) {
            (Some(train), Some(val)) => format!("  (sampled: training {train:.4}, validation {val:.4})"),
            _ => String::new(),
        };
        self.bar.say(&format!(
            "     after step {}: validation loss {:.4}{}  training loss {:.4}{estimate}  {:.1} s",
            record.step,
            metric("val_loss").unwrap_or(f64::NAN),
            if record.best { " *" } else { "  " },
            record.train_loss,
            record.seconds,
        ));
        self.report(line);
    }

    fn warning(&mut self, message: &str) {
        self.bar.say(&format!("warning: {message}"));
    }

    fn stop(&mut self) -> bool {
        self.step_started = Instant::now();
        interrupt::asked() || self.failed.is_some()
    }
}
