//! Chromium without a window, driven through the pipe of its DevTools protocol.
//!
//! What must hold: whatever a page complains of, errors and refusals of its own policy, is kept from before the page is opened.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::Lab;

/// How long it may take to answer. Generous: it is started while other tests run.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser with one page.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    told: Receiver<Value>,
    session: Option<String>,
    calls: u64,
    complaints: Vec<String>,
    loaded: bool,
}

impl Browser {
    /// Starts it, with a profile of its own in the lab.
    pub fn start(lab: &Lab) -> Browser {
        // It reads from descriptor 3 and answers on 4.
        let script = r#"exec chromium "$@" 3<&0 4>&1 >/dev/null 2>&1"#;
        let profile = format!("--user-data-dir={}", lab.path("profile").display());
        let mut child = std::process::Command::new("sh")
            .args([
                "-c",
                script,
                "sh",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args(["--remote-debugging-pipe", "--no-first-run", &profile])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromium can be started");
        let input = child.stdin.take().expect("it has an input");
        let output = BufReader::new(child.stdout.take().expect("it has an output"));
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { break };
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser =
            Browser { child, input, told, session: None, calls: 0, complaints: Vec::new(), loaded: false };
        let target =
            browser.call("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Opens a file, and waits until it is loaded.
    pub fn open(&mut self, path: &Path) {
        self.complaints.clear();
        self.loaded = false;
        self.call("Page.navigate", &json!({ "url": format!("file://{}", path.display()) }));
        while !self.loaded {
            self.next();
        }
    }

    /// What an expression comes to, or what its promise does.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What the page has complained of since it was opened, and each thing that it fetched but itself.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Gives a command of the protocol.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).expect("the browser listens");
        loop {
            let answer = self.next();
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    #[track_caller]
    fn next(&mut self) -> Value {
        let message = self.told.recv_timeout(PATIENCE).expect("the browser answers in time");
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(params["args"].to_string()),
            "Log.entryAdded" => self.complaints.push(params["entry"].to_string()),
            "Network.requestWillBeSent" if params["type"] != "Document" => {
                self.complaints.push(params["request"]["url"].to_string());
            }
            "Page.loadEventFired" => self.loaded = true,
            _ => {}
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It takes its other processes with it; one that is gone already is closed.
        let _ = self.input.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let ended = super::eventually("the browser ends", || self.child.try_wait().transpose());
        drop(ended);
    }
}
