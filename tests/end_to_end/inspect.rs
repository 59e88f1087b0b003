//! `m2g inspect` and `m2g params`.

use std::fs;
use std::path::Path;

use crate::support::*;
use m2g_core::train::Save;
use m2g_gpt::training::{self, Description};
use m2g_gpt::{Config, Gpt};
use m2g_text::Tokenizer;

/// A run of a small model with a vocabulary of a few characters.
fn small_run(dir: &Path) {
    let tokenizer = Tokenizer::char("\n abcdefgh");
    let config = Config { n_layer: 2, n_head: 2, n_embd: 16, block_size: 12, ..Config::default() };
    let model = config.model(tokenizer.vocab_size());
    let gpt = Gpt::<f32>::new(model.clone(), 1).unwrap();
    let description = Description { config, model, tokenizer: Some(tokenizer), data: String::new() };
    training::create(Save::New(&dir.join("runs/a")), &description, &gpt).unwrap();
}

#[test]
fn every_head_shows_q_k_and_v() {
    let dir = tempfile::tempdir().unwrap();
    let prompt = ["inspect", "gpt", "--prompt", "La pizza salió del horno y sabía bien"];
    let text = ok(dir.path(), &[&prompt[..], &["--layer", "all"]].concat());
    for layer in 0..4 {
        for head in 0..4 {
            assert!(text.contains(&format!("h.{layer}.attn, head {head}\n")));
        }
    }
    for matrix in ["  q        (T, D)", "  k        (T, D)", "  v        (T, D)", "  weights  (T, T)"] {
        assert_eq!(text.matches(matrix).count(), 16, "{matrix}");
    }
    assert!(text.contains("(B, T, 3 C) -> (B, H, T, D)"), "{text}");
    // Its layers have no biases.
    assert!(text.contains("Y = X W^T\n") && text.contains("y = xhat * w, xhat = "), "{text}");
    assert!(!text.contains("W^T + b") && !text.contains("w + b"), "{text}");

    // Without --layer, only the first layer is shown in full.
    for (layer, args) in [(0, &[][..]), (2, &["--layer", "2"])] {
        let text = ok(dir.path(), &[&prompt[..], args].concat());
        for other in 0..4 {
            assert_eq!(text.contains(&format!("h.{other}.attn, head 0\n")), other == layer, "{text}");
            assert_eq!(text.contains(&format!("layer {other}, folded: ")), other != layer, "{text}");
            assert_eq!(text.contains(&format!("h.{other}.attn.q")), other == layer, "{text}");
        }
        assert!(text.contains("logits") && text.contains("embedding"), "{text}");
    }
}

/// As note 4 says: all columns fit a narrow terminal.
#[test]
fn the_triangle_of_the_mask_is_shown_whole() {
    let dir = tempfile::tempdir().unwrap();
    let args =
        ["inspect", "gpt", "--prompt", "La pizza salió del", "--values", "h.0.attn.weights", "--head", "1"];
    let text = ok(dir.path(), &args);
    assert!(text.contains("(6, 6)") && !text.contains("..."), "{text}");
    let zeros = |line: &str| line.split_whitespace().filter(|word| *word == "0").count();
    let rows: Vec<usize> = text.lines().skip(2).map(zeros).collect();
    assert_eq!(rows, [5, 4, 3, 2, 1, 0], "{text}");
}

