//! What all commands have in common: output that fits the terminal, hints that can be copied, help,
//! completions, manual pages.

use std::fs;
use std::path::Path;

use crate::support::*;

/// A folder with a short text, a run of a GPT with a long name, and one of a digit network.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), text(300)).unwrap();
    small_mnist(dir.path(), 600, 100);
    ok(dir.path(), &["digits", "train", "--data", "small", "--epochs", "1", "--run", "d"]);
    let model =
        ["--n-layer", "2", "--n-head", "2", "--n-embd", "16", "--block-size", "8", "--batch-size", "3"];
    let args = ["gpt", "train", "--data", "a.txt", "--max-iters", "4", "--eval-interval", "2", "--run", LONG];
    ok(dir.path(), &[&args[..], &model].concat());
    dir
}

/// Adds a small translation model, `tr`.
fn add_translation(dir: &Path) {
    fs::write(dir.join("a.tsv"), "el 7\tthe 7\n".repeat(40)).unwrap();
    let train = "translate train --data a.tsv --tokenizer byte --encoder-layers 1 --decoder-layers 1 --d-model 8 \
                 --d-ff 16 --n-head 1 --batch-tokens 256 --eval-translations 0 --max-iters 2 --run tr";
    ok(dir, &train.split_whitespace().collect::<Vec<_>>());
}

const LONG: &str = "a-run-with-a-name-that-says-everything-about-its-settings-and-the-weather-of-the-day";

/// The lines of a command's output that are wider than the terminal.
fn too_wide(dir: &Path, columns: usize, args: &[&str]) -> Vec<String> {
    let output = m2g(dir, args).env("COLUMNS", columns.to_string()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let wide = |line: &&str| {
        let word = line.trim().split(' ').max_by_key(|word| word.len()).unwrap_or("");
        // A path, a name, a signature or a command that must be copied stays whole, where it does not fit in
        // its column, which begins after two spaces.
        let before = &line[..line.rfind(word).unwrap_or(0)];
        let column = before.rfind("  ").map_or(0, |spaces| spaces + 2);
        let needed = before[..column].chars().count() + word.chars().count();
        let stays_whole = needed >= columns && (word.contains(['/', '|']) || word == LONG);
        let is_command = ["m2g ", env!("CARGO_BIN_EXE_m2g")].iter().any(|m2g| line.trim().starts_with(m2g));
        let is_copied = stays_whole || is_command;
        line.chars().count() > columns && !is_copied
    };
    stdout.lines().chain(stderr.lines()).filter(wide).map(String::from).collect()
}

#[test]
fn output_fits_the_terminal() {
    let dir = folder();
    add_translation(dir.path());
    let train =
        ["gpt", "train", "--data", "a.txt", "--max-iters", "4", "--eval-interval", "2", "--log-interval"];
    let train =
        [&train[..], &["1", "--n-layer", "1", "--n-embd", "8", "--block-size", "8", "--overwrite"]].concat();
    let train = [&train[..], &["--eval-iters", "1", "--run", "t"]].concat();
    // The value of distort has many words.
    let digits = [
        "digits",
        "train",
        "--data",
        "small",
        "--epochs",
        "2",
        "--distort",
        "affine",
        "--run",
        "e",
        "--overwrite",
    ];
    let prompt = ["inspect", LONG, "--prompt", "7 times", "--layer", "all"];
    for columns in [40, 60, 80] {
        let mut commands: Vec<&[&str]> = vec![
            &["compare", "d", LONG],
            &["compare", LONG, LONG],
            &["params", LONG],
            &["data", "list"],
            &["lab"],
            &["inspect", "digits", "--backward"],
            &prompt,
            &["inspect", LONG, "--values", "wte.weight"],
            &["runs", "show", LONG],
            &["digits", "eval", "d"],
            &["gpt", "eval", LONG],
            &["gpt", "sample", LONG, "--tokens", "5", "--prompt", "7"],
            &["translate", "eval", "tr"],
            &["inspect", "tr", "--layer", "all"],
            &["params", "tr"],
            &["data", "check", "mnist"],
            &["bleu", "a.txt", "--hypotheses", "a.txt"],
            &digits,
            &["runs"],
            &["runs", "show", "e"],
        ];
        if columns == 80 {
            // The sample after training and measured times vary.
            commands.push(&["doctor"]);
            let wide = too_wide(dir.path(), columns, &train);
            assert!(wide.is_empty(), "{wide:#?}");
        }
        for args in commands {
            let wide = too_wide(dir.path(), columns, args);
            assert!(wide.is_empty(), "{columns} columns: {args:?}: {wide:#?}");
        }
        // Paths that fit the terminal, but not beside the column before them.
        let mnist = "m".repeat(columns - "/train-images-idx3-ubyte.gz".len() - 3);
        copy_mnist(&dir.path().join(&mnist));
        let wide = too_wide(dir.path(), columns, &["data", "check", "mnist", "--data", &mnist]);
        assert!(wide.is_empty(), "{columns} columns: {wide:#?}");
    }
}

/// Copies MNIST, whose files `data check` compares with the originals.
fn copy_mnist(to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/mnist")).unwrap() {
        let from = entry.unwrap().path();
        if from.is_file() {
            fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
        }
    }
}

