//! `m2g compare`.

use std::fs;
use std::path::Path;

use crate::support::*;
use m2g_core::train::{Model, Save};
use m2g_gpt::training::{self, Description};
use m2g_gpt::{Config, Gpt};
use serde_json::Value;

/// A folder with small data and no runs.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    small_mnist(dir.path(), 600, 100);
    fs::write(dir.path().join("a.txt"), text(300)).unwrap();
    dir
}

fn train_digits(dir: &Path, run: &str, more: &[&str]) {
    let args = ["digits", "train", "--data", "small", "--epochs", "2", "--run", run];
    ok(dir, &[&args[..], more].concat());
}

/// Trains a small GPT of this width.
fn train_gpt(dir: &Path, run: &str, n_embd: &str, more: &[&str]) {
    let model =
        ["--n-layer", "2", "--n-head", "2", "--n-embd", n_embd, "--block-size", "8", "--batch-size", "3"];
    let steps = ["--max-iters", "6", "--eval-interval", "2"];
    ok(dir, &[&["gpt", "train", "--data", "a.txt", "--run", run][..], &model, &steps, more].concat());
}

/// The output of `--json`, checked against its schema.
fn compare(dir: &Path, args: &[&str]) -> Value {
    let stdout = ok(dir, &[&["compare", "--json"][..], args].concat());
    assert_eq!(stdout.lines().count(), 1);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    let documented = ok(dir, &["compare", "--schema"]);
    schema::assert_matches(&serde_json::from_str(&documented).unwrap(), &found);
    assert_sums_are_consistent(&found);
    found
}

/// The shares of each model sum to 1, and the totals are the sums over the functions.
fn assert_sums_are_consistent(found: &Value) {
    let functions = found["functions"].as_array().unwrap();
    assert_eq!(found["shared_functions"], functions.iter().filter(|f| f["shared"] == true).count());
    for side in [0, 1] {
        let model = &found["models"][side];
        let ran = || functions.iter().filter(|f| !f["runs"][side].is_null());
        let sum = |key: &str, shared_only: bool| -> f64 {
            let chosen = ran().filter(|f| f["shared"] == true || !shared_only);
            chosen.map(|f| f["runs"][side][key].as_f64().unwrap()).sum()
        };
        assert_eq!(model["functions"], ran().count());
        assert!(ran().all(|f| f["shared"] == !f["runs"][1 - side].is_null()));
        for key in ["flops_share", "seconds_share"] {
            assert!((sum(key, false) - 1.0).abs() < 1e-9, "{key}");
            let shared = model[format!("shared_{key}")].as_f64().unwrap();
            assert!((sum(key, true) - shared).abs() < 1e-9, "{key}");
        }
        assert_eq!(sum("flops", false), model["flops"].as_f64().unwrap());
        assert!((sum("seconds", false) - model["seconds"].as_f64().unwrap()).abs() < 1e-9);
        for function in ran() {
            let run = &function["runs"][side];
            for list in ["shapes", "callers"] {
                let calls = run[list].as_array().unwrap().iter().map(|x| x["calls"].as_u64().unwrap());
                assert_eq!(calls.sum::<u64>(), run["calls"].as_u64().unwrap());
            }
        }
    }
}

/// The functions that one of the models ran, as `stage name`.
fn ran(found: &Value, side: usize) -> Vec<String> {
    let functions = found["functions"].as_array().unwrap().iter().filter(|f| !f["runs"][side].is_null());
    functions.map(|f| format!("{} {}", f["stage"].as_str().unwrap(), f["name"].as_str().unwrap())).collect()
}

