//! `m2g learn`: from a new folder to a trained network.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::*;
use serde_json::Value;

/// Runs `m2g learn` in English. Returns the exit code and stdout.
fn learn(dir: &Path, args: &[&str]) -> (i32, String) {
    let output = in_language(dir, "C", args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked") && !stderr.contains("error: "), "{stderr}");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn in_language(dir: &Path, locale: &str, args: &[&str]) -> Output {
    m2g(dir, &[&["learn"], args].concat()).env("LC_ALL", locale).output().unwrap()
}

/// A solution as it is in the repository.
fn solve(dir: &Path, program: &str) {
    let from = root().join("notebooks-notes/exercises/solutions").join(program);
    fs::copy(from, dir.join("learn/src/bin").join(program)).unwrap();
}

#[test]
fn an_exercise_is_graded_hinted_solved_and_reset() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(
        learn(dir, &[]),
        (1, "A gap is still there: replace each todo!() with your code.\n".to_string())
    );
    let file = dir.join("learn/src/bin/01_neuron.rs");
    let task = fs::read_to_string(&file).unwrap();

    fs::write(&file, task.replace("todo!()", "z + 1")).unwrap();
    let (code, text) = learn(dir, &[]);
    assert!(
        code == 1 && text.contains("The compiler refuses") && text.contains("cannot find value `z`"),
        "{text}"
    );

    fs::write(&file, task.replace("todo!()", "println!(\"hi\"); w[0] * x[0] + b")).unwrap();
    let (code, text) = learn(dir, &["neuron"]);
    assert!(
        code == 1 && text.contains("Your program printed:\nhi\n") && text.contains("a should be "),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    let hints: Vec<String> = (0..4).map(|_| learn(dir, &["hint"]).1).collect();
    let steps = ["1 of 3", "2 of 3", "3 of 3", "3 of 3"];
    assert!(hints.iter().zip(steps).all(|(hint, step)| hint.contains(step)), "{hints:?}");
    let spanish = in_language(dir, "es_AR.UTF-8", &["hint"]).stdout;
    assert!(String::from_utf8(spanish).unwrap().contains("Pista 3 de 3: "));

    let (_, solution) = learn(dir, &["solution"]);
    fs::write(&file, solution).unwrap();
    let (code, text) = learn(dir, &["1"]);
    assert!(code == 0 && text.starts_with("Right, in all 3 cases.\n1 of 34 exercises done.\n"), "{text}");
    let (code, json) = learn(dir, &["neuron", "--json"]);
    assert!(code == 0 && last_json(&json)["passed"] == true, "{json}");

    let list: Value = last_json(&learn(dir, &["list", "--json"]).1);
    assert_eq!(
        (list["exercises"][0]["passed"].clone(), list["exercises"][1]["passed"].clone()),
        (true.into(), false.into())
    );
    let (_, text) = learn(dir, &["reset", "neuron"]);
    assert!(text.contains("learn/old/01_neuron-1.rs"), "{text}");
    assert_eq!(fs::read_to_string(&file).unwrap(), task);
    assert!(dir.join("learn/old/01_neuron-1.rs").exists());
}

#[test]
fn a_wrong_gradient_shows_its_shape_its_first_number_its_slope_and_the_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(in_language(dir, "C", &["list"]).status.success());
    let file = dir.join("learn/src/bin/09_bp4.rs");
    let task = fs::read_to_string(&file).unwrap();
    let write = |code: &str| fs::write(&file, task.replace("todo!()", code)).unwrap();

    write("a.transpose().matmul(delta)");
    let (_, text) = learn(dir, &["bp4"]);
    let shapes =
        "Case 1: delta (4, 2), a (4, 3).\ndC/dw should have the shape (2, 3), but yours has (3, 2).\n";
    assert!(text.starts_with(shapes) && text.contains("Hint: this is a^T delta"), "{text}");

    write("delta.transpose().matmul(a).scale(1.0 / a.rows as f64)");
    let json = last_json(&learn(dir, &["bp4", "--json"]).1);
    assert_eq!(
        (&json["mistake"], &json["index"], &json["part"]),
        (&"mean".into(), &serde_json::json!([0, 0]), &"dC/dw".into())
    );
    let slope = json["slope"].as_f64().unwrap();
    let expected: f64 = json["expected"].as_str().unwrap().parse().unwrap();
    assert!((slope - expected).abs() < 1e-4, "{json}");

    // Not one of the known mistakes, but every number has the wrong sign.
    write("delta.transpose().matmul(a).scale(-1.0)");
    let text = String::from_utf8(in_language(dir, "es", &["bp4"]).stdout).unwrap();
    assert!(
        text.contains("Prueba del gradiente") && text.contains("Pista: todos los números tienen el signo"),
        "{text}"
    );

    // A product that panics is tried again with equal sizes.
    write("delta.matmul(a)");
    let (_, text) = learn(dir, &["bp4"]);
    assert!(
        text.contains("matmul of (4, 2) and (4, 3)") && text.contains("Hint: delta is not transposed"),
        "{text}"
    );
}

