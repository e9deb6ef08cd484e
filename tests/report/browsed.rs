//! Reports in a browser: that all is there, that it can be used, and that nothing of a history becomes script.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::made::{self, NODES};
use crate::harness::{Browser, Lab, count_of, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("a report of 100,000 events opens without a complaint, with every verdict, witness, node and fault")
            .needs("chromium", "chromium")
            .shown_by(large),
        spec("a report is zoomed, hovered over, walked through by its links, and follows theme, width and paper")
            .needs("chromium", "chromium")
            .shown_by(used),
        spec("no text of a history becomes markup or script in its report")
            .needs("chromium", "chromium")
            .shown_by(hostile),
    ]
}

/// Writes a history, and its report; opens that, and waits until it is drawn.
fn opened(lab: &Lab, text: &str) -> Browser {
    let (history, page) = (lab.path("h"), lab.path("h.html"));
    std::fs::write(&history, text).expect("a file can be written");
    lab.falseticker(["report".as_ref(), history.as_os_str(), "--overwrite".as_ref()]).expect_code(0);
    let mut browser = Browser::start(lab);
    browser.open(&page);
    drawn(&mut browser);
    browser
}

/// When the charts were seen, in milliseconds from the beginning of the page.
fn drawn(browser: &mut Browser) -> Value {
    let shown = "new Promise(done => { const look = () => document.documentElement.dataset.shown
        ? done(Number(document.documentElement.dataset.shown)) : setTimeout(look, 5); look(); })";
    browser.evaluate(shown)
}

fn count(browser: &mut Browser, selector: &str) -> u64 {
    let found = browser.evaluate(&format!("document.querySelectorAll({}).length", json!(selector)));
    found.as_u64().expect("it is a number")
}

fn large(lab: &Lab) {
    // 100000 and the opening time for the closing note.
    let events = count_of("FALSETICKER_REPORT_EVENTS", 100_000);
    let made = made::history(events);
    let mut browser = opened(lab, made.text());
    let size = std::fs::metadata(lab.path("h.html")).expect("it is there").len();
    eprintln!(
        "{} lines, {} faults: {size} bytes, seen after {} ms",
        made.lines,
        made.faults,
        drawn(&mut browser)
    );
    assert_eq!(browser.complaints(), [""; 0]);
    for node in NODES {
        assert_eq!(count(&mut browser, &format!("tr[data-node={node}]")), 1, "{node}");
    }
    assert_eq!(count(&mut browser, "tr[id^=fault-]"), u64::from(made.faults));
    assert_eq!(count(&mut browser, "article.violated"), 1);
    assert_eq!(count(&mut browser, "article.holds"), 1);
    // Each witness is listed and marked, and the two lead to each other.
    let linked = "[...document.querySelectorAll('.witness a')].every(link => {
        const mark = document.querySelector(link.getAttribute('href'));
        return mark.matches('#lanes .mark:not([hidden])') && mark.getAttribute('href') === '#' + link.parentElement.id; })";
    assert_eq!(browser.evaluate(linked), json!(true));
    assert_eq!(count(&mut browser, ".witness a"), 2);
    assert_eq!(count(&mut browser, ".plot canvas"), 4);
    // Something is drawn on each of them, in more colours than one.
    let painted = "[...document.querySelectorAll('.plot canvas')].map(canvas => new Set(new Uint32Array(canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)";
    let painted = browser.evaluate(painted);
    let colours: Vec<u64> = painted.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    assert!(colours.len() == 4 && colours.iter().all(|colours| *colours > 20), "{colours:?}");
}

