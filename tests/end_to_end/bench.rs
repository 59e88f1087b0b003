//! `m2g bench` and `m2g doctor` on the smallest workload.

use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// The shortest measurement: one process, one epoch.
const SMALL: [&str; 6] = ["bench", "digits-784-30-10", "--rounds", "1", "--steps", "1"];

#[test]
fn a_workload_is_measured_and_profiled_without_python() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--threads", "1", "--profile", "--against", "pytorch", "--json"];
    let output = m2g(dir.path(), &[&SMALL[..], &args].concat()).env("PATH", dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // Our own figures are printed. The command fails all the same, because the peer was not measured.
    assert_eq!(output.status.code(), Some(1), "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("pip install numpy torch transformers"), "{said}");
    assert!(said.ends_with("error: no peer was measured"), "{said}");
    let report = last_json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(report["workload"], SMALL[1]);
    assert_eq!((&report["rounds"], &report["steps"]), (&1.into(), &1.into()));
    assert_eq!(report["limits"]["threads"], 1);
    for key in ["f32_gflops", "bf16_gflops", "copy_gb_per_s"] {
        assert!(report["limits"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    for key in ["median_seconds", "min_seconds", "per_second", "gflops", "share_of_peak"] {
        assert!(report["ours"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    for key in ["processor", "architecture", "instruction_sets", "logical_processors"] {
        assert!(!report["machine"][key].is_null(), "{key}");
    }
    assert!(report["date"].as_str().unwrap().ends_with('Z') && report["version"].is_string());
    assert!((share_of(&report, "f32_gflops") - 1.0).abs() < 1e-9, "{report}");
    let seconds = report["ours"]["median_seconds"].as_f64().unwrap();
    assert_eq!(report["target"]["met"], seconds <= report["target"]["seconds"].as_f64().unwrap());

    let profile = &report["profile"];
    let share = |value: &Value| value.as_f64().unwrap();
    let ops = profile["ops"].as_array().unwrap();
    let sum = ops.iter().map(|op| share(&op["share"])).sum::<f64>() + share(&profile["outside_share"]);
    assert!((sum - 1.0).abs() < 1e-6, "the shares sum to {sum}");
    for phase in ["batch", "forward", "backward", "update"] {
        assert!(ops.iter().any(|op| op["phase"] == phase), "{phase}");
    }
    assert!((0.0..=1.0).contains(&share(&profile["products_share"])));
}

/// The ratio of the reported share of the peak to the share computed from this limit.
fn share_of(report: &Value, limit: &str) -> f64 {
    let [share, gflops] = ["share_of_peak", "gflops"].map(|key| report["ours"][key].as_f64().unwrap());
    share / (gflops / report["limits"][limit].as_f64().unwrap())
}

#[test]
fn the_share_of_the_peak_uses_the_peak_of_the_precision() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["bench", "train-shakespeare-char-cpu-bf16", "--rounds", "1", "--steps", "1", "--json"];
    let report = last_json(&ok(dir.path(), &args));
    assert!((share_of(&report, "bf16_gflops") - 1.0).abs() < 1e-9, "{report}");
    assert_eq!(report["event"], "bench");
}

#[test]
fn a_training_step_is_scaled_by_threads_batch_and_block() {
    let dir = tempfile::tempdir().unwrap();
    // Smaller than any real workload, to save time.
    for (scaling, sizes, shapes) in [
        ("threads", "1,2", [(1, 12, 64), (2, 12, 64)]),
        ("batch-size", "1,2", [(1, 1, 64), (1, 2, 64)]),
        ("block-size", "8,16", [(1, 2, 8), (1, 1, 16)]),
    ] {
        let args =
            ["train-shakespeare-char-cpu", "--rounds", "1", "--steps", "1", "--threads", "1", "--json"];
        let args = [&["bench", "--scaling", scaling, "--sizes", sizes], &args[..]].concat();
        let scaled = last_json(&ok(dir.path(), &args));
        assert_eq!((&scaled["scaling"], &scaled["rounds"]), (&scaling.into(), &1.into()));
        assert!(scaled["target"]["what"].is_string() && scaled["target"]["met"].is_boolean(), "{scaled}");
        let points = scaled["points"].as_array().unwrap();
        assert_eq!(points.len(), shapes.len());
        for (point, (threads, batch, block)) in points.iter().zip(shapes) {
            let found = ["threads", "batch_size", "block_size"].map(|key| point[key].as_u64().unwrap());
            assert_eq!(found, [threads, batch, block], "{scaling}");
            for key in [
                "median_seconds",
                "seconds_per_token",
                "relative_time",
                "products_gflops",
                "relative_products",
            ] {
                assert!(point[key].as_f64().unwrap() > 0.0, "{scaling}: {key}");
            }
        }
        assert_eq!(points[0]["relative_time"], 1.0);
    }
    for (args, word) in [
        (&["digits-784-30-10", "--scaling", "threads", "--sizes", "1,2"][..], "digits-784-30-10"),
        (&["--scaling", "threads", "--threads", "1"], "--sizes 1,2"),
        (&["--scaling", "threads", "--sizes", "1,1"], "error: --sizes has only 1: give the numbers"),
        (&["--scaling", "threads", "--sizes", "1,1025"], "--sizes has 1025: at most 1024 threads can run"),
        (&["--scaling", "ranks", "--steps", "2"], "give more than 2"),
        (&["--scaling", "block-size", "--sizes", "3,8"], "divisors of 8"),
        (&["--sizes", "1,2"], "--scaling"),
    ] {
        let output = m2g(dir.path(), &[&["bench"], args].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(word), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "refused before anything is measured: {args:?}");
    }
    let ranks = ["bench", "--scaling", "ranks", "--sizes", "1", "--steps", "3", "--rounds", "1"];
    let json = last_json(&ok(dir.path(), &[&ranks[..], &["--json"]].concat()));
    assert_eq!(
        (&json["scaling"], &json["rounds"], &json["threads"]),
        (&"ranks".into(), &1.into(), &1.into())
    );
    assert!(json["points"][0]["tokens_per_second"].as_f64().unwrap() > 0.0, "{json}");
    for key in ["date", "version", "build", "machine", "limits"] {
        assert!(!json[key].is_null(), "a line says where and when it was measured: {key}");
    }
    let text = ok(dir.path(), &ranks);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("gpt in 1 shard of 8 x 64 tokens") && words.contains("median of 1 round "),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn only_steps_runs_the_steps_and_prints_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ok(dir.path(), &["bench", "digits-784-30-10", "--only-steps", "3"]), "");
    let said = refused(dir.path(), &["bench", "train-gpt2-124m", "--only-steps", "3"]);
    assert!(said.contains("digit networks"), "{said}");
}

#[test]
fn invalid_arguments_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    for (args, word) in [
        (&["train-shakespere-char-cpu"][..], "'train-shakespeare-char-cpu'"),
        (&["--rounds", "0"], "--rounds"),
        (&["--steps", "0"], "--steps"),
        (&["--threads", "0"], "--threads"),
        (&["--against", "pytroch"], "pytorch"),
    ] {
        let said = refused(dir.path(), &[&["bench"], args].concat());
        assert!(said.contains(word), "{args:?}: {said}");
    }
    let help = ok(dir.path(), &["bench", "--help"]);
    assert!(help.contains("generate-gpt2-124m") && !help.contains("--child"), "{help}");
}

#[test]
fn the_doctor_reports_data_and_measures_peaks() {
    let dir = tempfile::tempdir().unwrap();
    let text = ok(dir.path(), &["doctor"]);
    assert!(text.contains("MNIST         complete, in "), "{text}");
    assert_eq!(text.contains("warning: this is a debug build"), cfg!(debug_assertions), "{text}");
    let json = last_json(&ok(dir.path(), &["doctor", "--json"]));
    assert!(json["data"]["mnist"].is_string() && json["data"]["wrong"].is_null());
    assert!(json["machine"]["kernels_use"].is_string() && json["warnings"].is_array());
    assert!(json["runs"]["count"] == 0 && json["runs"]["wrong"].is_null());
    // What cannot be read is not called empty.
    std::fs::write(dir.path().join("runs"), "").unwrap();
    assert!(ok(dir.path(), &["doctor"]).contains("runs          cannot read runs: "));
    for peak in ["f32", "bf16"] {
        assert!(text.contains(&format!("\n{peak} peak ")), "{text}");
        for threads in ["one_thread", "all_threads"] {
            assert!(json[threads][format!("{peak}_gflops")].as_f64().unwrap() > 0.0);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_doctor_warns_of_the_instruction_set_that_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        m2g(dir.path(), &["doctor", "--json"]).env("M2G_INSTRUCTION_SET", "baseline").output().unwrap();
    let warnings = last_json(&String::from_utf8_lossy(&output.stdout))["warnings"].to_string();
    assert!(warnings.contains("generation about fifty times"), "{warnings}");
}

/// `m2g` with a `PATH` that holds only a `python3`: this shell script.
#[cfg(unix)]
fn with_python(dir: &Path, script: &str, args: &[&str]) -> std::process::Command {
    use std::os::unix::fs::PermissionsExt;
    let python = dir.join("python3");
    std::fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = m2g(dir, args);
    command.env("PATH", dir);
    command
}

/// The answer of a Python with torch and numpy.
#[cfg(unix)]
const ANSWER: &str = r#"-c) echo '{"python": "3", "packages": {"torch": "2", "numpy": "2"}}' ;;"#;

#[cfg(unix)]
#[test]
fn a_peer_is_compared_and_a_failing_peer_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        r#"case "$1" in
        {ANSWER}
        *digits_torch.py) echo '{{"peer": "a peer", "seconds": [1000, 2000, 3000], "peak_rss_mb": 7}}' ;;
        *) echo 'a line'; echo 'ValueError: no' >&2; exit 1 ;;
        esac"#
    );
    let args = [&SMALL[..], &["--against", "pytorch", "--json"]].concat();
    let output = with_python(dir.path(), &script, &args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("numpy is dropped: ValueError: no"), "{said}");
    let report = last_json(&String::from_utf8_lossy(&output.stdout));
    let [peer] = &report["peers"].as_array().unwrap()[..] else { panic!("{report}") };
    let (ours, theirs) = (&report["ours"]["median_seconds"], &peer["median_seconds"]);
    assert_eq!(
        (&peer["name"], &peer["version"], theirs),
        (&"PyTorch".into(), &"a peer".into(), &2000.0.into())
    );
    assert!((peer["median_ratio"].as_f64().unwrap() - 2000.0 / ours.as_f64().unwrap()).abs() < 1e-6);
    assert_eq!((&peer["target_ratio"], &peer["target_met"]), (&12.0.into(), &true.into()));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let wait = "PATH=/usr/bin:/bin:/run/current-system/sw/bin exec sleep 120";
    let script = format!("case \"$1\" in {ANSWER} *) echo $$ > '{}'; {wait} ;; esac", pid.display());
    let args = [&SMALL[..], &["--against", "pytorch"]].concat();
    let mut bench = Started::new(&mut with_python(dir.path(), &script, &args));
    let started = || std::fs::read_to_string(&pid).unwrap_or_default();
    wait_until(|| {
        assert!(bench.try_wait().unwrap().is_none(), "it ended before the peer started");
        started().ends_with('\n')
    });
    assert!(signal("-INT", bench.id()));
    assert_eq!(bench.end().code(), Some(130));
    assert!(!signal("-0", started().trim().parse().unwrap()), "the peer is still running");
}
