//! A headless Chromium, driven by the DevTools protocol over a pipe: nothing listens, nobody else can reach it.
//! https://chromedevtools.github.io/devtools-protocol/

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tempfile::TempDir;

/// Longer than any answer takes on a busy machine.
const ANSWER: Duration = Duration::from_secs(60);

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Pixels.
    pub width: u32,
    /// As the system's setting says.
    pub dark: bool,
    /// Whether the page's own script runs.
    pub script: bool,
    /// `screen` or `print`.
    pub media: &'static str,
}

/// A browser with one page.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the page has done since it was opened.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it with a profile of its own.
    pub fn start(program: &Path) -> Browser {
        let profile = TempDir::new().unwrap();
        // Chromium reads commands from descriptor 3 and writes messages to 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]);
        command.arg(program).args([
            "--headless",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ]);
        if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            // Its sandbox refuses to run as root, as in a container.
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg("about:blank");
        let streams = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = streams.spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (told, messages) = channel();
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let _ = told.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let mut browser = Browser {
            child,
            commands,
            messages,
            session: None,
            last: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let targets = browser.call("Target.getTargets", json!({}));
        let targets = targets["targetInfos"].as_array().unwrap();
        let page = targets.iter().find(|target| target["type"] == "page").unwrap()["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": page, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, file: &Path, view: View) {
        let scheme = if view.dark { "dark" } else { "light" };
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": view.width < 600 }),
        );
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "media": view.media, "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !view.script }));
        // A page before this one shall not speak for it.
        self.navigate("about:blank");
        self.navigate(&format!("file://{}", file.display()));
    }

    fn navigate(&mut self, address: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": address }));
        self.wait_for("Page.loadEventFired");
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }),
        );
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// All that the page has written to the console, and what went wrong in it.
    pub fn complaints(&self) -> Vec<&Value> {
        self.seen(&["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"])
    }

    /// The addresses that the page has asked for, its own included.
    pub fn requests(&self) -> Vec<&str> {
        let requests = self.seen(&["Network.requestWillBeSent"]).into_iter();
        requests.filter_map(|event| event["request"]["url"].as_str()).collect()
    }

    /// The page from its top to its end, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        use base64::Engine as _;
        let size = self.evaluate("[innerWidth, document.documentElement.scrollHeight]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let answer = self.call(
            "Page.captureScreenshot",
            json!({ "clip": clip, "captureBeyondViewport": true }),
        );
        base64::engine::general_purpose::STANDARD
            .decode(answer["data"].as_str().unwrap())
            .unwrap()
    }

    fn seen(&self, methods: &[&str]) -> Vec<&Value> {
        let events = self.events.iter();
        let of = events.filter(|event| methods.iter().any(|method| event["method"] == *method));
        of.map(|event| &event["params"]).collect()
    }

    fn wait_for(&mut self, method: &str) {
        while !self.events.iter().any(|event| event["method"] == method) {
            let event = self.messages.recv_timeout(ANSWER).unwrap();
            self.events.push(event);
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let message = self.messages.recv_timeout(ANSWER);
            let mut message = message.unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
