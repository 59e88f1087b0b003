//! The files that a user names, such as `--out`: links, pipes, devices and folders in their place.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;

use crate::support::{TINY_GPT, ok, refused, shell, with_text};

/// Each command that writes a file, with `{}` in the place of its name, the ending of the name, and how the
/// file begins. Safetensors files begin with the length of their header, which is below 256 here.
const WRITERS: [(&str, &str, &[u8]); 5] = [
    ("gpt plot a --out {}", "svg", b"<svg"),
    ("gpt plot a --out {}", "png", b"\x89PNG"),
    ("inspect a --attention --prompt 7 --out {}", "html", b"<!doctype html>"),
    ("compare a a --svg {}", "svg", b"<svg"),
    ("gpt eval a --tokens t.json --logits {}", "safetensors", b""),
];

/// A folder with the run `a` and the tokens `t.json`.
fn with_run() -> tempfile::TempDir {
    let dir = with_text();
    let line = format!("\"$M2G\" gpt train {TINY_GPT} --max-iters 4 --eval-interval 2 --run a");
    assert!(shell(dir.path(), &line).status.success());
    fs::write(dir.path().join("t.json"), "{\"tokens\": [[1, 2, 3]]}").unwrap();
    dir
}

/// Writes `file` by a command of [`WRITERS`].
fn write(dir: &Path, command: &str, file: &str) -> String {
    ok(dir, &command.replace("{}", file).split(' ').collect::<Vec<_>>())
}

fn is_written(path: &Path, start: &[u8]) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes.starts_with(start) && (!start.is_empty() || bytes[8..].starts_with(b"{\""))
}

#[test]
fn links_are_followed_and_permissions_kept() {
    let dir = with_run();
    for (i, (command, ending, start)) in WRITERS.iter().enumerate() {
        let (link, old, new) =
            (format!("link-{i}.{ending}"), format!("there/old-{i}"), format!("there/new-{i}"));
        fs::create_dir_all(dir.path().join("there")).unwrap();
        let [link_path, old, new] = [&link, &old, &new].map(|name| dir.path().join(name));
        for target in [&old, &new] {
            let _ = fs::remove_file(&link_path);
            symlink(Path::new("there").join(target.file_name().unwrap()), &link_path).unwrap();
            if *target == old {
                fs::write(target, "old").unwrap();
                fs::set_permissions(target, fs::Permissions::from_mode(0o640)).unwrap();
            }
            write(dir.path(), command, &link);
            assert!(fs::symlink_metadata(&link_path).unwrap().is_symlink(), "{command} {ending}");
            assert!(is_written(target, start), "{command} {ending}");
        }
        assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o640, "{command} {ending}");
        let entries = fs::read_dir(dir.path().join("there")).unwrap().flatten();
        assert!(entries.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')));
    }
}

#[test]
fn pipes_and_devices_are_written_as_streams() {
    let dir = with_run();
    for (i, (command, ending, start)) in WRITERS.iter().enumerate() {
        let pipe = dir.path().join(format!("pipe-{i}.{ending}"));
        let line = format!(
            "mkfifo pipe-{i}.{ending} && {{ timeout 20 cat pipe-{i}.{ending} > got-{i} & }} && \"$M2G\" {}; code=$?; \
             wait; exit $code",
            command.replace("{}", &format!("pipe-{i}.{ending}"))
        );
        let output = shell(dir.path(), &line);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo(), "{command} {ending}");
        assert!(is_written(&dir.path().join(format!("got-{i}")), start), "{command} {ending}");
        // A device, through a link, so that a fault would not destroy it.
        let null = format!("null-{i}.{ending}");
        symlink("/dev/null", dir.path().join(&null)).unwrap();
        write(dir.path(), command, &null);
        assert!(fs::metadata(dir.path().join(&null)).unwrap().file_type().is_char_device());
    }
    // A reader that leaves early: an error with a sentence, since a file is incomplete. A pipe holds 64 KiB, and
    // these are more.
    let rows = serde_json::json!({ "tokens": vec![[1; 16]; 1000] });
    fs::write(dir.path().join("rows.json"), rows.to_string()).unwrap();
    let line = "mkfifo p.safetensors && { head -c 1 p.safetensors > /dev/null & } && \
                \"$M2G\" gpt eval a --tokens rows.json --logits p.safetensors";
    let output = shell(dir.path(), line);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: cannot write p.safetensors: Broken pipe"), "{stderr}");
}