#[test]
fn the_answer_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = ok(dir.path(), &["inspect", "digits"]);
    let answer = text.split("\ndigit: ").nth(1).and_then(|rest| rest.lines().next());
    let answer = answer.unwrap_or_else(|| panic!("no line names the digit: {text}"));
    assert!(
        answer.contains(", but it is 7") || answer.starts_with('7') && answer.contains("is right"),
        "{answer}"
    );
    let json = last_json(&ok(dir.path(), &["inspect", "gpt", "--prompt", "Hello", "--json"]));
    let ranked = json["prediction"]["ranked"].as_array().unwrap();
    assert_eq!((ranked.len(), &json["prediction"]["what"]), (10, &"next token".into()));
    let p: Vec<f64> = ranked.iter().map(|r| r["probability"].as_f64().unwrap()).collect();
    assert!(p.windows(2).all(|w| w[0] >= w[1]) && p[9] > 0.0 && p.iter().sum::<f64>() <= 1.0, "{p:?}");

    // They are the softmax of the last row of the logits.
    small_run(dir.path());
    let inspect = |more: &[&str]| {
        let args = ["inspect", "a", "--prompt", "abc", "--json"];
        last_json(&ok(dir.path(), &[&args[..], more].concat()))
    };
    let ranked = inspect(&[])["prediction"]["ranked"].clone();
    let values = inspect(&["--values", "logits"])["values"].clone();
    let row: Vec<f64> = serde_json::from_value(values[0][2].clone()).unwrap();
    let sum: f64 = row.iter().map(|z| z.exp()).sum();
    let best = row.iter().copied().fold(f64::MIN, f64::max);
    assert!((ranked[0]["probability"].as_f64().unwrap() - best.exp() / sum).abs() < 1e-6);
    assert_eq!(ranked.as_array().unwrap().len(), 10, "all tokens of a small vocabulary");
}

#[test]
fn a_word_for_a_model_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path());
    fs::rename(dir.path().join("runs/a"), dir.path().join("runs/gpt")).unwrap();
    for command in ["inspect", "params"] {
        let output = run(dir.path(), &[command, "gpt"]);
        let stderr = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        assert!(stderr.contains("the untrained model") && stderr.contains("runs/gpt"), "{stderr}");
        assert!(
            !String::from_utf8_lossy(&run(dir.path(), &[command, "runs/gpt"]).stderr).contains("untrained")
        );
    }
}

#[test]
fn attention_weights_sum_to_one_and_masked_ones_are_zero() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path());
    let run = |args: &[&str]| ok(dir.path(), &[&["inspect", "a", "--prompt", "abcabc"], args].concat());
    let json = last_json(&run(&["--attention", "--json"]));
    assert_eq!(json["heads"].as_array().unwrap().len(), 4);
    for head in json["heads"].as_array().unwrap() {
        for (i, row) in head["weights"].as_array().unwrap().iter().enumerate() {
            let row: Vec<f64> = row.as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).collect();
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            assert!(row[i + 1..].iter().all(|&w| w == 0.0) && row[..=i].iter().all(|&w| w > 0.0));
        }
    }
    for name in ["a.html", "a.svg", "a.png"] {
        run(&["--attention", "--out", name]);
        let bytes = fs::read(dir.path().join(name)).unwrap();
        assert!(bytes.len() < 2_000_000 && !bytes.is_empty());
        ok(dir.path(), &["inspect", "a", "--positions", "--out", name]);
    }
    assert_eq!(run(&["--layer", "1", "--head", "0"]).matches("head 0\n").count(), 1);
    let values = last_json(&run(&["--values", "h.1.attn.q", "--head", "1", "--backward", "--json"]));
    assert_eq!(values["shape"], serde_json::json!([5, 8]));
    assert!(values["gradient"].is_array());
    assert!(run(&["--values", "wte.weight"]).contains("(V, C)"));
    let text = run(&["--backward"]);
    assert!(text.contains("\nbackward\n"), "{text}");
    // Each block reads the stream twice.
    assert!(text.contains("da = dy  one part of its gradient"), "{text}");
}