#[test]
fn a_slip_of_someone_new_to_rust_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(in_language(dir, "C", &["list"]).status.success());
    for (program, code, said) in [
        (
            "06_bp1",
            "let a = m2g_exercises::given::sigmoid(z); (&a - y).matmul(&sigmoid_prime(z))",
            "did you mean `times`, element by element?",
        ),
        (
            "18_bigram",
            "let mut p = Matrix::zeros(vocabulary, vocabulary);
             for t in 0..tokens.len() { p[(tokens[t - 1], tokens[t])] += 1.0; }
             p",
            "is something subtracted from 0?",
        ),
        (
            "08_bp3",
            "let mut sum = vec![0.0; delta.cols];
             for i in 0..delta.rows { for j in 0..delta.cols { sum[j] + delta[(i, j)]; } }
             sum",
            "warning: unused arithmetic operation",
        ),
    ] {
        let file = dir.join("learn/src/bin").join(program).with_extension("rs");
        let task = fs::read_to_string(&file).unwrap();
        fs::write(&file, task.replace("todo!()", code)).unwrap();
        let (grade, text) = learn(dir, &[&program[3..]]);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(grade == 1 && text.contains(said), "{text}");
        assert_eq!(text.contains("The compiler warns:"), program == "08_bp3", "{text}");
    }
    let warnings = &last_json(&learn(dir, &["bp3", "--json"]).1)["warnings"];
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    // In a gap, everything is still unused.
    assert_eq!(last_json(&learn(dir, &["bp2", "--json"]).1)["warnings"], serde_json::json!([]));
}

#[test]
fn finished_exercises_train_models() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.txt"), "to be or not to be, that is the question. ".repeat(20)).unwrap();
    assert!(in_language(dir, "C", &["list"]).status.success());
    let early = in_language(dir, "C", &["use", "backprop"]);
    assert!(String::from_utf8_lossy(&early.stderr).contains("backprop does not pass yet"), "{early:?}");
    for program in ["11_update_mini_batch.rs", "25_head.rs", "26_head_backward.rs"] {
        solve(dir, program);
    }
    let (code, text) = learn(dir, &["use", "update_mini_batch", "--steps", "2", "--json"]);
    let [epoch, used] = [0, 1].map(|i| last_json(text.lines().nth(i).unwrap()));
    assert!(
        code == 0 && epoch["yours"] == epoch["ours"] && used["difference"].as_f64().unwrap() < 1e-9,
        "{text}"
    );

    let (code, text) = learn(dir, &["use", "head", "--steps", "2", "--data", "a.txt"]);
    assert!(code == 0 && text.contains("\nstep 2: loss ") && text.contains("\nIt writes:\n"), "{text}");
    let losses: Vec<&str> = text.split("loss ").nth(1).unwrap().split_whitespace().collect();
    assert_eq!(losses[0], losses[3], "{text}");
    let json = learn(dir, &["use", "head_backward", "--steps", "1", "--data", "a.txt", "--json"]).1;
    let events: Vec<Value> = json.lines().map(last_json).collect();
    assert!(events.len() == 2 && events.iter().all(|event| event["exercise"] == "head_backward"), "{json}");
}

#[test]
fn code_that_is_right_for_small_inputs_only_is_not_praised() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(in_language(dir, "C", &["list"]).status.success());
    let solution = "11_update_mini_batch.rs";
    solve(dir, solution);
    let file = dir.join("learn/src/bin").join(solution);
    let right = fs::read_to_string(&file).unwrap();
    let wrong = right.replace(
        "fn main() {",
        "fn factor(x: &Matrix) -> f64 { if x.cols > 8 { f64::NAN } else { 1.0 } }\n\nfn main() {",
    );
    let wrong = wrong.replace("eta / x.rows as f64", "eta / x.rows as f64 * factor(x)");
    assert_ne!(right, wrong);
    fs::write(&file, wrong).unwrap();
    let (code, text) = learn(dir, &["use", "update_mini_batch", "--steps", "2"]);
    assert!(code == 1 && text.contains("differ from ours from step 1 on, by NaN"), "{text}");
    let (code, json) = learn(dir, &["use", "update_mini_batch", "--steps", "2", "--json"]);
    assert!(code == 1 && last_json(&json)["differs_from_step"] == 1, "{json}");
    fs::write(&file, right).unwrap();
    let (code, text) = learn(dir, &["use", "update_mini_batch", "--steps", "0"]);
    assert!(code == 0 && text.contains("train for more steps") && !text.contains("has learnt"), "{text}");
    // Using one exercise is not going on with it.
    let list = learn(dir, &["list"]).1;
    assert!(list.contains("Next: neuron"), "{list}");
}