#[test]
fn the_digit_network_and_the_gpt_have_their_layers_in_common() {
    let text = ok(root(), &["compare"]);
    let found = compare(root(), &["digits", "gpt"]);
    let want = [
        "batch Fit::step",
        "forward Stepper::step",
        "forward gradients_by_tape",
        "forward Linear::forward",
        "forward linear",
        "forward Activation::forward",
        "forward sigmoid",
        "loss quadratic_cost",
        "backward Tape::backward",
        "backward quadratic_cost",
        "backward sigmoid",
        "backward linear",
        "update sgd",
    ];
    assert_eq!(ran(&found, 0), want);
    assert_eq!(
        ran(&found, 1),
        [
            "batch Fit::step",
            "forward Stepper::step",
            "forward gradients_by_tape",
            "forward Embedding::forward",
            "forward embedding",
            "forward add",
            "forward LayerNorm::forward",
            "forward layer_norm",
            "forward SelfAttention::forward",
            "forward Linear::forward",
            "forward linear",
            "forward split_heads",
            "forward batched_matmul_transposed",
            "forward scale",
            "forward masked_softmax",
            "forward merge_heads",
            "forward Mlp::forward",
            "forward gelu",
            "loss cross_entropy",
            "backward Tape::backward",
            "backward cross_entropy",
            "backward linear",
            "backward layer_norm",
            "backward add",
            "backward gelu",
            "backward merge_heads",
            "backward batched_matmul",
            "backward masked_softmax",
            "backward scale",
            "backward split_heads",
            "backward embedding",
            "clip clip_norm",
            "update adamw",
        ]
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>(),
    );
    assert_eq!(found["shared_functions"], 7);
    // 10 images, 784 to 30 to 10: one multiplication and one addition per weight, plus the biases.
    let linear = found["functions"].as_array().unwrap().iter().find(|f| f["name"] == "linear").unwrap();
    assert_eq!(linear["runs"][0]["flops"], 2 * 10 * (784 * 30 + 30 * 10) + 10 * 30 + 10 * 10);
    assert_eq!(linear["runs"][0]["shapes"][0]["inputs"], serde_json::json!([[10, 784], [30, 784], [30]]));
    // Backward, each weight twice, for its own gradient and for its input's; but the images have no gradient.
    let backward = |f: &&Value| f["name"] == "linear" && f["stage"] == "backward";
    let backward = found["functions"].as_array().unwrap().iter().find(backward).unwrap();
    let flops = 2 * 10 * (784 * 30 + 2 * 30 * 10) + 2 * (10 * 30 + 10 * 10);
    assert_eq!(backward["runs"][0]["flops"], flops);
    // The gradient of the output goes in, and those of the inputs come out: first of the last layer.
    let shapes = &backward["runs"][0]["shapes"];
    assert_eq!(shapes[0]["inputs"], serde_json::json!([[10, 10]]));
    assert_eq!(shapes[0]["outputs"], serde_json::json!([[10, 30], [10, 30], [10]]));
    assert_eq!(shapes[1]["outputs"], serde_json::json!([[30, 784], [30]]), "the images have no gradient");
    assert_eq!(backward["equation"], "dX = dY W; dW = dY^T X; db_j = sum_i dY_ij");
    // Four linear layers in each of four blocks, and the head.
    assert_eq!(linear["runs"][1]["calls"], 17);
    assert_eq!(found["models"][0]["own"][0]["stage"], "batch");
    assert!(!text.contains("`m2g "), "commands are as the user types them: {text}");

    for part in [
        "crates/core/src/ops/linear.rs:",
        "digits: (10, 784) (30, 784) (30) -> (10, 30)  (+1 more)",
        "digits: (10, 10) -> (10, 30) (10, 30) (10)  (+1 more)",
        "7 of 39 core functions are run by both. ",
        "only gpt",
        "digits: crates/digits/src/training.rs:",
        "gpt: crates/gpt/src/training.rs:",
        "which is outside the core and never shared",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn every_model_matches_the_schema() {
    // `compare` checks it.
    for other in ["digits", "gpt", "translate"] {
        assert_eq!(compare(root(), &["translate", other])["models"][1]["kind"], other);
    }
}

/// A training whose batches grow is traced with the batch of its next step.
#[test]
fn the_batch_is_that_of_the_traced_step() {
    let dir = folder();
    train_gpt(dir.path(), "a", "16", &["--batch-size-warmup", "1000", "--block-size-warmup", "1000"]);
    let found = compare(dir.path(), &["a", "gpt"]);
    assert_eq!(found["models"][0]["batch"], "1 x 1 tokens", "{}", found["models"][0]);
    let embedding = found["functions"].as_array().unwrap().iter().find(|f| f["name"] == "embedding").unwrap();
    assert_eq!(embedding["runs"][0]["shapes"][0]["outputs"], serde_json::json!([[1, 1, 16]]));
}

#[test]
fn every_reported_line_is_the_line_of_the_function() {
    let dir = folder();
    train_digits(dir.path(), "a", &[]);
    train_gpt(dir.path(), "b", "16", &["--attention", "primitive", "--dropout", "0.1"]);
    let found = compare(dir.path(), &["a", "b"]);
    assert!(ran(&found, 1).len() > 20);
    let line = |place: &Value| {
        let file = fs::read_to_string(root().join(place["file"].as_str().unwrap())).unwrap();
        let line = place["line"].as_u64().unwrap() as usize;
        file.lines().nth(line - 1).unwrap().trim().to_string()
    };
    for function in found["functions"].as_array().unwrap() {
        let name = function["name"].as_str().unwrap();
        let own = name.split_once("::").map_or(name, |(_, method)| method);
        let want = match (function["kind"].as_str().unwrap(), function["stage"].as_str().unwrap()) {
            ("op", "backward") => "fn backward(".to_string(),
            ("op", _) => "fn forward(".into(),
            ("routine", "update") => "fn update(".into(),
            _ => format!("fn {own}"),
        };
        assert!(line(&function["place"]).trim_start_matches("pub ").starts_with(&want), "{function}");
    }
    for model in found["models"].as_array().unwrap() {
        assert!(line(&model["own"][0]["place"]).starts_with("fn batches("), "{model}");
    }
}

#[test]
fn another_activation_and_another_cost_change_the_table() {
    let dir = folder();
    train_digits(dir.path(), "a", &[]);
    train_digits(
        dir.path(),
        "b",
        &["--activation", "tanh", "--cost", "log-likelihood", "--learning-rate", "0.1"],
    );
    train_digits(dir.path(), "c", &["--optimizer", "adamw", "--lr", "0.001", "--clip", "1"]);
    let found = compare(dir.path(), &["a", "b"]);
    let (a, b) = (ran(&found, 0), ran(&found, 1));
    assert!(a.contains(&"forward sigmoid".into()) && !b.contains(&"forward sigmoid".into()));
    assert!(b.contains(&"backward tanh".into()) && b.contains(&"loss softmax_cross_entropy".into()));
    assert_eq!(
        found["shared_functions"], 9,
        "the callers of a step, layers, linear forward and backward, sgd"
    );
    let settings = found["runs"]["settings"].as_array().unwrap();
    let names: Vec<&str> = settings.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["activation", "cost", "learning_rate"]);
    assert_eq!(settings[0]["values"], serde_json::json!(["sigmoid", "tanh"]));

    // With AdamW and clipping, the digit network shares more functions with the GPT.
    let gpt = |run: &str| compare(dir.path(), &[run, "gpt"]);
    let (plain, like_gpt) = (gpt("a"), gpt("c"));
    assert_eq!((&plain["shared_functions"], &like_gpt["shared_functions"]), (&7.into(), &9.into()));
    assert!(ran(&like_gpt, 0).contains(&"clip clip_norm".into()));

    // Backpropagation by hand records only the update, and the output says so.
    train_digits(dir.path(), "d", &["--backprop", "by-hand"]);
    let text = ok(dir.path(), &["compare", "d", "gpt"]);
    assert!(text.contains("d: its gradient is computed by hand (--backprop by-hand), which records no ops."));
    assert_eq!(ran(&gpt("d"), 0), ["batch Fit::step", "forward Stepper::step", "update sgd"]);
}

#[test]
fn two_runs_are_compared_and_not_changed() {
    let dir = folder();
    train_gpt(dir.path(), "a", "16", &[]);
    train_gpt(dir.path(), "b", "8", &["--seed", "2"]);
    train_digits(dir.path(), "c", &[]);
    let files = |run: &str| -> Vec<_> {
        let mut files: Vec<_> =
            fs::read_dir(dir.path().join("runs").join(run)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files
            .into_iter()
            .map(|f| (fs::read(&f).unwrap(), fs::metadata(&f).unwrap().modified().unwrap(), f))
            .collect()
    };
    let before = ["a", "b", "c"].map(files);

    let runs = &compare(dir.path(), &["a", "b"])["runs"];
    let settings = runs["settings"].as_array().unwrap();
    assert_eq!(settings.iter().map(|s| &s["name"]).collect::<Vec<_>>(), ["n_embd", "seed"]);
    let parameters = runs["parameters"].as_array().unwrap();
    assert!(!parameters.is_empty());
    assert!(parameters.iter().all(|p| p["distance"].is_null() && p["shapes"][0] != p["shapes"][1]));
    for side in [0, 1] {
        let points = runs["curves"][side]["points"].as_array().unwrap();
        assert_eq!(points.iter().map(|p| p[0].as_f64().unwrap()).collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
        assert_eq!(runs["ends"][side]["last"], points[2][1]);
        assert_eq!(runs["ends"][side]["steps"], 6);
    }
    // A run compared with itself: everything is shared, nothing differs.
    let same = compare(dir.path(), &["a", "a"]);
    assert_eq!(same["shared_functions"], same["functions"].as_array().unwrap().len());
    assert!(same["runs"]["settings"].as_array().unwrap().is_empty());
    let own = same["runs"]["parameters"].as_array().unwrap();
    assert_eq!(own.len(), parameters.len());
    assert!(own.iter().all(|p| p["distance"] == 0.0));
    assert!(ok(dir.path(), &["compare", "a", "a"]).contains("a (2)"));

    // Runs of two models, as text and as drawings.
    compare(dir.path(), &["a", "c"]);
    let text = ok(dir.path(), &["compare", "c", "runs/a", "--svg", "both.svg"]);
    for part in
        ["settings: ", "validation_accuracy of c by step: ", "val_loss of runs/a by step: ", "final results"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The names of the runs stand over their values.
    let lines: Vec<&str> = text.lines().collect();
    let heading = lines.iter().position(|line| line.starts_with("settings: ")).unwrap();
    let titles = lines[heading - 2];
    assert!(titles.starts_with("   ") && titles.trim_end().ends_with("runs/a"), "{text}");
    for file in ["both.svg", "both-validation_accuracy.svg", "both-val_loss.svg"] {
        let svg = fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{file}");
    }
    let drawing = fs::read_to_string(dir.path().join("both.svg")).unwrap();
    for part in ["linear x 2", "linear x 9", "sigmoid x 2", "clip_norm", "are run by both"] {
        assert!(drawing.contains(part), "{part}: {drawing}");
    }
    assert!(before == ["a", "b", "c"].map(files), "no run was changed");
}

#[test]
fn code_shows_a_function_and_its_callers() {
    let dir = folder();
    train_digits(dir.path(), "a", &[]);
    train_gpt(dir.path(), "b", "16", &[]);
    let text = ok(dir.path(), &["compare", "a", "b", "--code", "linear"]);
    let source = fs::read_to_string(root().join("crates/core/src/ops/linear.rs")).unwrap();
    for line in source.lines().filter(|line| line.contains("matmul(") && line.starts_with("    ")) {
        assert!(text.contains(line), "{line}: {text}");
    }
    for part in [
        "==== linear ====",
        "crates/digits/src/network.rs:",
        "crates/gpt/src/model.rs:",
        "a calls it forward",
        // The lines of the layers, not of what calls those.
        "self.c_attn.forward(",
        "self.c_fc.forward(",
        "proj.forward(",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(ok(dir.path(), &["compare", "a", "b", "--code", "gelu"]).contains("a does not call it"));
    let all = ok(dir.path(), &["compare", "a", "b", "--code"]);
    assert!(all.contains("==== Fit::step ====") && all.contains("==== Tape::backward ===="), "{all}");
    assert!(all.contains(text.trim_end()) && !all.contains("==== gelu ===="), "{all}");
    let error = |args: &[&str]| refused(dir.path(), &[&["compare"], args].concat());
    assert!(error(&["a", "b", "--code", "linaer"]).contains("did you mean linear?"));
    assert!(error(&["--code", "digits", "a"]).contains("write the models before --code"));
}

#[test]
fn invalid_comparisons_are_rejected() {
    let dir = folder();
    train_gpt(dir.path(), "a", "16", &[]);
    train_digits(dir.path(), "d", &[]);
    let error = |args: &[&str]| refused(dir.path(), &[&["compare"], args].concat());
    assert!(error(&["nowhere", "a"]).contains("there is no run in runs/nowhere"));
    assert!(error(&["a", "digit"]).contains("did you mean digits?"));
    assert!(error(&["small", "a"]).contains("there is no run in runs/small"));
    assert!(error(&["./small", "a"]).contains("there is no run in ./small"));
    assert!(error(&["", "a"]).contains("a value is required"));
    assert!(error(&["a", "a", "a"]).contains("unexpected argument"));
    assert!(error(&["a", "a", "--json", "--code"]).contains("cannot be used with"));
    assert!(error(&["a", "a", "--svg", "nowhere/x.svg"]).contains("nowhere/x.svg"));

    // An imported model has no data to take a step on.
    let config = Config { n_layer: 1, n_head: 1, n_embd: 8, block_size: 8, ..Config::default() };
    let gpt = Gpt::<f32>::new(config.model(9), 1).unwrap();
    assert!(gpt.params().count() > 0);
    let description =
        Description { model: gpt.config().clone(), config, tokenizer: None, data: String::new() };
    training::create(Save::New(&dir.path().join("runs/imported")), &description, &gpt).unwrap();
    let imported = error(&["imported", "a"]);
    assert!(imported.contains("runs/imported: it was imported and has no training data"), "{imported}");
    assert!(imported.contains("--init-from runs/imported"), "{imported}");

    // The data of a run has changed or is gone.
    fs::write(dir.path().join("a.txt"), "7 times 7 is 49.\n".repeat(40)).unwrap();
    assert!(ok(dir.path(), &["compare", "a", "a"]).contains("its data has changed since it was trained"));
    fs::write(dir.path().join("a.txt"), "Z".repeat(400)).unwrap();
    assert!(error(&["a", "a"]).starts_with("error: runs/a: its data has changed since it was trained: "));
    fs::remove_file(dir.path().join("a.txt")).unwrap();
    assert!(error(&["a", "a"]).contains("a.txt"));
    fs::rename(dir.path().join("small"), dir.path().join("gone")).unwrap();
    assert!(error(&["d", "d"]).contains("small"));

    // Files that are not checkpoints.
    let last = dir.path().join("runs/d/last.safetensors");
    fs::write(&last, b"these are no tensors").unwrap();
    assert!(error(&["d", "a"]).contains("last.safetensors is not a usable checkpoint"));
    fs::remove_file(&last).unwrap();
    assert!(error(&["d", "a"]).contains("has saved no last.safetensors"));
}