/// What is printed with `--json` is JSON: as a whole, or line by line.
#[test]
fn with_json_stdout_holds_nothing_else() {
    let dir = folder();
    add_translation(dir.path());
    let commands = "digits eval d\ngpt eval LONG\ngpt sample LONG --tokens 3 --prompt 7\nparams LONG\n\
                    inspect digits\nruns\nruns show d\ndata list\ncompare d d\nlab\nlearn list\n\
                    bleu a.txt --hypotheses a.txt\ngpt prepare a.txt --out p\ntranslate eval tr\n\
                    digits train --data small --epochs 1 --run j";
    for line in commands.lines() {
        let words = line.split(' ').map(|word| if word == "LONG" { LONG } else { word });
        let stdout = ok(dir.path(), &words.chain(["--json"]).collect::<Vec<_>>());
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert!(is_json(&stdout) || stdout.lines().all(is_json), "{line}: {stdout}");
        assert!(!stdout.is_empty(), "{line}");
    }
}

#[test]
fn a_command_without_its_model_or_its_flag_is_told_what_to_add() {
    let dir = folder();
    let error = |args: &[&str]| refused(dir.path(), args);
    let train = error(&["train"]);
    for part in
        ["train needs a model before it", "m2g digits train`", "m2g gpt train`", "m2g translate train`"]
    {
        assert!(train.contains(part), "{part}: {train}");
    }
    assert!(!train.contains("similar"), "{train}");
    assert!(error(&["gpt", "train", "a.txt"]).contains("tip: to train on it, use --data a.txt"));
    assert!(error(&["digits", "train", "d"]).contains("tip: to go on with this run, use --resume d"));
    assert!(error(&["lab", "score", "--threads", "0"]).contains("it must be from 1 to 1024"));
}

#[test]
fn every_json_object_says_what_it_is() {
    let dir = folder();
    fs::write(dir.path().join("p.tsv"), "uno\tone\ndos\ttwo\ntres\tthree\n").unwrap();
    let prepare = ["translate", "prepare", "p.tsv", "--tokenizer", "byte", "--out", "pairs"];
    for (args, event) in [
        (&["gpt", "prepare", "a.txt", "--tokenizer", "char", "--out", "tokens"][..], "prepare"),
        (&prepare, "prepare"),
        (&["doctor"], "doctor"),
        (&["runs", "show", "d"], "run"),
        (&["runs", "list"], "run"),
        (&["data", "list"], "dataset"),
        (&["lab"], "experiment"),
        (&["params", "d"], "params"),
        (&["digits", "eval", "d"], "eval"),
    ] {
        let json = last_json(&ok(dir.path(), &[args, &["--json"]].concat()));
        let object = json.as_array().map_or(&json, |all| &all[0]);
        assert_eq!(object["event"], event, "{args:?}: {json}");
    }
}

#[test]
fn a_table_of_an_experiment_fits_the_terminal() {
    let dir = folder();
    let arm = |name: &str, n: u64| {
        format!(
            "[[arms]]\nname = \"{name}\"\nabout = \"{}\"\nmax_iters = {n}\n",
            "with many words ".repeat(9)
        )
    };
    let head = "about = \"Does it fit?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\nalso = [\"train_loss\", \
                \"generation_loss\"]\nseeds = [1, 2]\n[base]\ndata = \"a.txt\"\nn_layer = 1\nn_head = 2\n\
                n_embd = 8\nblock_size = 8\nbatch_size = 2\neval_interval = 2\nwarmup_iters = 0\n";
    let long =
        "an arm with a long name, with commas, and with more words than a line can hold beside figures";
    fs::write(dir.path().join("x.toml"), [head, &arm("standard", 2), &arm(long, 3)].concat()).unwrap();
    for columns in [40, 60, 80, 120] {
        let wide = too_wide(dir.path(), columns, &["lab", "x.toml"]);
        assert!(wide.is_empty(), "{columns}: {wide:#?}");
    }
    let table = fs::read_to_string(dir.path().join("runs/lab/x/table.md")).unwrap();
    assert!(table.contains(&format!("| {long} | ")), "{table}");
}

