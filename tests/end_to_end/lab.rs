//! `m2g lab`.

use std::fs;
use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// An experiment that takes a second: a tiny GPT on the copy task.
const TINY: &str = r#"
about = "Does one step more help?"
model = "gpt"
measure = "val_loss"
also = ["generation_loss", "train_loss"]
seeds = [1, 2]

[base]
data = "copy-task"
n_layer = 1
n_head = 2
n_embd = 8
block_size = 16
batch_size = 2
max_iters = 4
eval_interval = 2
warmup_iters = 0

[[arms]]
name = "standard"
about = "as it is"

[[arms]]
name = "more"
about = "a step more"
max_iters = 5
"#;

fn folder_with(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tiny.toml"), text).unwrap();
    dir
}

fn objects(dir: &Path, args: &[&str]) -> Vec<Value> {
    ok(dir, args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The measurements, without times.
fn measured(objects: &[Value]) -> Vec<Value> {
    let arms = objects.iter().filter(|o| o["event"] == "arm");
    arms.cloned().collect()
}

#[test]
fn an_experiment_is_reproducible_and_resumes() {
    let dir = folder_with(TINY);
    let first = objects(dir.path(), &["lab", "tiny.toml", "--json", "--threads", "1"]);
    assert_eq!(first.iter().filter(|o| o["event"] == "trial").count(), 4);
    let again = objects(dir.path(), &["lab", "tiny.toml", "--json", "--run", "again", "--threads", "2"]);
    assert_eq!(measured(&first), measured(&again));
    // The folder that the command names is the same place.
    let same = ["lab", "tiny.toml", "--json", "--run", "runs/lab/again"];
    assert!(
        measured(&objects(dir.path(), &same)) == measured(&again)
            && !dir.path().join("runs/lab/runs").exists()
    );

    // As if killed while writing the result of the second training run.
    let folder = dir.path().join("runs/lab/tiny");
    let results = folder.join("results.jsonl");
    let text = fs::read_to_string(&results).unwrap();
    let two: Vec<&str> = text.split_inclusive('\n').take(2).collect();
    fs::write(&results, two.concat() + "{\"task\":").unwrap();
    let rest = objects(dir.path(), &["lab", "tiny.toml", "--json"]);
    assert_eq!(rest.iter().filter(|o| o["event"] == "trial").count(), 3, "the finished run is not repeated");
    assert_eq!(measured(&first), measured(&rest));
    for file in ["table.md", "experiment.toml", "arms.svg", "arms.png", "curves.svg", "curves.png"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let title = |folder: &str| {
        fs::read_to_string(dir.path().join("runs/lab").join(folder).join("curves.svg")).unwrap()
    };
    assert!(title("tiny").contains("Does one step more help? (val_loss)"));
    // What is measured only after training has no curve: that of the validation loss stands for it.
    let after = TINY.replace("measure = \"val_loss\"", "measure = \"generation_loss\"");
    let after = after.replace("[\"generation_loss\", \"train_loss\"]", "[]");
    fs::write(dir.path().join("after.toml"), after).unwrap();
    ok(dir.path(), &["lab", "after.toml"]);
    assert!(title("after").contains("help? (val_loss)") && !title("after").contains("generation_loss"));

    // The table agrees with the objects, and every seed counts.
    let table = ok(dir.path(), &["lab", "tiny.toml"]);
    let standard = &measured(&first)[0];
    let mean = standard["measures"]["val_loss"]["mean"].as_f64().unwrap();
    assert!(table.contains(&format!("| standard | {mean:.4}")), "{table}");
    assert_eq!(standard["values"].as_array().unwrap().len(), 2);
    assert_ne!(standard["values"][0], standard["values"][1]);
    assert!(measured(&first)[1]["difference_95"].as_f64().unwrap() > 0.0);
    // A causal model has the same loss in generation, on other windows.
    let generated = standard["measures"]["generation_loss"]["mean"].as_f64().unwrap();
    assert!((generated - mean).abs() < 0.1, "{generated} {mean}");

    // Other settings are trained beside these, and do not replace them.
    let trials = |args: &[&str]| {
        let all = objects(dir.path(), &[&["lab", "tiny.toml", "--json"], args].concat());
        (all.iter().filter(|o| o["event"] == "trial").count(), measured(&all))
    };
    // The arm "more" has its own number of steps, so its results stay valid.
    assert_eq!(trials(&["--steps", "3"]).0, 2);
    assert_eq!(trials(&[]), (0, measured(&first)));
    assert_eq!(trials(&["--overwrite"]), (4, measured(&first)));
    // Overwritten results are gone from the file, so that a stopped experiment resumes without --overwrite.
    let text = fs::read_to_string(&results).unwrap();
    let of_all = text.lines().filter(|line| line.contains("\"max_iters\":4,")).count();
    assert_eq!((of_all, text.lines().count()), (2, 1 + 4 + 2), "{text}");
}

#[test]
fn results_are_shown_even_if_they_cannot_be_drawn() {
    let dir = folder_with(TINY);
    let folder = dir.path().join("runs/lab/tiny");
    fs::create_dir_all(folder.join("table.md")).unwrap();
    let output = run(dir.path(), &["lab", "tiny.toml", "--seeds", "1"]);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!output.status.success() && stderr.contains("table.md"), "{stderr}");
    assert!(stdout.contains("| standard | "), "{stdout}");
}

#[test]
fn flags_say_what_they_do_not_change() {
    let dir = folder_with(&TINY.replace("name = \"more\"", "name = \"more\"\ndata = \"own-sources\""));
    fs::write(dir.path().join("a.txt"), "one two three four five six seven. ".repeat(60)).unwrap();
    let output = run(dir.path(), &["lab", "tiny.toml", "--seeds", "1", "--data", "a.txt", "--steps", "3"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    for flag in ["--data does not change those with their own data: more", "--steps does not change"] {
        assert!(stderr.contains(flag), "{stderr}");
    }
}

#[test]
fn arms_seeds_and_data_never_collide() {
    let dir = folder_with(&TINY.replace("name = \"more\"", "name = \"more, and longer\""));
    let path = dir.path().join("tiny.toml");
    let trained = |args: &[&str]| -> Vec<String> {
        let all = objects(dir.path(), &[&["lab", "tiny.toml", "--json"], args].concat());
        let trials = all.iter().filter(|o| o["event"] == "trial");
        trials.map(|o| format!("{} {}", o["arm"].as_str().unwrap(), o["seed"])).collect()
    };
    assert_eq!(trained(&["--arms", "standard", "--seeds", "1"]), ["standard 1"]);
    assert_eq!(trained(&["--arms", "more, and longer", "--seeds", "1"]), ["more, and longer 1"]);
    assert_eq!(trained(&["--seeds", "1,3"]), ["standard 3", "more, and longer 3"]);
    assert!(trained(&["--arms", "standard,more, and longer", "--seeds", "3"]).is_empty());
    // Another arm of the same name.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("max_iters = 5", "max_iters = 6")).unwrap();
    assert_eq!(trained(&["--seeds", "1"]), ["more, and longer 1"]);
    // The same arm under another name.
    fs::write(&path, text.replace("name = \"more, and longer\"", "name = \"renamed\"")).unwrap();
    assert!(trained(&["--seeds", "1"]).is_empty());
    // Another data set, and its content under another name.
    fs::write(dir.path().join("a.txt"), "one two three four five six seven. ".repeat(60)).unwrap();
    fs::copy(dir.path().join("a.txt"), dir.path().join("b.txt")).unwrap();
    assert_eq!(trained(&["--seeds", "1", "--data", "a.txt"]), ["standard 1", "renamed 1"]);
    assert!(trained(&["--seeds", "1", "--data", "b.txt"]).is_empty());
    assert!(trained(&["--seeds", "1"]).is_empty());
}

#[test]
fn results_of_older_versions_are_used() {
    let dir = folder_with(TINY);
    let lab = |args: &[&str]| objects(dir.path(), &[&["lab", "tiny.toml", "--json"], args].concat());
    let first = lab(&[]);
    let results = dir.path().join("runs/lab/tiny/results.jsonl");
    let text = fs::read_to_string(&results).unwrap();
    let records: Vec<Value> = text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    // An older version wrote the whole experiment into the first line, and bare results below.
    let experiment: toml::Table =
        toml::from_str(&fs::read_to_string(dir.path().join("runs/lab/tiny/experiment.toml")).unwrap())
            .unwrap();
    let mut old =
        serde_json::json!({"experiment": experiment, "data": [records[0]["data"]]}).to_string() + "\n";
    for record in &records {
        let mut line = record.clone();
        ["model", "settings", "data", "wanted"].iter().for_each(|key| {
            line.as_object_mut().unwrap().remove(*key);
        });
        old += &format!("{line}\n");
    }
    fs::write(&results, &old).unwrap();
    let again = lab(&["--seeds", "1,2,3"]);
    assert_eq!(again.iter().filter(|o| o["event"] == "trial").count(), 2, "only the new seed is trained");
    assert_eq!(measured(&lab(&[])), measured(&first));

    // A file that nobody can read is replaced only on request.
    fs::write(&results, "{\"format\": 99}\n").unwrap();
    let error = refused(dir.path(), &["lab", "tiny.toml"]);
    assert!(error.contains("--overwrite") && error.contains("--run"), "{error}");
    assert_eq!(measured(&lab(&["--overwrite"])), measured(&first));
}

#[test]
fn a_ladder_says_when_each_rung_reaches_a_value() {
    let ladder = TINY.replace("seeds =", "reach = [1000.0, 0.5]\nseeds =").replace(
        "name = \"more\"",
        "name = \"wider\"\nn_embd = 16\n[[arms]]\nname = \"more\"\non = \"wider\"",
    );
    let dir = folder_with(&ladder);
    let found = objects(dir.path(), &["lab", "tiny.toml", "--json"]);
    let arms = measured(&found);
    for arm in &arms {
        let [high, low] = [&arm["reached"][0], &arm["reached"][1]];
        // The first evaluation, after 2 steps, is below 1000.
        assert_eq!((&high["steps"], &high["target"]), (&serde_json::json!([2, 2]), &1000.0.into()));
        let seconds: Vec<f64> =
            high["seconds"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
        assert!(seconds.iter().all(|s| *s > 0.0), "{seconds:?}");
        assert!(low["seconds"].as_array().unwrap().is_empty() && low["runs"] == 2, "{low}");
    }
    // A rung is compared with the one below it.
    let mean = |arm: usize| arms[arm]["measures"]["val_loss"]["mean"].as_f64().unwrap();
    let difference = arms[2]["difference"].as_f64().unwrap();
    assert!((difference - (mean(2) - mean(1))).abs() < 1e-12, "{difference}");
    let records = fs::read_to_string(dir.path().join("runs/lab/tiny/results.jsonl")).unwrap();
    let last: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    assert_eq!((&last["settings"]["n_embd"], &last["settings"]["max_iters"]), (&16.into(), &5.into()));
    // A narrow terminal drops other measures first.
    let shown = ok(dir.path(), &["lab", "tiny.toml"]);
    let written = fs::read_to_string(dir.path().join("runs/lab/tiny/table.md")).unwrap();
    for table in [shown, written] {
        assert!(table.contains("time to 1000") && table.contains("time to 0.5"), "{table}");
    }
}

#[test]
fn a_diverged_arm_is_part_of_the_result() {
    let text = TINY.replace("name = \"more\"", "name = \"more\"\nlearning_rate = 1e30\nmin_lr = 1e30");
    let dir = folder_with(&text.replace("max_iters = 5", "max_iters = 30"));
    let output = run(dir.path(), &["lab", "tiny.toml", "--json"]);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    // Its sentence fits the terminal, and promises no checkpoint.
    assert!(stderr.contains("training has") && !stderr.contains("checkpoint"), "{stderr}");
    assert!(stderr.lines().all(|line| line.chars().count() <= 80), "{stderr}");
    let found: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let arms = measured(&found);
    assert_eq!((&arms[0]["diverged"], &arms[1]["diverged"]), (&0.into(), &2.into()));
    assert!(arms[1]["difference"].is_null() && arms[1]["values"].as_array().unwrap().is_empty());
    let table = ok(dir.path(), &["lab", "tiny.toml"]);
    assert!(table.contains("diverged with 2 of 2 seeds"), "{table}");
}

#[test]
fn digit_networks_are_compared_too() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 12_000, 200);
    let args = ["lab", "digits", "--arms", "quadratic", "--seeds", "1", "--steps", "1", "--json", "--data"];
    let found = objects(dir.path(), &[&args[..], &[data.to_str().unwrap()]].concat());
    let arms = measured(&found);
    assert_eq!(arms.len(), 2);
    assert!(arms[0]["measures"]["test_accuracy"]["mean"].as_f64().unwrap() > 0.3);
    assert!(arms[1]["difference_95"].is_null(), "one pair gives no interval");
}

#[test]
fn the_experiments_are_listed_as_json_too() {
    let all = objects(root(), &["lab", "--json"]);
    assert_eq!(all.len(), 7);
    assert_eq!(all[0]["experiment"], "score");
    for listed in all {
        assert!(listed["about"].as_str().unwrap().ends_with('?'), "{listed}");
        assert!(listed["arms"].as_array().unwrap().iter().all(Value::is_string), "{listed}");
    }
}

#[test]
fn mistakes_give_one_sentence() {
    let dir = folder_with(TINY);
    assert!(ok(dir.path(), &["lab"]).contains("squared-dot"));
    let cases: [(&[&str], &str); 11] = [
        (&["lab", "tiny.toml", "--run", ""], "--run is \"\": give the name of a run"),
        (&["lab", "tiny.toml", "--run", " a\nb"], "is no good name"),
        (&["lab", "tiny.toml", "--steps", "-1"], "invalid value '-1' for '--steps"),
        (&["lab", "scor"], "did you mean score?"),
        (&["lab", "xyzzy"], "the experiments are score, mask"),
        (&["lab", "score", "--arms", "cosin"], "did you mean cosine?"),
        (&["lab", "score", "--data", "nowhere.txt"], "nowhere.txt"),
        (&["lab", "score", "--steps", "0"], "--steps"),
        (&["lab", "score", "--seeds", "x"], "--seeds"),
        (&["lab", "."], "no experiment and no file is called ."),
        (&["lab", "digits", "--data", "tiny.toml"], "tiny.toml"),
    ];
    for (args, part) in cases {
        let error = refused(dir.path(), args);
        assert!(error.contains(part), "{args:?}: {error}");
    }
    for (text, part) in [
        (TINY.replace("n_layer", "n_layers"), "did you mean n_layer?"),
        (TINY.replace("max_iters = 5", "mask = \"diagonal\""), "window:N"),
        ("about = ".into(), "tiny.toml is not an experiment"),
        (TINY.replace("block_size = 16", "block_size = 0"), "base: block_size is 0"),
    ] {
        fs::write(dir.path().join("tiny.toml"), text).unwrap();
        let error = refused(dir.path(), &["lab", "tiny.toml"]);
        assert!(error.contains(part), "{error}");
    }
    assert!(!dir.path().join("runs").exists(), "nothing is written before everything is checked");
}
