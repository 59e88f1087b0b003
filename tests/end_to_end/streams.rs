//! Stdout and stderr that nobody reads: a closed terminal, `| head`, a full device. Not every system has one.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use crate::support::{TINY_GPT, last_json, ok, shell, weights, with_text};

/// The number of steps in the last checkpoint of a run.
fn steps(dir: &Path, run: &str) -> u64 {
    last_json(&ok(dir, &["runs", "show", run, "--json"]))["steps"].as_u64().unwrap()
}

#[test]
fn a_training_goes_on_when_nobody_can_read_its_notes() {
    let dir = with_text();
    let train = |run: &str, redirection: &str| {
        let line = format!(
            "{{ \"$M2G\" gpt train {TINY_GPT} --max-iters 40 --eval-interval 10 --log-interval 1 --run {run}; \
             echo $? > {run}.code; }} {redirection}"
        );
        shell(dir.path(), &line);
        let code = fs::read_to_string(dir.path().join(format!("{run}.code"))).unwrap();
        assert_eq!((code.trim(), steps(dir.path(), run)), ("0", 40), "{redirection}");
        weights(&dir.path().join("runs").join(run))
    };
    let whole = train("whole", "2>notes");
    for (run, redirection) in [("closed", "2>&-"), ("full", "2>/dev/full"), ("head", "2>&1 | head -n 1")] {
        assert!(train(run, redirection) == whole, "{redirection}");
    }
}

#[test]
fn other_commands_work_when_nobody_can_read_their_notes() {
    let dir = with_text();
    let setup = format!("\"$M2G\" gpt train {TINY_GPT} --max-iters 2 --run a");
    assert!(shell(dir.path(), &setup).status.success());
    for command in [
        "gpt sample a --tokens 5",
        "gpt export a exported",
        "gpt prepare a.txt --out prepared",
        "runs rename a b",
        "runs delete b --yes",
        "runs list",
    ] {
        let output = shell(dir.path(), &format!("\"$M2G\" {command} 2>/dev/full"));
        assert_eq!(output.status.code(), Some(0), "{command}");
    }
    assert!(dir.path().join("exported/model.safetensors").exists() && !dir.path().join("runs/b").exists());
    // An error has its code, even if nobody can read the sentence.
    assert_eq!(shell(dir.path(), "\"$M2G\" gpt sample nothing 2>/dev/full").status.code(), Some(1));
    assert_eq!(shell(dir.path(), "\"$M2G\" gpt sample --nothing 2>/dev/full").status.code(), Some(2));
}

#[test]
fn a_training_goes_on_when_nobody_reads_its_results() {
    let dir = with_text();
    let train =
        format!("\"$M2G\" gpt train {TINY_GPT} --max-iters 400 --eval-interval 100 --log-interval 1 --json");
    let output = shell(dir.path(), &format!("{{ {train} --run head 2>notes; echo $? > code; }} | head -n 1"));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
    let notes = fs::read_to_string(dir.path().join("notes")).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("code")).unwrap().trim(), "0", "{notes}");
    assert_eq!(steps(dir.path(), "head"), 400, "{notes}");
    assert_eq!(notes.matches("nobody reads standard output any more").count(), 1, "{notes}");

    // The output is incomplete because of an error, not because its reader left.
    let output = shell(dir.path(), &format!("{train} --run full >/dev/full"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), steps(dir.path(), "full")), (Some(1), 400), "{stderr}");
    assert!(stderr.contains("error: cannot write to standard output: No space left"), "{stderr}");
}

#[test]
fn an_experiment_goes_on_when_nobody_reads_its_results() {
    let dir = with_text();
    let experiment = "about = \"Does it go on?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\nseeds = [1, 2, 3]\n[base]\n\
                      data = \"a.txt\"\nn_layer = 1\nn_head = 2\nn_embd = 8\nblock_size = 8\nbatch_size = 2\n\
                      max_iters = 30\neval_interval = 10\nwarmup_iters = 0\n[[arms]]\nname = \"a\"\nabout = \"one\"\n\
                      [[arms]]\nname = \"b\"\nabout = \"two\"\nn_embd = 16\n";
    fs::write(dir.path().join("x.toml"), experiment).unwrap();
    shell(dir.path(), "{ \"$M2G\" lab x.toml --json 2>notes; echo $? > code; } | head -n 1");
    let notes = fs::read_to_string(dir.path().join("notes")).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("code")).unwrap().trim(), "0", "{notes}");
    assert!(dir.path().join("runs/lab/x/table.md").exists(), "{notes}");
}

#[test]
fn what_a_reader_does_not_want_ends_quietly_and_what_is_lost_is_an_error() {
    let dir = with_text();
    assert!(
        shell(dir.path(), &format!("\"$M2G\" gpt train {TINY_GPT} --max-iters 2 --run a")).status.success()
    );
    for command in [
        "gpt sample a --tokens 5000",
        "gpt train --help",
        "params a",
        "--help",
        "completions bash",
        "compare a a",
        "data check mnist",
    ] {
        let line = format!("{{ \"$M2G\" {command} 2>notes; echo $? > code; }} | head -c 1");
        shell(dir.path(), &line);
        let [notes, code] = ["notes", "code"].map(|file| fs::read_to_string(dir.path().join(file)).unwrap());
        let is_quiet = !notes.contains("error") && !notes.contains("standard output");
        assert!(code.trim() == "0" && is_quiet, "{command}: {code}: {notes}");
        let output = shell(dir.path(), &format!("\"$M2G\" {command} >/dev/full"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {stderr}");
        assert!(
            stderr.contains("error: cannot write to standard output: No space left"),
            "{command}: {stderr}"
        );
    }
}

#[test]
fn files_are_written_when_nobody_reads_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let train = "\"$M2G\" digits train --epochs 1 --run d 2>notes";
    assert!(shell(dir.path(), train).status.success());
    let count = |folder: &str| fs::read_dir(dir.path().join(folder)).unwrap().count();
    for (command, folder) in
        [("man pages", "pages"), ("digits plot d", "runs/d"), ("compare --svg f/a.svg", "f")]
    {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
        let before = count(folder);
        // The reader has gone before the first name comes.
        let line = format!("{{ sleep 1; \"$M2G\" {command} 2>notes; echo $? > code; }} | true");
        shell(dir.path(), &line);
        let [notes, code] = ["notes", "code"].map(|file| fs::read_to_string(dir.path().join(file)).unwrap());
        assert_eq!(code.trim(), "0", "{command}: {notes}");
        assert!(notes.contains("but the work goes on and is saved"), "{command}: {notes}");
        let written = count(folder) - before;
        assert!(shell(dir.path(), &format!("\"$M2G\" {command}")).status.success(), "{command}");
        assert!(written > 0 && count(folder) - before == written, "{command}: {written} files, {notes}");
    }
}