fn used(lab: &Lab) {
    let mut browser = opened(lab, made::history(6_000).text());
    let whole = range(&mut browser);
    // By a button, by a key, and by dragging.
    browser.evaluate("document.querySelector('[data-zoom=in]').click()");
    let near = range(&mut browser);
    assert!(near.1 - near.0 < 0.6 * (whole.1 - whole.0), "{whole:?} {near:?}");
    browser.evaluate(
        "document.querySelector('#lanes .plot').dispatchEvent(new KeyboardEvent('keydown', { key: '0', cancelable: true }))",
    );
    assert_eq!(range(&mut browser), whole);
    // The chart learns that it was scrolled with the next frame.
    browser.evaluate(
        "document.querySelector('#lanes').scrollIntoView({ behavior: 'instant', block: 'center' });
         new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))",
    );
    let place = browser.evaluate("(({ x, y, width, height }) => [x, y, width, height])(document.querySelector('#lanes .u-over').getBoundingClientRect())");
    let at = |index: usize| place[index].as_f64().expect("it is a number");
    // The very first row: nothing may move when values appear above it.
    let (x, y, width) = (at(0), at(1) + 4.0, at(2));
    let mut mouse = |what: &str, x: f64, buttons: i32| {
        let button = if what == "mouseMoved" { "none" } else { "left" };
        let event =
            json!({ "type": what, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
        browser.call("Input.dispatchMouseEvent", &event);
    };
    mouse("mouseMoved", x + width * 0.4, 0);
    mouse("mousePressed", x + width * 0.4, 1);
    mouse("mouseMoved", x + width * 0.5, 1);
    mouse("mouseReleased", x + width * 0.5, 0);
    let dragged = range(&mut browser);
    assert!((dragged.1 - dragged.0) / (whole.1 - whole.0) < 0.15, "{whole:?} {dragged:?}");
    // What is under the cursor is told.
    let hovered = browser.evaluate("document.querySelector('#hover').textContent");
    assert!(hovered.as_str().is_some_and(|text| text.starts_with(NODES[0])), "{hovered}");
    // A witness of the verdict brings its operations into sight.
    browser.evaluate("document.querySelector('[data-zoom=all]').click()");
    browser.evaluate("document.querySelector('.witness a').click()");
    let (from, until) = range(&mut browser);
    assert!(until - from < 0.1 * (whole.1 - whole.0), "{from} {until}");
    assert_eq!(count(&mut browser, ".mark:not([hidden])"), 2);
    assert_eq!(browser.evaluate("location.hash"), json!("#m1-1"));
    // Dark, narrow, and on paper, where it is light again.
    let paper = browser.evaluate("getComputedStyle(document.body).backgroundColor");
    let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.call("Emulation.setEmulatedMedia", &dark);
    let back = "getComputedStyle(document.body).backgroundColor";
    assert_ne!(browser.evaluate(back), paper);
    browser.evaluate("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(browser.evaluate(back), paper);
    browser.evaluate("dispatchEvent(new Event('afterprint'))");
    let phone = json!({ "width": 360, "height": 640, "deviceScaleFactor": 2, "mobile": true });
    browser.call("Emulation.setDeviceMetricsOverride", &phone);
    let fits = "new Promise(done => { const look = () => {
        const all = [...document.querySelectorAll('.uplot')];
        all.every(plot => plot.clientWidth <= 360) ? done(document.documentElement.scrollWidth) : requestAnimationFrame(look); };
        look(); })";
    assert_eq!(browser.evaluate(fits), json!(360));
    assert_eq!(browser.complaints(), [""; 0]);
}

/// The range of time that is shown.
fn range(browser: &mut Browser) -> (f64, f64) {
    let text = browser.evaluate("document.querySelector('#shown').textContent");
    let text = text.as_str().expect("it is a text").replace(" s", "");
    let (from, until) = text.split_once(" to ").expect("it is from one instant to another");
    (from.parse().expect("a number"), until.parse().expect("a number"))
}

/// Whatever would run if it were markup.
const EVIL: &str = r#"</script><script>window.ran=1</script><img src=x onerror="window.ran=1">'\"<!--"#;

