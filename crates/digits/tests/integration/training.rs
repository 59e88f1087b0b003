//! Whole training runs on MNIST: they learn, resume to the same bits, and stop when they should.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use m2g_core::Precision;
use m2g_core::data::mnist::{DigitData, Split, load};
use m2g_core::optim::Schedule;
use m2g_core::train::{EvaluationRecord, Model, Observer, Progress, Save};
use m2g_digits::config::OptimizerKind;
use m2g_digits::distort::Distort;
use m2g_digits::test_report::measure;
use m2g_digits::training::Training;
use m2g_digits::{Architecture, Backprop, Config, Initialisation, Network};
use proptest::prelude::*;

/// MNIST's first 2,000 training images, 500 for validation, 1,000 for testing.
fn data() -> DigitData {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mnist");
    let data = load(&dir, Split::Standard).unwrap();
    DigitData {
        train: data.train.slice(0..2_000),
        validation: data.validation.slice(0..500),
        test: data.test.slice(0..1_000),
        ..data
    }
}

fn config() -> Config {
    Config { epochs: 3, ..Config::default() }
}

fn bits(network: &Network<f32>) -> Vec<u32> {
    network
        .params()
        .iter()
        .flat_map(|p| p.value.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        .collect()
}

/// Stops after this number of steps.
struct StopAfter(u64);

impl Observer for StopAfter {
    fn step(&mut self, _: &Progress) {
        self.0 = self.0.saturating_sub(1);
    }
    fn stop(&mut self) -> bool {
        self.0 == 0
    }
}

#[test]
fn the_books_network_learns() {
    let data = data();
    let mut network = Network::<f32>::new(&[784, 30, 10]).unwrap();
    let mut correct = Vec::new();
    network.sgd(&data.train, 3, 10, 3.0, &data.test, |_, n| correct.push(n)).unwrap();
    assert_eq!(correct.len(), 3);
    assert!(correct[2] > 750, "{correct:?} of 1000 correct");
}

#[test]
fn sgd_drops_the_neurons_of_a_training_run() {
    let data = data();
    let config = Config { epochs: 1, dropout: 0.3, ..config() };
    let mut network = Network::<f32>::build(config.architecture(784, 10)).unwrap();
    network
        .sgd(&data.train, 1, config.batch_size, config.learning_rate, &data.test.slice(0..1), |_, _| {})
        .unwrap();
    let mut training = Training::new(config, &data, Save::Nowhere).unwrap();
    training.run(&mut ()).unwrap();
    assert_eq!(bits(&network), bits(&training.model));
}

/// In f32, a sigmoid is 1 from z = 17: many outputs of a network with large weights are equal.
#[test]
fn a_report_counts_the_answers_that_training_counts() {
    let DigitData { test, .. } = data();
    let sizes = [784, 1000, 10];
    let network =
        Network::<f32>::build(Architecture { init: Initialisation::Book, ..Architecture::new(&sizes) })
            .unwrap();
    let (outputs, _) = network.read(&test).unwrap();
    let outputs = outputs.matrix();
    let saturated = outputs.outer_iter().filter(|row| row.iter().filter(|&&a| a == 1.0).count() > 1);
    assert!(saturated.count() > 500);
    assert_eq!(measure(&network, &test).unwrap().correct, network.evaluate(&test).unwrap());
}

#[test]
fn what_needs_validation_images_says_so() {
    let all = data();
    let data = DigitData { train: all.train.slice(0..5), validation: all.validation.slice(0..0), ..all };
    let config = Config { batch_size: 1, ..config() };
    assert!(Training::new(config.clone(), &data, Save::Nowhere).is_ok());
    let plateau = Schedule::HalveOnPlateau { patience: 2 };
    for (config, start) in [
        (Config { patience: 2, ..config.clone() }, "patience is 2: it needs validation images"),
        (Config { schedule: plateau, ..config }, "schedule is halve-on-plateau: it needs validation images"),
    ] {
        let error = Training::new(config, &data, Save::Nowhere).err().unwrap().to_string();
        assert!(error.starts_with(start) && error.contains("fewer than 6"), "{error}");
    }
}

#[test]
fn a_stopped_run_resumes_to_the_same_bits() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        config(),
        Config { momentum: 0.5, learning_rate: 0.5, backprop: Backprop::ByHand, ..config() },
        Config {
            optimizer: OptimizerKind::AdamW,
            learning_rate: 0.01,
            dropout: 0.2,
            distort: "elastic".parse::<Distort>().unwrap(),
            ..config()
        },
    ];
    for (i, config) in settings.into_iter().enumerate() {
        let folder = |name: &str| -> PathBuf { dir.path().join(format!("{name}{i}")) };
        let mut whole = Training::new(config.clone(), &data, Save::New(&folder("whole"))).unwrap();
        let outcome = whole.run(&mut ()).unwrap();

        // Stopped in the middle of the first, then of the last epoch.
        let path = folder("parts");
        let mut part = Training::new(config, &data, Save::New(&path)).unwrap();
        part.run(&mut StopAfter(77)).unwrap();
        drop(part);
        let resume = || Training::resume(&path, &data, Training::describe(&path).unwrap()).unwrap();
        let mut part = resume();
        assert_eq!(part.state.step, 77);
        part.run(&mut StopAfter(450)).unwrap();
        drop(part);
        let mut part = resume();
        let resumed = part.run(&mut ()).unwrap();

        assert_eq!(bits(&whole.model), bits(&part.model));
        assert!(outcome.best_score.is_some());
        assert_eq!(outcome.best_score, resumed.best_score);
        assert_eq!(outcome.best_test("test_accuracy"), resumed.best_test("test_accuracy"));
        assert_eq!(outcome.last_test("test_accuracy"), resumed.last_test("test_accuracy"));
        let read = |name: &str| m2g_core::train::run_folder::metrics(&folder(name)).unwrap();
        let without_time = |name: &str| -> Vec<_> {
            let mut all = read(name);
            all.iter_mut().for_each(|r| r["seconds"] = 0.into());
            all
        };
        assert_eq!(without_time("whole"), without_time("parts"));
        assert_eq!(read("whole").len(), 3);
    }
}