#[test]
fn digits_are_inspected_and_parameters_listed() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path());
    let picture = root().join("tests/data/digits/edge-border/5.jpg").display().to_string();
    let label = ["inspect", "digits", "--image", &picture, "--label", "10"];
    for more in [&[][..], &["--backward"]] {
        let error = refused(dir.path(), &[&label[..], more].concat());
        assert!(error.contains("--label is 10: the network knows 0 to 9"), "{error}");
    }
    let error = refused(dir.path(), &["inspect", "digits", "--image", &picture, "--backward"]);
    assert!(error.contains("give it with --label CLASS"), "{error}");
    let text = ok(dir.path(), &["inspect", "digits", "--backward"]);
    assert!(text.contains("(B, 784) (30, 784) (30) -> (B, 30)"), "{text}");
    // The picture has no gradient.
    assert!(text.contains("(B, 30) -> (30, 784) (30)"), "{text}");
    // Both layers, the cost and the delta of the last layer.
    assert!(!text.contains("folded"), "{text}");
    let (forward, backward) = text.split_once("\nbackward\n").unwrap();
    assert!(forward.contains("Y = X W^T + b") && forward.contains("quadratic_cost"), "{forward}");
    for part in [
        "quadratic_cost'",
        "(10, 30)",
        "da = (a - y) / B * dC",
        "dx = dy * y (1 - y)",
        "dW = dY^T X",
        "in: min",
    ] {
        assert!(backward.contains(part), "{part}: {backward}");
    }
    assert!(!backward.contains("X W^T") && !backward.contains("exp(-x)"), "{backward}");
    assert!(ok(dir.path(), &["inspect", "digits", "--values", "layer2.a"]).contains("(1, 10)"));
    // A gradient has its own numbers: those of `--values`.
    let json = last_json(&ok(dir.path(), &["inspect", "digits", "--backward", "--json"]));
    let op = json["ops"].as_array().unwrap().last().unwrap();
    assert_eq!((&op["op"], &op["label"]), (&"linear".into(), &"layer1.z".into()));
    assert_eq!(op["equation"], "dW = dY^T X; db_j = sum_i dY_ij", "the picture has no gradient");
    let values = ["inspect", "digits", "--backward", "--values", "layer1.weight", "--json"];
    let gradient = last_json(&ok(dir.path(), &values))["gradient"].clone();
    let gradient: Vec<Vec<f64>> = serde_json::from_value(gradient).unwrap();
    let largest = gradient.iter().flatten().copied().fold(f64::MIN, f64::max);
    let [all, delta] = [&op["gradients"][0]["statistics"], &op["statistics"]];
    assert!((all["max"].as_f64().unwrap() - largest).abs() < 1e-6, "{op}");
    assert!(all["zeros"].as_f64().unwrap() > 0.5 && delta["zeros"] == 0.0, "dark pixels: {op}");
    let params = last_json(&ok(dir.path(), &["params", "digits", "--json"]));
    assert_eq!(params["count"], 784 * 30 + 30 + 30 * 10 + 10);
    assert!(params["params"][0]["gradient_norm"].as_f64().unwrap() > 0.0);
    let text = ok(dir.path(), &["params", "a"]);
    assert!(text.contains("lm_head.weight") && text.contains("h.1.mlp.c_proj.weight"), "{text}");
}

#[test]
fn invalid_arguments_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path());
    for (args, word) in [
        (&["a", "--layer", "9"][..], "the layers 0 to 1"),
        (&["a", "--head", "2"], "the heads 0 to 1"),
        (&["a", "--values", "h.1.attn.weight"], "did you mean h.1.attn.weights?"),
        (&["a", "--values", "900"], "numbered from 1 to"),
        (&["a", "--prompt", ""], "--prompt is empty"),
        (&["a", "--prompt", "abcabcabcabcabc"], "at most 12"),
        (&["a", "--prompt", "xyz"], "'x', 'y', 'z'"),
        (&["a", "--prompt", "a", "--backward"], "at least two tokens"),
        (
            &["a", "--image", "x.png"],
            "--image is for a digit network, but a is a GPT: give --prompt TEXT instead",
        ),
        (&["digits", "--prompt", "a"], "--prompt is for a GPT"),
        (&["digits", "--attention", "--out", "x.svg"], "--attention is for a GPT"),
        (&["digits", "--layer", "3"], "the layers 1 to 2"),
        (&["a", "--layer", "every"], "the number of a layer, or all"),
        (&["digits", "--image", "none.png"], "none.png"),
        (&["a", "--attention"], "--out FILE.html"),
        (&["a", "--attention", "--out", "x.pdf"], "must end in"),
        (&["a", "--attention", "--out", "no/x.svg"], "there is no folder no"),
        (&["a", "--out", "x.svg"], "--attention or --positions"),
        (&["nowhere"], "there is no run"),
    ] {
        let said = refused(dir.path(), &[&["inspect"], args].concat());
        assert!(said.contains(word), "{args:?}: {said}");
    }
    assert!(refused(dir.path(), &["params", "nowhere"]).contains("there is no run"));
}