#[test]
fn stdout_can_be_named() {
    let dir = with_run();
    for (command, _, start) in WRITERS.iter().filter(|(_, ending, _)| ["svg", "safetensors"].contains(ending))
    {
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            if !Path::new(name).exists() {
                continue;
            }
            let command = command.replace("{}", name);
            // Into a pipe, into a file, and behind what is in a file.
            let output = shell(dir.path(), &format!("\"$M2G\" {command}"));
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command}: {stderr}");
            let found = |bytes: &[u8]| start.is_empty() || bytes.windows(4).any(|w| w == *start);
            assert!(found(&output.stdout), "{command}");
            let output = shell(dir.path(), &format!("echo first > all; \"$M2G\" {command} >> all"));
            assert!(output.status.success(), "{command}");
            let all = fs::read(dir.path().join("all")).unwrap();
            assert!(all.starts_with(b"first\n") && found(&all), "{command}");
        }
    }
    // Nothing but the drawing.
    let drawn = ok(dir.path(), &["gpt", "plot", "a", "--out", "/dev/stdout"]);
    assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"), "{drawn}");
    let quiet =
        shell(dir.path(), "{ \"$M2G\" gpt plot a --out /dev/stdout 2>notes; echo $? >code; } | head -c 1");
    assert!(quiet.status.success());
    assert_eq!(fs::read_to_string(dir.path().join("code")).unwrap().trim(), "0");
}

#[test]
fn folders_and_full_devices_are_refused_in_a_sentence() {
    let dir = with_run();
    for (i, (command, ending, _)) in WRITERS.iter().enumerate() {
        let refused =
            |file: &str| refused(dir.path(), &command.replace("{}", file).split(' ').collect::<Vec<_>>());
        let folder = format!("folder-{i}.{ending}");
        fs::create_dir(dir.path().join(&folder)).unwrap();
        let error = refused(&folder);
        assert!(error.contains(&format!("{folder}, which is a folder: give the name of a file")), "{error}");
        let error = refused(&format!("nowhere/x.{ending}"));
        assert!(error.contains("there is no folder nowhere: create it first"), "{error}");
        // Not every system has it.
        if Path::new("/dev/full").exists() {
            let full = format!("full-{i}.{ending}");
            symlink("/dev/full", dir.path().join(&full)).unwrap();
            let error = refused(&full);
            assert!(error.contains(&format!("cannot write {full}: No space left")), "{error}");
        }
        let circle = format!("circle-{i}.{ending}");
        symlink(&circle, dir.path().join(&circle)).unwrap();
        let error = refused(&circle);
        assert!(error.contains(&format!("cannot write {circle}: its links lead in a circle")), "{error}");
    }
}

#[test]
fn a_folder_may_be_a_link() {
    let dir = with_run();
    fs::create_dir(dir.path().join("disk")).unwrap();
    let train = format!("\"$M2G\" gpt train {TINY_GPT} --max-iters 2 --overwrite");
    for (name, command) in [
        ("run", format!("{train} --run ./run")),
        ("prepared", "\"$M2G\" gpt prepare a.txt --overwrite --out prepared".into()),
        ("exported", "\"$M2G\" gpt export a exported --overwrite".into()),
        ("pages", "\"$M2G\" man pages".into()),
    ] {
        symlink(Path::new("disk").join(name), dir.path().join(name)).unwrap();
        // To a folder that does not exist yet, and to one that does.
        for _ in 0..2 {
            let output = shell(dir.path(), &command);
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(fs::symlink_metadata(dir.path().join(name)).unwrap().is_symlink(), "{command}");
            assert!(fs::read_dir(dir.path().join("disk").join(name)).unwrap().count() > 1, "{command}");
        }
    }
}
