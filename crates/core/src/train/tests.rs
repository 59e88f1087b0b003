//! Tests of the session with a minimal model: a line through points.
//!
//! This file is also an example of [`Trainable`]: the code above the tests is all that a model
//! must provide for training.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::path::Path;

use rand::rand_core::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run_folder::{BEST, CONFIG, LAST, metrics};
use super::*;
use crate::nn::{Init, Linear};
use crate::optim::{Optimizer, Sgd};
use crate::ranks::Ranks;
use crate::rng::Streams;
use crate::{Error, Params, Tape, Tensor, Var};

#[cfg(test)]
mod refused;
#[cfg(test)]
mod together;

/// `y = w x + b`.
#[derive(Debug)]
struct Line {
    params: Params<f32>,
    linear: Linear,
}

impl Line {
    fn slope(&self) -> f64 {
        f64::from(self.params.get(self.linear.weight).value.data()[0])
    }

    /// The slope; an evaluation runs at least one op.
    fn slope_on(&self, tape: &mut Tape<f32>) -> Result<f64, Error> {
        let one = tape.input(Tensor::from_vec(&[1, 1], vec![1.0])?);
        self.linear.forward(tape, &self.params, one)?;
        Ok(self.slope())
    }

    fn bits(&self) -> Vec<u32> {
        self.params.iter().flat_map(|p| p.value.data()).map(|x| x.to_bits()).collect()
    }
}

/// Points `(x, y)`.
struct Batch {
    x: Tensor<f32>, // (B, 1)
    y: Tensor<f32>, // (B, 1)
}

impl Model<f32> for Line {
    type Batch = Batch;

    fn params(&self) -> &Params<f32> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<f32> {
        &mut self.params
    }

    fn loss(&self, tape: &mut Tape<f32>, batch: &Batch) -> Result<Var, Error> {
        let (x, y) = (tape.input(batch.x.clone()), tape.input(batch.y.clone()));
        let x = tape.dropout(x, 0.1)?;
        let prediction = self.linear.forward(tape, &self.params, x)?;
        tape.quadratic_cost(prediction, y)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Config {
    steps: u64,
    momentum: f64,
    init_from: String,
    seed: u64,
    shards: usize,
    passes: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Description {
    config: Config,
    data: String,
}

/// Points on a line of this slope.
struct Points {
    slope: f32,
    fingerprint: String,
}

impl SessionModel for Line {
    fn code() -> &'static SessionCode<Self> {
        static CODE: SessionCode<Line> = SessionCode::new();
        &CODE
    }
}

impl Trainable for Line {
    const KIND: &'static str = "line";
    type Config = Config;
    type Description = Description;
    type Data = Points;

    fn validate(config: &Config) -> Result<(), Error> {
        match config.steps {
            0 => Err(Error::Setting { name: "steps", value: "0".into(), rule: "it must be at least 1" }),
            _ => Ok(()),
        }
    }

    fn init_from(config: &Config) -> Option<&Path> {
        (!config.init_from.is_empty()).then(|| Path::new(&config.init_from))
    }

    fn describe(config: Config, data: &Points, _: Option<&Description>) -> Result<Description, Error> {
        Ok(Description { config, data: data.fingerprint.clone() })
    }

    fn config(description: &Description) -> &Config {
        &description.config
    }

    fn trained_on(description: &Description) -> &str {
        &description.data
    }

    fn fingerprint(data: &Points) -> &str {
        &data.fingerprint
    }

    fn source(_: &Points) -> String {
        "some points".into()
    }

    fn init(description: &Description, base: Option<&Self>) -> Result<Self, Error> {
        let mut params = Params::new();
        let mut rng = Streams::new(description.config.seed).stream("init", 0);
        let linear = Linear::new(&mut params, "line", (1, 1), Init::Normal(0.1), &mut rng)?;
        let params = base.map_or(params, |base| base.params.clone());
        Ok(Self { params, linear })
    }

    fn options(description: &Description, _: &Points) -> Options {
        let Config { steps, seed, shards, .. } = description.config;
        Options { steps, steps_per_evaluation: 5, lr: 0.1, seed, shards, ..Options::default() }
    }

    fn optimizer(description: &Description, _: &Points) -> Box<dyn Optimizer<f32>> {
        Box::new(Sgd::new().momentum(description.config.momentum))
    }

    fn task<'a>(description: &'a Description, data: &'a Points) -> Result<impl Task<f32, Self> + 'a, Error> {
        let Config { seed, passes, .. } = description.config;
        Ok(LineTask { data, streams: Streams::new(seed), passes, batches: Vec::new() })
    }
}

struct LineTask<'a> {
    data: &'a Points,
    streams: Streams,
    passes: usize,
    batches: Vec<Batch>,
}

impl Task<f32, Line> for LineTask<'_> {
    fn batches(&mut self, step: u64, shard: usize) -> Result<&[Batch], Error> {
        let batch = |number: usize| {
            let mut rng = self.streams.stream(&format!("batch{number}"), step);
            let x: Vec<f32> = (0..4).map(|_| rng.next_u32() as f32 / u32::MAX as f32).collect();
            let y = x.iter().map(|x| self.data.slope * x).collect();
            Ok(Batch { x: Tensor::from_vec(&[4, 1], x)?, y: Tensor::from_vec(&[4, 1], y)? })
        };
        let numbers = shard * self.passes..(shard + 1) * self.passes;
        self.batches = numbers.map(batch).collect::<Result<_, Error>>()?;
        Ok(&self.batches)
    }

