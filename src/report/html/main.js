// Draws the charts, and keeps them as the page is: its width, its theme, on paper.

function move(how) {
  const { min, max } = view;
  const length = max - min;
  const by = { in: [0.25, -0.25], out: [-0.5, 0.5], earlier: [-0.25, -0.25], later: [0.25, 0.25] }[how];
  if (by) show(min + by[0] * length, max + by[1] * length);
  else show(whole.min, whole.max);
}

const KEYS = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "all" };

function listen() {
  document.querySelector(".tools").addEventListener("click", ({ target }) => target.dataset.zoom && move(target.dataset.zoom));
  for (const place of document.querySelectorAll(".plot")) {
    place.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      move(KEYS[event.key]);
    });
    place.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      move(event.deltaY < 0 ? "in" : "out");
    }, { passive: false });
  }
  document.addEventListener("click", ({ target }) => {
    const link = target.closest?.("a");
    if (link?.dataset.check) followWitness(link);
    else if (link?.dataset.from) showAround(Number(link.dataset.from), Number(link.dataset.until));
  });
}

function repaint(width) {
  theme = getComputedStyle(document.documentElement);
  for (const u of charts) {
    u.setSize({ width: width ?? u.root.parentElement.clientWidth, height: u.height });
    u.redraw(false, true);
  }
}

function followPage() {
  const main = document.querySelector("main");
  let known = main.clientWidth;
  const resized = () => {
    if (main.clientWidth !== known && document.documentElement.dataset.print === undefined) repaint();
    known = main.clientWidth;
  };
  new ResizeObserver(resized).observe(main);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repaint());
  // Paper is white, and as wide as a page of A4.
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    repaint(700);
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    repaint();
  });
}

try {
  drawCurves();
  drawLanes();
  drawLatencies();
  show(whole.min, whole.max);
  listen();
  followPage();
  // Drawn in microtasks that are queued already.
  queueMicrotask(() => queueMicrotask(() => (document.documentElement.dataset.drawn = performance.now().toFixed(0))));
  requestAnimationFrame(() => setTimeout(() => (document.documentElement.dataset.shown = performance.now().toFixed(0))));
} catch (why) {
  const broken = document.getElementById("broken");
  broken.querySelector("span").textContent = why;
  broken.hidden = false;
  throw why;
}