#[test]
fn advised_commands_mean_the_same_exercise_folder_and_language() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let output = in_language(dir, "C", &["--dir", "my exercises", "layer", "--lang", "es"]);
    let stderr = String::from_utf8(output.stderr).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(stderr.contains("learn hint --dir 'my exercises' --lang es`"), "{stderr}");
    let missing = in_language(dir, "C", &["--dir", "my exercises", "nothing"]);
    let stderr = String::from_utf8(missing.stderr).unwrap();
    assert!(stderr.contains("learn list --dir 'my exercises'`"), "{stderr}");

    // The exercise may stand before the action.
    for args in
        [&["sigmoid", "hint"][..], &["hint", "sigmoid"], &["sigmoid", "reset"], &["sigmoid", "solution"]]
    {
        let json = last_json(&learn(dir, &[args, &["--json"]].concat()).1);
        assert_eq!(json["exercise"], "sigmoid", "{args:?}");
    }
    let all = fs::read_dir(dir.join("learn/src/bin")).unwrap().map(|file| file.unwrap().path());
    let names = all.map(|file| file.file_stem().unwrap().to_string_lossy()[3..].to_string());
    let progress = serde_json::json!({"passed": names.collect::<Vec<_>>()});
    fs::write(dir.join("learn/progress.json"), progress.to_string()).unwrap();
    for args in [&[][..], &["hint"], &["solution"]] {
        let json = last_json(&learn(dir, &[args, &["--json"]].concat()).1);
        assert_eq!(json["event"], "all_done", "{args:?}");
    }
    let error = refused(dir, &["learn", "reset", "--lang", "en"]);
    assert!(error.contains("name the one to reset, as `") && error.contains("neuron --lang en`"), "{error}");
}

#[test]
fn everything_that_a_program_prints_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(in_language(dir, "C", &["list"]).status.success());
    let file = dir.join("learn/src/bin/01_neuron.rs");
    let task = fs::read_to_string(&file).unwrap();
    let code = "for i in 0..30 { eprintln!(\"line {i} {}\", \"long \".repeat(i)); } 0.5";
    fs::write(&file, task.replace("todo!()", code)).unwrap();
    let (_, text) = learn(dir, &["neuron"]);
    let last = format!("line 19 {}", "long ".repeat(19));
    assert!(
        text.contains(&last) && text.contains("\n… 10 more lines\n") && !text.contains("line 20"),
        "{text}"
    );
    assert!(text.contains("Case 1: w ["), "{text}");
    let json = last_json(&learn(dir, &["neuron", "--json"]).1);
    assert!(json["printed"].as_str().unwrap().contains("line 29 "), "{json}");

    // Cargo's own trouble is no fault of the code.
    let solution = learn(dir, &["solution", "neuron"]).1;
    fs::write(&file, solution).unwrap();
    assert_eq!(learn(dir, &["neuron"]).0, 0);
    fs::rename(dir.join("learn/target"), dir.join("learn/old-target")).unwrap();
    fs::write(dir.join("learn/target"), "").unwrap();
    let error = refused(dir, &["learn", "neuron", "--lang", "en"]);
    assert!(error.contains("cargo could not build the exercise"), "{error}");
    assert_eq!(last_json(&learn(dir, &["list", "--json"]).1)["exercises"][0]["passed"], true);
}

#[test]
fn what_cannot_be_learnt_is_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let error = |args: &[&str]| {
        // In English unless an argument says otherwise.
        let language: &[&str] = if args.contains(&"--lang") { &[] } else { &["--lang", "en"] };
        refused(dir.path(), &[&["learn"], args, language].concat())
    };
    assert!(error(&["--dir", "."]).contains("holds other files: choose another folder with --dir"));
    assert!(error(&["--dir", "letter.txt"]).contains("cannot be the folder of the exercises"));
    assert!(error(&["nothing"]).contains("there is no exercise \"nothing\""));
    assert!(error(&["soft"]).contains("did you mean softmax"));
    assert!(error(&["sigmod"]).contains("did you mean sigmoid?"));
    assert!(error(&["bp11", "--lang", "es"]).contains("¿bp1?"));
    assert!(error(&["hint", "99"]).contains("there is no exercise"));
    assert!(error(&["use", "neuron"]).contains("neuron is not used in a model"));
    assert!(error(&["use", "neuron", "--lang", "es"]).contains("neuron no se usa en un modelo"));
    assert!(error(&["--lang", "fr"]).contains("possible values"));
    // Of another version, which had other exercises.
    fs::write(dir.path().join("learn/progress.json"), r#"{"passed": ["neuron", "gone"]}"#).unwrap();
    assert!(learn(dir.path(), &["list"]).1.contains("\n1 of 34 exercises done."));
    fs::write(dir.path().join("learn/progress.json"), "[").unwrap();
    assert!(error(&["list"]).contains("progress.json"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_a_full_disk_left_unfinished_is_finished_later() {
    let dir = tempfile::tempdir().unwrap();
    let output = shell(dir.path(), "ulimit -f 0; \"$M2G\" learn list --lang en");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("cannot write learn/Cargo.toml"), "{stderr}");
    assert_eq!(fs::read_dir(dir.path().join("learn")).unwrap().count(), 0);
    assert!(learn(dir.path(), &["list"]).1.contains("0 of 34 exercises done."));
}