    /// Prefers a slope of 1, which training passes on its way from 0 to the slope of the points.
    fn evaluate(
        &mut self,
        step: u64,
        line: &Line,
        tape: &mut Tape<f32>,
        _: &mut Ranks,
    ) -> Result<Evaluation, Error> {
        let slope = line.slope_on(tape)?;
        let metrics = vec![("slope", slope), ("after_step", step as f64)];
        Ok(Evaluation { score: Some(-(slope - 1.0).abs()), metrics })
    }

    fn test(&mut self, line: &Line, tape: &mut Tape<f32>, _: &mut Ranks) -> Result<Metrics, Error> {
        Ok(vec![("slope", line.slope_on(tape)?)])
    }
}

type Training<'a> = Session<'a, Line>;

fn config() -> Config {
    Config { steps: 103, momentum: 0.5, init_from: String::new(), seed: 3, shards: 1, passes: 1 }
}

fn points() -> Points {
    Points { slope: 3.0, fingerprint: "points".into() }
}

/// Stops the run after this number of steps.
struct StopAfter(u64);

impl Observer for StopAfter {
    fn step(&mut self, _: &Progress) {
        self.0 -= 1;
    }
    fn stop(&mut self) -> bool {
        self.0 == 0
    }
}

#[test]
fn a_stopped_run_resumes_to_the_same_bits() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let outcome = Training::new(config(), &data, Save::New(&whole)).unwrap().run(&mut ()).unwrap();
    assert_eq!((outcome.ended, outcome.steps), (Ended::Finished, 103));

    let stopped = Training::new(config(), &data, Save::New(&parts)).unwrap().run(&mut StopAfter(38)).unwrap();
    assert_eq!((stopped.ended, stopped.steps), (Ended::Stopped, 38));
    assert!(stopped.last_test.is_empty(), "only a run that ended is tested");
    let mut session = Training::resume(&parts, &data, Training::describe(&parts).unwrap()).unwrap();
    assert_eq!((session.state.step, session.ended()), (38, None));
    let resumed = session.run(&mut ()).unwrap();
    drop(session); // releases the lock

    for file in [BEST, LAST] {
        let load = |run| Training::load(run, file).unwrap().0.bits();
        assert_eq!(load(&whole), load(&parts), "{file}");
    }
    assert_eq!((resumed.best_step, resumed.best_score), (outcome.best_step, outcome.best_score));
    assert_eq!((metrics(&whole).unwrap().len(), metrics(&parts).unwrap().len()), (21, 21));
    let finished = Training::resume(&parts, &data, Training::describe(&parts).unwrap()).unwrap();
    assert_eq!(finished.ended(), Some(Ended::Finished));
}

thread_local! {
    /// Whether evaluations are stopped on this thread.
    static STOP_EVALUATIONS: Cell<bool> = const { Cell::new(false) };
}

/// Stops the run in the evaluation after this step.
struct StopInEvaluation(u64);

impl Observer for StopInEvaluation {
    fn step(&mut self, progress: &Progress) {
        STOP_EVALUATIONS.set(progress.step == self.0);
    }
    fn stop_during_evaluation(&self) -> fn() -> bool {
        || STOP_EVALUATIONS.get()
    }
}

