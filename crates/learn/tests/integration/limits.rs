//! What a learner's program may do wrong without harm: never end, panic, print or take too much.

use std::fs;
use std::time::{Duration, Instant};

use m2g_learn::exercises::named;
use m2g_learn::failure::Failure;
use m2g_learn::folder::Folder;
use m2g_learn::grade::{Problem, Solver, Verdict, grade};
use m2g_learn::program::{Compiled, Program, compile};
use m2g_learn::texts::Language;

use crate::programs::{LONG, PLAIN};

/// Grades `neuron` with each of these bodies, which one program holds; the length of the weights in
/// the last case tells nothing, so the body is chosen by the program's name.
#[test]
fn no_program_hangs_or_crashes_the_grader() {
    const BODIES: [(&str, &str); 9] = [
        ("gap", "todo!()"),
        ("timeout", "loop {}"),
        ("panic", "eprintln!(\"before\"); w[99]"),
        (
            "stack",
            "fn deep(n: u64) -> u64 { std::hint::black_box(if n == u64::MAX { 0 } else { deep(n + 1) + n }) } deep(0) as f64",
        ),
        (
            "memory",
            "let mut all = Vec::new(); loop { all.push(vec![1.0; 1 << 20]); if all.len() == usize::MAX { return 0.0; } }",
        ),
        ("too_long", "loop { println!(\"abcdefghijklmnopqrstuvwxyz\"); }"),
        ("ended", "std::process::exit(0)"),
        ("nan", "f64::NAN"),
        (
            "printed",
            "println!(\"hello {b}\"); dbg!(b); 1.0 / (1.0 + (-(w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b)).exp())",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    Folder::open(&learn, Language::English).unwrap();
    let exercise = named("neuron").unwrap();
    let mut body = String::from("    match std::env::args().next().unwrap().rsplit('/').next().unwrap() {\n");
    for (name, code) in BODIES {
        body += &format!("        {name:?} => {{ {code} }}\n");
    }
    body += "        _ => 0.0,\n    }";
    let source = exercise.sources.task.replace("    todo!()", &body);
    fs::write(learn.join("src/bin/01_neuron.rs"), source).unwrap();
    let program = match compile(&learn, "01_neuron", PLAIN).unwrap() {
        Compiled::Program { path, .. } => path,
        Compiled::Refused(why) => panic!("{why}"),
    };
    for (name, _) in BODIES {
        let link = dir.path().join(name);
        std::os::unix::fs::symlink(&program, &link).unwrap();
        // The learner's limit ends what never ends; on a machine with much to do, it would end the others too.
        let start = Instant::now();
        let mut solver = match name {
            "timeout" | "memory" => Program::to_grade(link),
            _ => Program::to_grade_within(link, LONG),
        };
        let verdict = grade(exercise, &mut solver).unwrap();
        assert!(start.elapsed().as_secs_f64() < 10.0, "{name}: {:?}", start.elapsed());
        let problem = match verdict {
            Verdict::Failed(finding) => {
                assert_eq!(
                    finding.printed.lines().next(),
                    match name {
                        "panic" => Some("before"),
                        "too_long" => Some("abcdefghijklmnopqrstuvwxyz"),
                        _ => None,
                    },
                    "{name}: {}",
                    finding.printed
                );
                finding.problem
            }
            Verdict::Passed { printed, .. } => {
                assert_eq!(name, "printed");
                // In the order in which it was written, to stdout and to stderr.
                let lines: Vec<&str> = printed.lines().collect();
                assert!(lines[0].starts_with("hello ") && lines[1].contains("] b = "), "{printed}");
                assert!(lines[2].starts_with("hello "), "{printed}");
                continue;
            }
        };
        let expected = match (name, &problem) {
            ("gap", Problem::Failure(Failure::Gap))
            | ("timeout", Problem::Failure(Failure::Timeout))
            | ("stack", Problem::Failure(Failure::StackOverflow))
            | ("memory", Problem::Failure(Failure::Memory | Failure::Timeout))
            | ("too_long", Problem::Failure(Failure::TooLong))
            | ("ended", Problem::Failure(Failure::Ended))
            | ("nan", Problem::Difference(_)) => true,
            ("panic", Problem::Failure(Failure::Panic { place, message })) => {
                place.starts_with("src/bin/01_neuron.rs:") && message.contains("out of bounds")
            }
            _ => false,
        };
        assert!(expected, "{name}: {problem:?}");
    }
}

#[test]
fn a_used_program_has_its_time_for_each_answer() {
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    let folder = Folder::open(&learn, Language::English).unwrap();
    let exercise = named("neuron").unwrap();
    let sleep = "std::thread::sleep(std::time::Duration::from_millis(b as u64)); b";
    fs::write(folder.file(exercise), exercise.sources.task.replace("todo!()", sleep)).unwrap();
    let Compiled::Program { path, .. } = compile(&learn, exercise.sources.program, PLAIN).unwrap() else {
        panic!("refused")
    };
    let limit = Duration::from_secs(2);
    let mut solver = Program::to_use(path, limit);
    let mut answer =
        |milliseconds: f64| solver.answer(&vec![vec![1.0].into(), milliseconds.into(), vec![1.0].into()]);
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(answer(500.0), Ok(500.0.into()));
    }
    assert!(start.elapsed() > limit);
    assert_eq!(answer(30_000.0), Err(Failure::Timeout));
}

#[test]
fn the_compiler_warns_of_what_may_be_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    let folder = Folder::open(&learn, Language::English).unwrap();
    let exercise = named("bp3").unwrap();
    let warnings = |from: &str, to: &str| {
        let source = exercise.sources.solution.replace(from, to);
        fs::write(folder.file(exercise), source).unwrap();
        match compile(&learn, exercise.sources.program, PLAIN).unwrap() {
            Compiled::Program { warnings, .. } => warnings,
            Compiled::Refused(why) => panic!("{why}"),
        }
    };
    assert_eq!(warnings("", ""), [""; 0]);
    let no_sum = warnings("+= delta", "+ delta");
    assert!(no_sum.len() == 1 && no_sum[0].contains("unused arithmetic operation"), "{no_sum:?}");
    let no_name = warnings("sum[j] +=", "let s = sum[j] +");
    assert!(no_name.len() == 1 && no_name[0].contains("unused variable: `s`"), "{no_name:?}");
}

