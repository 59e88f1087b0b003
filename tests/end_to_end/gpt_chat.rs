//! `m2g gpt chat`, with lines piped in.

use std::path::Path;

use crate::gpt_sample::char_run;
use crate::support::*;

/// The exit code, stdout and stderr of a conversation.
fn chat(dir: &Path, flags: &[&str], lines: &str) -> (Option<i32>, String, String) {
    let output = piped(dir, &[&["gpt", "chat", "a", "--tokens", "8"], flags].concat(), lines.as_bytes());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn lines_are_continued_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let (code, stdout, stderr) = chat(dir.path(), &["--seed", "3"], "abc \ndef");
    assert_eq!(code, Some(0), "{stderr}");
    // The first answer is that of `sample` with the same seed.
    let sample = ["gpt", "sample", "a", "--tokens", "8", "--seed", "3", "--prompt", "abc "];
    let first = ok(dir.path(), &sample);
    assert!(stdout.starts_with(&first), "{stdout:?} {first:?}");
    // The second continues the whole conversation.
    let second = stdout.strip_prefix(&first).unwrap();
    assert!(second.starts_with("def"), "{stdout:?}");
    let (_, alone, _) = chat(dir.path(), &["--seed", "3"], "def");
    assert_ne!(second, alone);
    // The same seed repeats it; without one, it is told.
    assert_eq!(chat(dir.path(), &["--seed", "3"], "abc \r\ndef\r\n").1, stdout);
    let (_, other, stderr) = chat(dir.path(), &[], "abc \ndef\n");
    let seed = stderr.split("--seed ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(chat(dir.path(), &["--seed", seed], "abc \ndef\n").1, other);
}

#[test]
fn all_that_was_said_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let told = |lines: &str| -> Option<usize> {
        let output =
            piped(dir.path(), &["gpt", "chat", "a", "--tokens", "100", "--seed", "3"], lines.as_bytes());
        let said = one_line(&output.stderr);
        said.split_once("the conversation has ")?
            .1
            .split_once(" tokens, but the model reads 16")?
            .0
            .parse()
            .ok()
    };
    // A line, its answer, and the next line, before which a line may end.
    assert!(matches!(told("abc \ndef\n"), Some(107 | 108)), "{:?}", told("abc \ndef\n"));
    assert_eq!(told("abc \n/reset\ndef\n"), None);
}

#[test]
fn commands_change_how_the_model_writes() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let plain = |flags: &[&str], lines: &str| {
        let (code, stdout, stderr) = chat(dir.path(), flags, lines);
        assert_eq!(code, Some(0), "{lines}: {stderr}");
        stdout
    };
    let one = "abc \n";
    for (command, flags) in [
        ("/temperature 0.5", &["--temperature", "0.5"][..]),
        ("/top-k 2", &["--top-k", "2"]),
        ("/top-p 0.4", &["--top-p", "0.4"]),
        ("/greedy on", &["--greedy"]),
        ("/stop e", &["--stop", "e"]),
        ("/seed 9\n/temperature 0.8", &["--seed", "9"]),
    ] {
        let seed = if flags.contains(&"--seed") { &[][..] } else { &["--seed", "3"] };
        let by_flag = plain(&[flags, seed].concat(), one);
        assert_eq!(plain(&["--seed", "3"], &format!("{command}\n{one}")), by_flag, "{command}");
    }
    assert_eq!(plain(&["--seed", "3"], &format!("/tokens 2\n{one}")).trim_end().chars().count(), 4 + 2);
    // After /reset and with the same random numbers, a line gets the same answer.
    let twice = plain(&["--seed", "3"], "abc \n/reset\n/seed 3\nabc \n");
    let (first, second) = twice.split_at(twice.len() / 2);
    assert_eq!(first, second);
    assert_ne!(plain(&["--seed", "3"], "abc \n/seed 3\nabc \n"), twice);
    let help = plain(&[], "/help\n");
    for command in ["/temperature", "/top-k", "/tokens", "/seed", "/reset", "/stop", "/quit"] {
        assert!(help.contains(command), "{help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80));
    assert_eq!(plain(&["--seed", "3"], "/quit\nabc \n"), "");
    // An empty line continues, and two slashes are text, which this tokenizer does not know.
    assert!(plain(&["--seed", "3"], "abc \n\n").lines().count() >= 2);
    assert!(chat(dir.path(), &[], "//a\n").2.contains("'/'"));
}

#[test]
fn mistakes_get_a_sentence_and_the_conversation_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let (_, right, _) = chat(dir.path(), &["--seed", "3"], "abc \n");
    for (line, why) in [
        ("/tempreature 1", "there is no command /tempreature: did you mean /temperature?"),
        ("/nothing", "/help lists them"),
        ("/temperature hot", "/temperature is hot: it must be a number"),
        (
            "/temperature 0",
            "/temperature is 0: it must be above 0; to take the most likely token every time, type `/greedy on`",
        ),
        ("/temperature", "/temperature needs a number"),
        ("/top-k 0", "/top-k is 0"),
        ("/greedy maybe", "/greedy is maybe"),
        ("xyz", "'x', 'y', 'z'"),
    ] {
        let (code, stdout, stderr) = chat(dir.path(), &["--seed", "3"], &format!("{line}\nabc \n"));
        let said = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("error: ") && said.contains(why), "{line}: {stderr}");
        assert_eq!((code, stdout), (Some(1), right.clone()), "{line}");
    }
    let output = piped(dir.path(), &["gpt", "chat", "a"], b"ab\xe4\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not UTF-8 text: its byte 2 is invalid"));
    assert_eq!(chat(dir.path(), &[], "").0, Some(0), "nothing is said");
    assert!(refused(dir.path(), &["gpt", "chat", "nowhere"]).contains("there is no run"));
    assert!(refused(dir.path(), &["gpt", "chat", "a", "--temperature", "0"]).contains("temperature is 0"));
}
