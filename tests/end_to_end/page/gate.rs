//! Who may ask the server, how much, and what ends it.
#![cfg(unix)]

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::served::Served;
use crate::support::{command, refused, signal, wait_until, with_text};

#[test]
fn the_server_lets_in_only_its_own_page_and_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = Served::start(dir.path(), &[]);
    assert!(served.ready_after < Duration::from_secs(1), "{:?}", served.ready_after);
    let (port, token) = (served.port, served.token.clone());
    let status = |request: String| {
        let line = served.raw(request.as_bytes());
        line.split(' ').nth(1).map_or(0, |status| status.parse::<u16>().unwrap())
    };
    let get = |path: &str, host: &str, more: &str| {
        status(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n"))
    };
    let own = format!("127.0.0.1:{port}");
    let bearer = format!("authorization: Bearer {token}\r\n");

    assert_eq!(get("/", &own, ""), 200);
    assert_eq!(get("/api/about", &own, &bearer), 200);
    for foreign in [
        format!("localhost:{port}"),
        "evil.example".into(),
        "127.0.0.1".into(),
        format!("evil.example:{port}"),
    ] {
        assert_eq!(get("/", &foreign, ""), 403, "{foreign}");
        assert_eq!(get("/api/about", &foreign, &bearer), 403, "{foreign}");
    }
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n".into()), 403);
    assert_eq!(get("/api/about", &own, ""), 401);
    assert_eq!(get("/api/about", &own, "authorization: Bearer 0123\r\n"), 401);
    assert_eq!(get(&format!("/api/about?t={token}"), &own, &format!("cookie: t={token}\r\n")), 401);
    assert_eq!(get("/api/about", &own, &format!("{bearer}origin: http://evil.example\r\n")), 403);
    // The methods and addresses that exist, and no others.
    let refused = served.get("/api/inspect");
    assert_eq!((refused.status, refused.header("allow")), (405, "POST"));
    assert_eq!(status(format!("DELETE /api/runs HTTP/1.1\r\nhost: {own}\r\n{bearer}\r\n")), 405);
    for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fCargo.toml", "/api/nothing", "/nothing.js"] {
        assert_eq!(get(path, &own, &bearer), 404, "{path}");
    }
    for path in [
        "/api/notes/..%2f..%2fetc%2fpasswd",
        "/api/source?file=/etc/passwd&line=1",
        "/api/runs/curves?run=../../etc",
    ] {
        assert_eq!(get(path, &own, &bearer), 404, "{path}");
    }
    let inspect = served.post("/api/inspect", json!({"model": "../../etc/passwd"}));
    assert_eq!(inspect.status, 404);
    assert_eq!(served.post("/api/training/start", json!({"kind": "digits", "run": "../x"})).status, 400);

    // Bodies: 64 KB, pictures 8 MB. The length alone is enough to refuse.
    let announced =
        format!("POST /api/inspect HTTP/1.1\r\nhost: {own}\r\n{bearer}content-length: 65537\r\n\r\n");
    assert_eq!(status(announced), 413);
    let chunked = format!(
        "POST /api/inspect HTTP/1.1\r\nhost: {own}\r\n{bearer}transfer-encoding: chunked\r\n\r\n10001\r\n{}\r\n0\r\n\r\n",
        " ".repeat(0x10001)
    );
    assert_eq!(status(chunked), 413);
    let photo = |bytes| {
        format!("POST /api/digits/photo HTTP/1.1\r\nhost: {own}\r\n{bearer}content-length: {bytes}\r\n\r\n")
    };
    assert_eq!(status(photo((8 << 20) + 1)), 413);
    let long = format!("GET /{} HTTP/1.1\r\nhost: {own}\r\n\r\n", "a".repeat(100_000));
    assert!(matches!(status(long), 400..=431));

    // Headers of every answer.
    for path in ["/", "/api/about", "/api/nothing"] {
        let answer = served.get(path);
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'")
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("access-control-allow-origin"), "");
        assert_eq!(answer.header("set-cookie"), "");
    }

    // 100 connections that say nothing do not block it.
    let idle: Vec<_> = (0..100).map(|_| served.connect()).collect();
    let slow = {
        let mut stream = served.connect();
        stream.write_all(b"GET / HTT").unwrap();
        stream
    };
    let asked = Instant::now();
    assert_eq!(get("/api/about", &own, &bearer), 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    drop((idle, slow));

    // Ctrl-C ends it at once, also with open streams.
    let mut streams = Vec::new();
    for path in ["/api/training/events", "/api/runs/events"] {
        let mut stream = served.connect();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {own}\r\n{bearer}\r\n").as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let sent = Instant::now();
    assert!(signal("-INT", served.child.id()));
    assert_eq!(served.child.end().code(), Some(130));
    assert!(sent.elapsed() < Duration::from_secs(1), "{:?}", sent.elapsed());
}

/// Even where a process may have no more than 256 files open, as on macOS.
#[test]
fn a_training_goes_on_however_many_connections_are_open() {
    let dir = with_text();
    let mut limited = command("sh");
    limited.args(["-c", "ulimit -n 256; exec \"$M2G\" open --no-browser"]);
    let served = Served::by(limited.current_dir(dir.path()).env("M2G", env!("CARGO_BIN_EXE_m2g")));
    let settings = json!({
        "data": dir.path().join("a.txt"), "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4,
        "max_iters": 1_000_000, "eval_interval": 50,
    });
    served.posted("/api/training/start", json!({"kind": "gpt", "settings": settings}));
    let step = || served.got("/api/training")["step"].as_u64();
    wait_until(|| step() >= Some(1));
    let idle: Vec<_> = (0..300).map(|_| served.connect()).collect();
    // A checkpoint is written every two seconds.
    std::thread::sleep(Duration::from_secs(4));
    drop(idle);
    std::thread::sleep(Duration::from_secs(1));
    let training = served.got("/api/training");
    assert_eq!(training["state"], "running", "{training}");
    let before = training["step"].as_u64();
    wait_until(|| step() > before);
}

#[test]
fn a_port_that_is_taken_and_a_run_that_is_missing_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = refused(dir.path(), &["open", "--no-browser", "--port", &port]);
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
    let error = refused(dir.path(), &["open", "--no-browser", "nothing"]);
    assert!(error.contains("nothing"), "{error}");
}

#[test]
fn markup_in_names_and_texts_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    let name = "<script>alert(1)</script>".replace('/', "-");
    std::fs::create_dir_all(dir.path().join("runs").join(&name)).unwrap();
    let served = Served::start(dir.path(), &[]);
    let runs = served.get("/api/runs");
    assert_eq!((runs.status, runs.header("content-type")), (200, "application/json"));
    assert_eq!(runs.json()["runs"][0]["name"], name);
    let prompt = "<script>alert(2)</script>";
    let inspected = served.posted("/api/inspect", json!({"model": "gpt", "prompt": prompt}));
    let tokens: Vec<&str> =
        inspected["tokens"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    assert_eq!(tokens.concat(), prompt);
}
