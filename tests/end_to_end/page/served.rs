//! A running `m2g open`, and requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{SOON, Started, m2g, start};

/// A server in a folder; it is killed at the end of a test.
pub struct Served {
    pub child: Started,
    /// The address on the ready line.
    pub address: String,
    pub port: u16,
    pub token: String,
    /// How long it took from the start to the ready line.
    pub ready_after: Duration,
    agent: ureq::Agent,
}

/// An answer: status, headers, body.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| {
            panic!("{} is not JSON ({e}): {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The elements of a value.
    pub fn floats(&self) -> Vec<f32> {
        self.body.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }
}

impl Served {
    /// Starts a server in `dir`, with these arguments too.
    pub fn start(dir: &Path, args: &[&str]) -> Self {
        Self::by(&mut m2g(dir, &[&["open", "--no-browser"], args].concat()))
    }

    /// The server that this command starts.
    pub fn by(command: &mut Command) -> Self {
        let started = Instant::now();
        let mut child = start(command);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready_after = started.elapsed();
        let address = line.trim().to_string();
        let (host, token) = address.strip_prefix("http://127.0.0.1:").unwrap().split_once("/#t=").unwrap();
        // No proxy of the user leads to this machine.
        let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(config);
        let (port, token) = (host.parse().unwrap(), token.to_string());
        Self { child, address, port, token, ready_after, agent }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
        let mut response = response.unwrap();
        let headers = response.headers().iter();
        let headers = headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_string())).collect();
        let body = response.body_mut().with_config().limit(1 << 28).read_to_vec().unwrap();
        Answer { status: response.status().as_u16(), headers, body }
    }

    pub fn get(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        Self::answer(self.agent.get(self.url(path)).header("authorization", bearer).call())
    }

    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        Self::answer(self.agent.post(self.url(path)).header("authorization", bearer).send(body))
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    /// The JSON of a request that succeeds.
    pub fn got(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The JSON of a request that succeeds.
    pub fn posted(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The elements of a value, and its shape.
    pub fn values(&self, path: &str) -> (Vec<f32>, Vec<usize>) {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let shape = answer.header("x-shape").split(',').filter(|n| !n.is_empty()).map(|n| n.parse().unwrap());
        (answer.floats(), shape.collect())
    }

    /// Sends bytes as they are, and returns the first line of the answer.
    pub fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut line = String::new();
        let _ = BufReader::new(&stream).read_line(&mut line);
        line.trim().to_string()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    /// Opens a stream of events, and reads them to the end or until `until` answers `true`. It hears `open` first.
    pub fn events(&self, method: &str, path: &str, body: &str, mut until: impl FnMut(&str, &Value) -> bool) {
        let mut stream = self.connect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        let mut chunk = [0; 4096];
        let mut is_open = false;
        loop {
            let Ok(read) = stream.read(&mut chunk) else { return };
            if read == 0 {
                return;
            }
            text.push_str(&String::from_utf8_lossy(&chunk[..read]));
            if !is_open && text.contains("\r\n\r\n") {
                is_open = true;
                if until("open", &Value::Null) {
                    return;
                }
            }
            // The sizes of chunks are lines of their own.
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                let Ok(data) = serde_json::from_str(field("data: ")) else { continue };
                if until(field("event: "), &data) {
                    return;
                }
            }
            if text.ends_with("0\r\n\r\n") {
                return;
            }
        }
    }
}
