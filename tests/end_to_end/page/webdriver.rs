//! A small client for WebDriver (W3C), the protocol of a browser's driver.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::SOON;

/// If this is set, a missing browser is a failure: `.ci/run` sets it.
const REQUIRED: &str = "M2G_REQUIRE_BROWSER";

/// The driver of Chromium, and where systems put it.
const DRIVERS: [&str; 3] = ["chromedriver", "/usr/bin/chromedriver", "/usr/lib/chromium/chromedriver"];
const BROWSERS: [&str; 4] = ["chromium", "/usr/bin/chromium", "chromium-browser", "google-chrome"];

/// Keys without a letter, as WebDriver names them.
pub mod key {
    pub const TAB: &str = "\u{E004}";
    pub const ENTER: &str = "\u{E007}";
    pub const ESCAPE: &str = "\u{E00C}";
    pub const LEFT: &str = "\u{E012}";
    pub const UP: &str = "\u{E013}";
    pub const RIGHT: &str = "\u{E014}";
    pub const DOWN: &str = "\u{E015}";
}

/// A browser with one window.
pub struct Browser {
    driver: Child,
    /// The address of the session at the driver.
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn works(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

impl Browser {
    /// Starts Chromium without a window. `None` if it is not installed, which CI does not accept.
    pub fn start() -> Option<Self> {
        let driver = DRIVERS.into_iter().find(|program| works(program));
        let browser = BROWSERS.into_iter().find(|program| works(program));
        let (Some(driver), Some(browser)) = (driver, browser) else {
            assert!(std::env::var_os(REQUIRED).is_none(), "install chromium and chromium-driver");
            println!("skipped: install chromium and chromium-driver to test the page in a browser");
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').trim().parse::<u16>().ok()
        });
        let port = port.expect("chromedriver names its port");
        // It would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        // No proxy of the user leads to this machine.
        let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(config);
        let profile = tempfile::tempdir().unwrap();
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--no-proxy-server",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &user_data,
        ];
        let options = json!({"binary": which(browser), "args": arguments});
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"script": SOON.as_millis() as u64},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let mut new = Self { driver, session: base.clone(), agent, _profile: profile };
        let session = new.request("POST", &base, Some(wanted));
        new.session = format!("{base}/{}", session["sessionId"].as_str().unwrap());
        Some(new)
    }

    fn request(&self, method: &str, url: &str, body: Option<Value>) -> Value {
        let sent = match method {
            "GET" => self.agent.get(url).call(),
            _ => self.agent.post(url).send(body.unwrap_or_else(|| json!({})).to_string()),
        };
        let mut response = sent.unwrap();
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(1 << 26).read_to_string().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 200, "{method} {url}: {}", value["value"]["message"]);
        value["value"].clone()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.request("POST", &format!("{}/{path}", self.session), Some(body))
    }

    /// Opens an address.
    pub fn open(&self, url: &str) {
        self.post("url", json!({"url": url}));
    }

    /// Runs JavaScript, whose `return` is the answer.
    pub fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []}))
    }

    /// Runs JavaScript that calls `done(answer)`.
    pub fn run_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.post("execute/async", json!({"script": script, "args": []}))
    }

    /// Waits until JavaScript answers something true, and returns it.
    pub fn wait(&self, script: &str) -> Value {
        let started = Instant::now();
        loop {
            let value = self.run(script);
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            if started.elapsed() > SOON {
                let text = self.run("return document.body.innerText");
                panic!("never: {script}\n{}\n{text}", self.logs().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// What the page wrote to the console since the last call.
    pub fn logs(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({"type": "browser"}));
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// The addresses of all requests since the last call.
    pub fn requested(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({"type": "performance"}));
        let entries = entries.as_array().unwrap().iter();
        let urls = entries.filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            (message["method"] == "Network.requestWillBeSent")
                .then(|| message["params"]["request"]["url"].as_str().unwrap_or_default().to_string())
        });
        urls.collect()
    }

    /// Draws with the mouse along these points, in pixels of the window.
    pub fn draw(&self, points: &[(f64, f64)]) {
        let go = |&(x, y): &(f64, f64)| json!({"type": "pointerMove", "duration": 10, "x": x as i64, "y": y as i64});
        let mut actions = vec![go(&points[0]), json!({"type": "pointerDown", "button": 0})];
        actions.extend(points[1..].iter().map(go));
        actions.push(json!({"type": "pointerUp", "button": 0}));
        let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions});
        self.post("actions", json!({"actions": [mouse]}));
    }

    /// Presses these keys one after the other; [`key`] has those without a letter.
    pub fn press(&self, keys: &str) {
        let press =
            |key: char| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}));
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("actions", json!({"actions": [keyboard]}));
    }

    /// A command of the browser's own protocol.
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters}))
    }

    /// A picture of the window, as PNG in base64.
    pub fn screenshot(&self, file: &Path) {
        use base64::Engine;
        let picture = self.request("GET", &format!("{}/screenshot", self.session), None);
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

/// The path of a program.
fn which(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file());
    found.map_or(program.into(), |path| path.display().to_string())
}