#[test]
fn a_stopped_evaluation_is_made_up_for() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let outcome = Training::new(config(), &data, Save::New(&whole)).unwrap().run(&mut ()).unwrap();
    let stopped =
        Training::new(config(), &data, Save::New(&parts)).unwrap().run(&mut StopInEvaluation(40)).unwrap();
    assert_eq!((stopped.ended, stopped.steps), (Ended::Stopped, 40));
    STOP_EVALUATIONS.set(false);
    let resume = || Training::resume(&parts, &data, Training::describe(&parts).unwrap()).unwrap();
    assert_eq!(resume().run(&mut StopInEvaluation(103)).unwrap().ended, Ended::Stopped);
    STOP_EVALUATIONS.set(false);
    let mut session = resume();
    assert_eq!((session.state.step, session.ended()), (103, None), "the last evaluation is missing");
    let resumed = session.run(&mut ()).unwrap();
    assert_eq!((resumed.ended, resumed.best_step), (Ended::Finished, outcome.best_step));
    drop(session);
    for file in [BEST, LAST] {
        let load = |run| Training::load(run, file).unwrap().0.bits();
        assert_eq!(load(&whole), load(&parts), "{file}");
    }
    let lines = |run: &Path| -> Vec<Value> {
        let mut lines = metrics(run).unwrap();
        lines.iter_mut().for_each(|line| line["seconds"] = Value::Null);
        lines
    };
    assert_eq!(lines(&whole), lines(&parts));
}

#[test]
fn a_run_that_is_made_longer_remembers_its_length() {
    /// The losses up to the first evaluation, and what it says of them.
    #[derive(Default)]
    struct Losses(Vec<f64>, Option<f64>);
    impl Observer for Losses {
        fn step(&mut self, progress: &Progress) {
            self.0.push(progress.loss);
        }
        fn evaluated(&mut self, record: &EvaluationRecord) {
            self.1 = Some(record.train_loss);
        }
        fn stop(&mut self) -> bool {
            self.1.is_some()
        }
    }
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let run = dir.path().join("run");
    Training::new(config(), &data, Save::New(&run)).unwrap().run(&mut ()).unwrap();
    let shorter = Training::describe(&run).unwrap();
    let longer = Description { config: Config { steps: 203, ..config() }, ..shorter.clone() };
    let mut session = Training::resume(&run, &data, longer.clone()).unwrap();
    assert_eq!(Training::describe(&run).unwrap(), shorter, "nothing has been saved yet");
    let mut losses = Losses::default();
    assert_eq!(session.run(&mut losses).unwrap().ended, Ended::Stopped);
    drop(session);
    // Evaluated after step 103, its last one then, and after step 105.
    let Losses(losses, train_loss) = losses;
    assert_eq!((losses.len(), train_loss), (2, Some((losses[0] + losses[1]) / 2.0)));
    // Both have the number of the second.
    let numbers: Vec<Value> =
        metrics(&run).unwrap()[19..].iter().map(|line| line["evaluation"].clone()).collect();
    assert_eq!(numbers, [20, 21, 21]);
    assert_eq!(Training::describe(&run).unwrap(), longer);
    let written = std::fs::read_to_string(run.join(CONFIG)).unwrap();
    assert!(written.contains("steps = 203"), "{written}");
}

#[test]
fn a_run_that_is_stopped_in_its_test_has_all_its_steps() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let run = dir.path().join("run");
    let mut session = Training::new(config(), &data, Save::New(&run)).unwrap();
    /// Stops in the test: after the last evaluation.
    struct StopInTest;
    impl Observer for StopInTest {
        fn evaluated(&mut self, record: &EvaluationRecord) {
            STOP_EVALUATIONS.set(record.step == 103);
        }
        fn stop_during_evaluation(&self) -> fn() -> bool {
            || STOP_EVALUATIONS.get()
        }
    }
    let outcome = session.run(&mut StopInTest).unwrap();
    assert_eq!((outcome.ended, outcome.steps), (Ended::Stopped, 103));
    assert!(outcome.last_test.is_empty() && outcome.best_test.is_empty());
    assert_eq!(session.ended(), Some(Ended::Finished));
}