#[test]
fn other_data_is_noticed_when_resuming() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    Training::new(config(), &data, Save::New(&path)).unwrap().run(&mut StopAfter(5)).unwrap();
    let other = DigitData { fingerprint: "other".into(), ..data };
    let result = Training::resume(&path, &other, Training::describe(&path).unwrap());
    assert!(result.err().unwrap().to_string().contains("other data"));
}

#[test]
fn two_processes_cannot_train_one_run() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut first = Training::new(config(), &data, Save::New(&path)).unwrap();
    first.run(&mut StopAfter(5)).unwrap();
    let description = Training::describe(&path).unwrap();
    let second = Training::resume(&path, &data, description);
    assert!(second.err().unwrap().to_string().contains("another process"));
}

#[test]
fn a_diverging_run_says_so() {
    let data = data();
    let config = Config { learning_rate: 1e30, activation: m2g_core::nn::Activation::Relu, ..config() };
    let config = Config { cost: m2g_digits::Cost::LogLikelihood, ..config };
    let error = Training::new(config, &data, Save::Nowhere).unwrap().run(&mut ()).unwrap_err().to_string();
    assert!(error.contains("not finite after "), "{error}");
}

#[test]
fn patience_ends_a_run_early() {
    let data = data();
    // The learning rate is too small to change any answer: no epoch is better than the first.
    let config = Config { learning_rate: 1e-12, epochs: 50, patience: 2, ..config() };
    let outcome = Training::new(config, &data, Save::Nowhere).unwrap().run(&mut ()).unwrap();
    assert_eq!((outcome.steps, outcome.best_step), (3 * 200, 200));
}

#[test]
fn dead_parameters_are_named() {
    struct Warnings(Vec<String>);
    impl Observer for Warnings {
        fn evaluated(&mut self, _: &EvaluationRecord) {}
        fn warning(&mut self, text: &str) {
            self.0.push(text.into());
        }
    }
    let data = data();
    let config = Config { activation: m2g_core::nn::Activation::Relu, epochs: 1, ..config() };
    let mut training = Training::new(config, &data, Save::Nowhere).unwrap();
    // Biases so negative that no neuron of the first layer is ever active.
    let (_, bias) = training.model.layer_ids().next().unwrap();
    training.model.params_mut().get_mut(bias).value.data_mut().fill(-1e6);
    let mut warnings = Warnings(Vec::new());
    training.run(&mut warnings).unwrap();
    assert_eq!(warnings.0.len(), 1);
    assert!(warnings.0[0].contains("layer1.weight, layer1.bias"), "{:?}", warnings.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 64).max(1)))]

    #[test]
    fn a_run_resumes_at_any_step_to_the_same_bits(
        stops in prop::collection::vec(1..40_u64, 1..4), adamw: bool, by_hand: bool, distort: bool, dropout: bool,
        bf16: bool,
    ) {
        let all = data();
        let data = DigitData { train: all.train.slice(0..200), ..all };
        let by_hand = by_hand && !dropout && !bf16;
        let config = Config {
            epochs: 4,
            hidden: vec![12],
            learning_rate: if adamw { 0.01 } else { 0.5 },
            optimizer: if adamw { OptimizerKind::AdamW } else { OptimizerKind::Sgd },
            momentum: if adamw { 0.0 } else { 0.5 },
            backprop: if by_hand { Backprop::ByHand } else { Backprop::Tape },
            distort: if distort { "affine".parse().unwrap() } else { Distort::None {} },
            dropout: if dropout { 0.3 } else { 0.0 },
            precision: if bf16 { Precision::Bf16 } else { Precision::F32 },
            ..config()
        };
        let dir = tempfile::tempdir().unwrap();
        let mut whole = Training::new(config.clone(), &data, Save::Nowhere).unwrap();
        let expected = whole.run(&mut ()).unwrap();
        let path = dir.path().join("run");
        let mut part = Training::new(config, &data, Save::New(&path)).unwrap();
        for stop in stops {
            part.run(&mut StopAfter(stop)).unwrap();
            drop(part);
            part = Training::resume(&path, &data, Training::describe(&path).unwrap()).unwrap();
        }
        let resumed = part.run(&mut ()).unwrap();
        prop_assert_eq!(bits(&whole.model), bits(&part.model));
        prop_assert_eq!(expected.last_test("test_accuracy"), resumed.last_test("test_accuracy"));
    }
}
