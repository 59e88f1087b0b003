//! `m2g gpt import`, `eval` and `export`.

use std::fs;

use crate::support::{last_json, ok, refused, root};
use safetensors::SafeTensors;

fn tiny() -> String {
    root().join("crates/gpt/tests/gpt2-tiny").display().to_string()
}

#[test]
fn an_imported_folder_is_evaluated_and_exported_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    ok(at, &["gpt", "import", &tiny(), "--run", "tiny"]);
    assert!(refused(at, &["gpt", "import", &tiny(), "--run", "tiny"]).contains("exists"));
    ok(at, &["gpt", "import", &tiny(), "--run", "tiny", "--overwrite"]);

    let tokens = format!("{}/golden.json", tiny());
    let found = last_json(&ok(
        at,
        &["gpt", "eval", "tiny", "--tokens", &tokens, "--logits", "l.safetensors", "--json"],
    ));
    assert!((found["loss"].as_f64().unwrap() - 4.645322842319369).abs() < 1e-4, "{found}");
    assert_eq!(found["tokens"], 64);
    let loss_with = |weights| {
        let args = ["gpt", "eval", "tiny", "--tokens", &tokens, "--weights", weights, "--json"];
        last_json(&ok(at, &args))["loss"].as_f64().unwrap()
    };
    let loss = found["loss"].as_f64().unwrap();
    assert_eq!(loss_with("f32"), loss);
    for (weights, tolerance) in [("bf16", 0.01), ("int8", 0.05)] {
        let error = (loss_with(weights) - loss).abs();
        assert!(error > 0.0 && error < tolerance, "{weights}: {error}");
    }
    let bytes = fs::read(at.join("l.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!((file.names(), file.tensor("logits").unwrap().shape()), (vec!["logits"], &[2, 32, 101][..]));

    ok(at, &["gpt", "export", "tiny", "out"]);
    assert!(refused(at, &["gpt", "export", "tiny", "out"]).contains("replace it with --overwrite"));
    ok(at, &["gpt", "export", "tiny", "out", "--overwrite"]);
    let [ours, theirs] = ["out".to_string(), tiny()]
        .map(|folder| fs::read(at.join(folder).join("model.safetensors")).unwrap());
    let [ours, theirs] = [&ours, &theirs].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (name, tensor) in theirs.iter() {
        assert_eq!(ours.tensor(name).unwrap(), tensor, "{name}");
    }
}

#[test]
fn a_gpt_is_not_trained_on_what_other_commands_made() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let pairs: String = (0..40).map(|i| format!("{i} plus {i}\tis {}\n", 2 * i)).collect();
    fs::write(at.join("p.tsv"), pairs).unwrap();
    ok(at, &["translate", "prepare", "p.tsv", "--out", "pairs", "--tokenizer", "char"]);
    ok(at, &["gpt", "import", &tiny(), "--run", "tiny"]);
    for (data, why) in [("pairs", "translate train`"), ("runs/tiny", "it holds a run"), (&*tiny(), "a model")]
    {
        for command in [&["train", "--data", data][..], &["prepare", data, "--out", "tokens"]] {
            let error = refused(at, &[&["gpt"], command].concat());
            assert!(error.contains(why), "{data}: {error}");
        }
    }
}

#[test]
fn bad_input_gives_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    assert!(refused(at, &["gpt", "import", "nowhere", "--run", "x"]).contains("there is no such folder"));
    assert!(!at.join("runs").exists());
    assert!(
        refused(at, &["gpt", "eval", "nowhere", "--tokens", "t.json"])
            .contains("there is no run in runs/nowhere")
    );
    ok(at, &["gpt", "import", &tiny(), "--run", "tiny"]);
    assert!(
        refused(at, &["gpt", "eval", "tiny"]).contains("give data to measure it on, with --data or --tokens")
    );
    assert!(refused(at, &["gpt", "eval", "tiny", "--data", "x.txt"]).contains("this run has no tokenizer"));
    assert!(refused(at, &["gpt", "eval", "tiny", "--tokens", "t.json"]).contains("cannot read t.json"));
    for (text, what) in [
        ("{", "t.json cannot be used: it is not JSON"),
        ("{\"tokens\": [[1, 101]]}", "id 2 of row 1 is 101, but the ids of this model are 0 to 100"),
        ("{\"tokens\": [[1, 2], [3]]}", "all rows must have the same length"),
    ] {
        fs::write(at.join("t.json"), text).unwrap();
        let error = refused(at, &["gpt", "eval", "tiny", "--tokens", "t.json", "--logits", "l.safetensors"]);
        assert!(error.contains(what), "{error}");
        assert!(!at.join("l.safetensors").exists());
    }
}