fn hostile(lab: &Lab) {
    let line = |event: Value| {
        let mut line = json!({ "at_ns": 5_000, "wall_ns": 5_000 });
        for (key, value) in event.as_object().into_iter().flatten() {
            line[key] = value.clone();
        }
        format!("{line}\n")
    };
    let text = [
        format!(
            "{}\n",
            json!({ "format": "falseticker-history", "version": 1, "tool": EVIL, "scenario": EVIL, "seed": 1,
                "started": EVIL, "duration_ns": 1, "recovery_ns": 1, "clocks": ["mono", EVIL],
                "nodes": [{ "name": EVIL, "command": [EVIL], "monotonic": false }] })
        ),
        line(json!({ "event": "start", "heal_ns": 9_000, "end_ns": 9_000 })),
        line(
            json!({ "event": "planned", "id": 1, "entry": 0, "node": EVIL, "fault": { "run": { "command": EVIL } }, "optional": false,
            "after": { "output": EVIL, "node": EVIL } }),
        ),
        line(
            json!({ "event": "applied", "id": 1, "node": EVIL, "change": 1, "what": EVIL, "clocks": [EVIL], "late_by_ns": 1 }),
        ),
        line(json!({ "event": "failed", "id": 2, "node": EVIL, "why": EVIL })),
        line(json!({ "event": "evidence", "id": 1, "node": EVIL, "change": 1, "pid": 1, "latency_ns": 5 })),
        line(
            json!({ "event": "sample", "node": EVIL, "wall_off_ns": 1, "mono_off_ns": 0, "boot_off_ns": 0, "wall-ppm": 0.0 }),
        ),
        line(json!({ "event": "output", "node": EVIL, "stream": EVIL, "line": EVIL })),
        line(
            json!({ "event": "op", "node": EVIL, "op": "acquire", "phase": "ok", "process": EVIL, "value": EVIL,
            "fields": { "lease": EVIL, EVIL: EVIL }, "from_ns": 5_000, "until_ns": 6_000, "by": EVIL }),
        ),
        line(json!({ "event": "verdict", "check": EVIL, "verdict": "violated", "why": [EVIL],
            "witness": [{ "from_ns": 5_000, "until_ns": 6_000, "line": 9, "what": EVIL }] })),
        line(json!({ "event": "end", "reason": "failed", "why": EVIL })),
    ];
    let mut browser = opened(lab, &text.concat());
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.evaluate("typeof window.ran"), json!("undefined"));
    assert_eq!((count(&mut browser, "img"), count(&mut browser, "script")), (0, 3));
    // It is shown as it is, wherever it belongs.
    for place in ["h1", ".verdict h3", ".witness .what", "tr[data-node] th", "#faults td"] {
        let shown = browser.evaluate(&format!("document.querySelector({}).textContent", json!(place)));
        assert!(shown.as_str().is_some_and(|text| text.contains(EVIL)), "{place}: {shown}");
    }
    assert_eq!(count(&mut browser, "#m1-1"), 1);
    // The pictures are XML, whose parser finds no element that is none of a drawing.
    let svg = lab.path("h.svg");
    lab.falseticker(["report".as_ref(), lab.path("h").as_os_str(), "--svg".as_ref(), svg.as_os_str()])
        .expect_code(0);
    let parsed = format!(
        "const text = {}; const read = new DOMParser().parseFromString(text, 'image/svg+xml');
         [...new Set([...read.querySelectorAll('*')].map(each => each.tagName))].sort().join()",
        json!(std::fs::read_to_string(svg).expect("it is text"))
    );
    let tags = browser.evaluate(&parsed);
    let tags: Vec<&str> = tags.as_str().expect("it is text").split(',').collect();
    assert!(tags.contains(&"svg") && tags.contains(&"text"), "{tags:?}");
    for tag in tags {
        assert!(["circle", "line", "polygon", "polyline", "rect", "svg", "text"].contains(&tag), "{tag}");
    }
}