#[test]
fn the_compiler_says_what_it_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    let folder = Folder::open(&learn, Language::English).unwrap();
    let exercise = named("neuron").unwrap();
    fs::write(folder.file(exercise), exercise.sources.task.replace("todo!()", "b + \"one\"")).unwrap();
    match compile(&learn, exercise.sources.program, PLAIN).unwrap() {
        Compiled::Refused(why) => {
            assert!(
                why.contains("cannot add `&str` to `f64`") && why.contains("src/bin/01_neuron.rs"),
                "{why}"
            );
            assert!(!why.contains("could not compile"), "{why}");
        }
        Compiled::Program { path, .. } => panic!("{}", path.display()),
    }
    // Another exercise is not concerned.
    let other = compile(&learn, "02_sigmoid", PLAIN).unwrap();
    assert!(matches!(other, Compiled::Program { .. }), "{other:?}");
}

#[test]
fn what_cargo_fails_at_is_no_fault_of_the_code() {
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    let folder = Folder::open(&learn, Language::English).unwrap();
    let exercise = named("neuron").unwrap();
    fs::write(folder.file(exercise), exercise.sources.solution).unwrap();
    fs::write(learn.join("target"), "a file").unwrap();
    let error = compile(&learn, exercise.sources.program, PLAIN).unwrap_err().to_string();
    assert!(error.starts_with("cargo could not build the exercise, so it was not graded: "), "{error}");
    fs::remove_file(learn.join("target")).unwrap();
    fs::write(learn.join("Cargo.toml"), "[package").unwrap();
    let error = compile(&learn, exercise.sources.program, PLAIN).unwrap_err().to_string();
    assert!(error.contains("cargo could not build"), "{error}");
}

#[test]
fn a_panic_in_a_given_function_is_in_the_learners_line() {
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    let folder = Folder::open(&learn, Language::English).unwrap();
    let exercise = named("qkv").unwrap();
    for (code, said) in [
        ("let z = add_to_rows(x, &b[..1]);", "add_to_rows of (2, 3) and (1)"),
        ("let z = columns(x, 2, 9);", "columns 2..9 of a matrix (2, 3)"),
        (
            "let z = m2g_exercises::given::side_by_side(&[x.clone(), w.clone()]);",
            "side_by_side of (2, 3) and (9, 3)",
        ),
        ("let z = m2g_exercises::given::head(x, w, &x.transpose());", "matmul of (2, 9) and (3, 2)"),
    ] {
        fs::write(
            folder.file(exercise),
            exercise.sources.task.replace("todo!()", &format!("{code} panic!()")),
        )
        .unwrap();
        let Compiled::Program { path, .. } = compile(&learn, exercise.sources.program, PLAIN).unwrap() else {
            panic!("refused: {code}")
        };
        let Verdict::Failed(finding) = grade(exercise, &mut Program::to_grade_within(path, LONG)).unwrap()
        else {
            panic!("passes: {code}")
        };
        let Problem::Failure(Failure::Panic { place, message }) = &finding.problem else {
            panic!("{:?}", finding.problem)
        };
        assert!(place.starts_with("src/bin/21_qkv.rs:") && message.starts_with(said), "{place}: {message}");
    }
}

#[test]
fn two_terminals_keep_each_others_progress() {
    let dir = tempfile::tempdir().unwrap();
    let learn = dir.path().join("learn");
    let open = || Folder::open(&learn, Language::English).unwrap();
    let (mut here, mut there) = (open(), open());
    let [neuron, layer] = ["neuron", "layer"].map(|name| named(name).unwrap());
    assert!(here.note(neuron, true).unwrap());
    assert!(there.note(layer, true).unwrap());
    assert_eq!(open().progress.passed.len(), 2);
    here.reset(layer, &Language::English.texts()).unwrap();
    assert!(open().progress.passed.contains("neuron") && !open().progress.passed.contains("layer"));
}
