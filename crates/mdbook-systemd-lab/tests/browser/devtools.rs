//! Controls one headless Chromium with the DevTools protocol, over a pair of pipes: no port, no WebSocket.
//!
//! Messages are JSON, each ended by a zero byte: <https://chromedevtools.github.io/devtools-protocol/>.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The program's names in different distributions.
const NAMES: [&str; 2] = ["chromium", "chromium-browser"];

/// Limits the wait for each answer. A page loads in a fraction of a second; a busy machine may take
/// longer.
const DEADLINE: Duration = Duration::from_secs(60);

/// Chromium reads descriptor 3 and writes descriptor 4. The shell moves its own standard streams there.
const WITH_PIPES: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";

/// A browser; it ends when this is dropped.
pub(crate) struct Browser {
    process: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    last_id: u64,
    /// Its profile, which must outlive it.
    _profile: TempDir,
}

/// One page in a separate tab.
pub(crate) struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
    target: String,
    /// Everything that a page should not do.
    pub(crate) complaints: Vec<String>,
    is_loaded: bool,
}

impl Browser {
    /// Starts the browser.
    pub(crate) fn start() -> Browser {
        let is_there = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
        let name = NAMES
            .iter()
            .find(is_there)
            .expect("Chromium is needed; install it: sudo apt-get install chromium");
        let profile = TempDir::new().expect("a directory for the profile can be made");
        let mut process = Command::new("sh")
            .args(["-c", WITH_PIPES, "sh", name])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-first-run",
            ])
            // There is no sandbox for root and in containers; the pages are our own.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            // The browser must not contact any server by itself.
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let input = process.stdin.take();
        let output = process.stdout.take().expect("stdout is piped");
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("Chromium speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Browser {
            process,
            input,
            messages,
            last_id: 0,
            _profile: profile,
        }
    }

    /// A new tab.
    pub(crate) fn page(&mut self) -> Page<'_> {
        let mut nobody = Vec::new();
        let target = self.call(
            None,
            "Target.createTarget",
            json!({"url": "about:blank"}),
            &mut nobody,
        );
        let target = text(&target["targetId"]);
        let parameters = json!({"targetId": target, "flatten": true});
        let session = self.call(None, "Target.attachToTarget", parameters, &mut nobody);
        let mut page = Page {
            browser: self,
            session: text(&session["sessionId"]),
            target,
            complaints: Vec::new(),
            is_loaded: false,
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    fn send(&mut self, session: Option<&str>, method: &str, parameters: Value) -> u64 {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let input = self
            .input
            .as_mut()
            .expect("the browser has not been dropped");
        input
            .write_all(format!("{message}\0").as_bytes())
            .expect("Chromium listens");
        self.last_id
    }

    /// The answer; everything else that arrives before it goes to `events`.
    fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
        events: &mut Vec<Value>,
    ) -> Value {
        self.try_call(session, method, parameters, events)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Like [`Self::call`], for methods that may be refused.
    fn try_call(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
        events: &mut Vec<Value>,
    ) -> Result<Value, String> {
        let id = self.send(session, method, parameters);
        let until = Instant::now() + DEADLINE;
        loop {
            let mut message = self.receive(until, method);
            if message["id"] == id {
                return match message["error"].is_null() {
                    true => Ok(message["result"].take()),
                    false => Err(message["error"].to_string()),
                };
            }
            events.push(message);
        }
    }

    fn receive(&mut self, until: Instant, what: &str) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        self.messages.recv_timeout(left).unwrap_or_else(|error| {
            panic!("Chromium did not answer to {what}: {error}; does `chromium --headless=new --version` work here?")
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if self.input.is_some() && !thread::panicking() {
            self.send(None, "Browser.close", json!({}));
        }
        self.input = None;
        let until = Instant::now() + DEADLINE;
        // The channel ends when Chromium has closed its pipe.
        while !thread::panicking()
            && Instant::now() < until
            && self.messages.recv_timeout(DEADLINE).is_ok()
        {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Page<'_> {
    /// Calls a method of the page.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        let mut events = Vec::new();
        let session = self.session.clone();
        let result = self
            .browser
            .call(Some(&session), method, parameters, &mut events);
        for event in events {
            self.note(&event);
        }
        result
    }

    /// Whether it has a sheet with this number, counted from 1, when it is printed on sheets of this size.
    pub(crate) fn prints(&mut self, inches: (f64, f64), number: u32) -> bool {
        let parameters = json!({
            "paperWidth": inches.0,
            "paperHeight": inches.1,
            "pageRanges": number.to_string(),
        });
        let mut events = Vec::new();
        let session = self.session.clone();
        let result =
            self.browser
                .try_call(Some(&session), "Page.printToPDF", parameters, &mut events);
        match result {
            Ok(_) => true,
            Err(error) if error.contains("range exceeds page count") => false,
            Err(error) => panic!("Page.printToPDF: {error}"),
        }
    }

    /// Sets the width, in CSS pixels.
    pub(crate) fn resize(&mut self, width: u32) {
        let parameters =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", parameters);
    }

    /// Sets the guide's theme for all pages that are opened from now on.
    pub(crate) fn theme(&mut self, theme: &str) {
        let source = format!("localStorage.setItem('mdbook-theme', '{theme}')");
        self.call(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": source}),
        );
    }

    /// Opens an address and waits until everything is loaded.
    pub(crate) fn open(&mut self, address: &str) {
        self.is_loaded = false;
        let answer = self.call("Page.navigate", json!({"url": address}));
        assert!(
            answer["errorText"].is_null(),
            "{address}: {}",
            answer["errorText"]
        );
        let until = Instant::now() + DEADLINE;
        while !self.is_loaded {
            let message = self.browser.receive(until, address);
            self.note(&message);
        }
    }

    /// Waits until two frames have been drawn: by then, the page has finished what it does after loading.
    pub(crate) fn settle(&mut self) {
        self.value(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))",
        );
    }

    /// The value of a JavaScript expression, or of its promise.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].take()
    }

    /// The text that a JavaScript expression returns.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        text(&self.value(expression))
    }

    /// Presses a key, e.g. `Tab`, given with its Windows key code, which Chromium needs.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => panic!("no code is known for {key}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut parameters =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if key == "Enter" && kind == "keyDown" {
                parameters["text"] = "\r".into();
            }
            self.call("Input.dispatchKeyEvent", parameters);
        }
    }

    /// Records what the browser reports by itself.
    fn note(&mut self, event: &Value) {
        if event["sessionId"] != *self.session {
            return;
        }
        let parameters = &event["params"];
        let complaint = match event["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => {
                self.is_loaded = true;
                return;
            }
            "Runtime.exceptionThrown" => format!("exception: {}", parameters["exceptionDetails"]),
            "Runtime.consoleAPICalled"
                if ["error", "assert", "warning"]
                    .contains(&parameters["type"].as_str().unwrap_or_default()) =>
            {
                format!("console: {}", parameters["args"])
            }
            "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
                format!("log: {}", parameters["entry"])
            }
            "Network.loadingFailed" => format!("failed request: {parameters}"),
            "Network.requestWillBeSent" => {
                let address = parameters["request"]["url"].as_str().unwrap_or_default();
                if ["file:", "data:", "about:"]
                    .iter()
                    .any(|scheme| address.starts_with(scheme))
                {
                    return;
                }
                format!("request to {address}")
            }
            _ => return,
        };
        self.complaints.push(complaint);
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            let target = self.target.clone();
            self.browser.call(
                None,
                "Target.closeTarget",
                json!({"targetId": target}),
                &mut Vec::new(),
            );
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("this is not text: {value}"))
        .to_owned()
}