#[test]
fn the_comparison_opens_with_a_summary() {
    let text = ok(root(), &["compare"]);
    let summary: Vec<&str> = text.lines().take_while(|line| !line.starts_with("digits: ")).collect();
    assert!(summary.len() <= 15, "{summary:#?}");
    let row = |role: &str| {
        let line = summary.iter().find(|line| line.starts_with(role)).unwrap_or_else(|| panic!("{role}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("weights"), "weights linear x 2 linear x 17 the same function");
    assert_eq!(row("activation"), "activation sigmoid x 2 gelu x 4 another in its place");
    assert_eq!(row("cost"), "cost quadratic_cost cross_entropy another in its place");
    assert_eq!(row("update"), "update sgd adamw another in its place");
    assert!(row("digits ").contains("####") && row("gpt ").contains(" %"));
    // Then the table, shared functions first.
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(
        place("\nrun by both\n") < place("\nonly digits\n")
            && place("\nonly digits\n") < place("\nonly gpt\n")
    );
}

#[test]
fn hints_are_commands_that_work_here() {
    let dir = folder();
    let hint = |here: &Path, workspace: Option<&Path>| {
        let mut command = m2g(here, &["data", "get", "mnits"]);
        command.env_remove("CARGO_MANIFEST_DIR");
        if let Some(workspace) = workspace {
            command.env("CARGO_MANIFEST_DIR", workspace);
        }
        String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
    };
    let binary = env!("CARGO_BIN_EXE_m2g");
    // As a shell takes it.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    let named = if binary.chars().all(plain) { binary.to_string() } else { format!("'{binary}'") };
    assert!(hint(dir.path(), None).contains(&format!("`{named} data list`")), "{}", hint(dir.path(), None));
    assert!(hint(&root().join("crates"), Some(root())).contains("`cargo run --release -- data list`"));
    assert!(hint(dir.path(), Some(root())).contains(&format!("`{named} data list`")));
    // By its name, as from the PATH.
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let mut command = m2g(dir.path(), &["digits", "train", "--data", "small", "--epochs", "1"]);
        command.arg0("m2g");
        let output = command.env_remove("CARGO_MANIFEST_DIR").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("\n  m2g digits eval runs/digits\n"), "{stderr}");
    }
}

#[test]
fn help_groups_flags_and_ends_with_examples() {
    let dir = tempfile::tempdir().unwrap();
    let help = ok(dir.path(), &["gpt", "train", "--help"]);
    for part in ["\nModel:\n", "\nTraining:\n", "\nSaving:\n", "\nOutput:\n", "\nMachine:\n", "\nExamples:\n"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("[default: one per core]") && help.contains("gpt train --resume own"), "{help}");
    let examples = help.split("\nExamples:\n").nth(1).unwrap();
    assert!(examples.lines().all(|line| line.starts_with("  ")), "examples come last: {help}");
}

#[test]
fn completions_and_manual_pages_are_written() {
    let dir = tempfile::tempdir().unwrap();
    for (name, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef m2g"),
        ("fish", "complete -c m2g"),
        ("powershell", "Register-Arg"),
    ] {
        let script = ok(dir.path(), &["completions", name]);
        assert!(script.contains(part) && script.contains("ladder") && script.contains("n-embd"), "{name}");
    }
    // Bash takes it, and completes words of m2g with it.
    let line = "\"$M2G\" completions bash > c && bash -c '. ./c && complete -p m2g'";
    let output = shell(dir.path(), &format!("command -v bash > /dev/null || exit 42; {line}"));
    match output.status.code() {
        Some(42) => println!("completions were not tried: there is no bash"),
        code => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                code == Some(0) && said.contains("-F "),
                "{said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    let error = refused(dir.path(), &["completions", "tcsh"]);
    assert!(error.contains("bash, zsh, fish, powershell"), "{error}");

    let pages = ok(dir.path(), &["man", "new/man1"]);
    assert!(pages.lines().count() > 20, "{pages}");
    for page in ["m2g.1", "m2g-gpt-train.1", "m2g-runs-delete.1", "m2g-compare.1"] {
        let text = fs::read_to_string(dir.path().join("new/man1").join(page)).unwrap();
        let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
        assert!(title.contains(concat!("\"m2g ", env!("CARGO_PKG_VERSION"))), "{page}: {title}");
        // Line by line: filled paragraphs cannot be copied.
        let (_, examples) = text.split_once(".SH EXAMPLES\n.nf\n  # ").unwrap();
        assert!(examples.contains("\n.fi\n") && !text.contains("EXTRA"), "{page}: {text}");
    }
    let train = fs::read_to_string(dir.path().join("new/man1/m2g-gpt-train.1")).unwrap();
    assert!(train.contains("learning\\-rate") && train.contains("m2g gpt train \\-\\-resume"), "{train}");
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(refused(dir.path(), &["man", "file"]).contains("file"));
}