#[test]
fn a_run_ends_with_its_best_parameters_saved_or_not() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let run = dir.path().join("run");
    let mut saved = Training::new(config(), &data, Save::New(&run)).unwrap();
    let mut unsaved = Training::new(config(), &data, Save::Nowhere).unwrap();
    let (outcome, same) = (saved.run(&mut ()).unwrap(), unsaved.run(&mut ()).unwrap());
    assert_eq!(saved.model.bits(), unsaved.model.bits());
    assert_eq!(saved.model.bits(), Training::load(&run, BEST).unwrap().0.bits());
    assert_eq!(outcome.best_test("slope"), Some(saved.model.slope()));
    assert_eq!(outcome.last_test("slope"), outcome.metric("slope"));
    assert_eq!((same.best_step, same.last_test("slope")), (outcome.best_step, outcome.last_test("slope")));
    let (best, last) = (saved.model.slope(), outcome.last_test("slope").unwrap());
    assert!((best - 1.0).abs() < 0.5 && last > 1.5 && outcome.best_step < 103, "{best}, {last}");
    let last_model = Training::load(&run, LAST).unwrap().0;
    assert_eq!(last_model.slope(), last);
}

#[test]
fn parameters_that_are_cut_off_from_the_loss_are_named_once() {
    #[derive(Default)]
    struct Warnings(Vec<String>);
    impl Observer for Warnings {
        fn warning(&mut self, text: &str) {
            self.0.push(text.into());
        }
    }
    let data = points();
    for (unused, said) in [(0, None), (1, Some("unused.0")), (12, Some("unused.8, unused.9 and 2 more"))] {
        let mut session = Training::new(config(), &data, Save::Nowhere).unwrap();
        for i in 0..unused {
            session.model.params.add(format!("unused.{i}"), Tensor::zeros(&[2])).unwrap();
        }
        let mut warnings = Warnings::default();
        session.run(&mut warnings).unwrap();
        assert_eq!(warnings.0.len(), usize::from(said.is_some()), "{:?}", warnings.0);
        let text = warnings.0.concat();
        assert!(!text.contains("line.weight") && text.ends_with(said.unwrap_or_default()), "{text}");
    }
}

#[test]
fn a_run_starts_from_the_best_parameters_of_another() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let base = dir.path().join("base");
    Training::new(config(), &data, Save::New(&base)).unwrap().run(&mut ()).unwrap();
    let config = Config { init_from: base.display().to_string(), ..config() };
    let start = Training::new(config, &data, Save::Nowhere).unwrap();
    assert_eq!(start.model.bits(), Training::load(&base, BEST).unwrap().0.bits());
}

#[test]
fn runs_that_cannot_be_used_are_refused() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let run = dir.path().join("run");
    let new = |save| Training::new(config(), &data, save).map(drop);
    assert!(matches!(Training::describe(&run), Err(Error::NoRun(_))));
    let no_steps = Training::new(Config { steps: 0, ..config() }, &data, Save::New(&run)).map(drop);
    assert!(matches!(no_steps, Err(Error::Setting { name: "steps", .. })) && !run.exists());

    Training::new(config(), &data, Save::New(&run)).unwrap().run(&mut StopAfter(1)).unwrap();
    assert!(matches!(new(Save::New(&run)), Err(Error::RunExists { is_run: true, .. })));
    let resume = |data: &Points, description| Training::resume(&run, data, description).map(drop);
    let description = Training::describe(&run).unwrap();
    assert_eq!(description, Description { config: config(), data: "points".into() });
    let other = Points { fingerprint: "others".into(), ..points() };
    assert!(matches!(resume(&other, description.clone()), Err(Error::OtherData { .. })));
    let busy = Training::resume(&run, &data, description.clone()).unwrap();
    assert!(matches!(resume(&data, description.clone()), Err(Error::Busy(_))));
    drop(busy);
    assert!(matches!(run_folder::metadata(&run, LAST, "curve"), Err(Error::OtherKind { .. })));
    new(Save::Replace(&run)).unwrap();
    assert_eq!(
        Training::resume(&run, &data, description.clone()).unwrap().state.step,
        0,
        "it has not run yet"
    );
    std::fs::remove_file(run.join(LAST)).unwrap();
    assert!(matches!(Training::describe(&run), Err(Error::NeverSaved { .. })));
    assert!(!RunLock::take(&run).unwrap().is_blank(), "its best parameters are there");
    std::fs::remove_file(run.join(BEST)).unwrap();
    assert!(RunLock::take(&run).unwrap().is_blank());

    let imported = Description { data: String::new(), ..description };
    let line = Line::init(&imported, None).unwrap();
    Training::create(Save::Replace(&run), &imported, &line, &Sgd::new()).unwrap();
    assert_eq!(Training::load(&run, BEST).unwrap().0.bits(), line.bits());
    assert!(matches!(resume(&data, imported), Err(Error::Imported(_))));
}
