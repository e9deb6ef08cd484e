// What all charts share: the data, colours that follow the theme, spans in words, one range of time.

const data = JSON.parse(document.getElementById("data").textContent);
const DASHES = [[], [9, 4], [2, 3], [12, 3, 2, 3], [5, 2], [14, 5], [3, 6]];
const SHAPES = ["●", "■", "▲", "◆", "✚", "★", "▼"];
const charts = [];
// A little room, so that what is at the ends is seen.
const room = Math.max((data.last - data.first) * 0.01, data.is_order ? 1 : 1e-6);
const whole = { min: data.first - room, max: data.last + room };
let view = whole;

let theme = getComputedStyle(document.documentElement);
const ink = (name) => theme.getPropertyValue("--" + name).trim();
const colour = (index) => ink("c" + (index % 7));
const dash = (index) => DASHES[(index + Math.floor(index / 7)) % DASHES.length];
const shape = (index) => SHAPES[(index + 3 * Math.floor(index / 7)) % SHAPES.length];
const FONT = "12px system-ui, sans-serif";
const isNarrow = () => window.innerWidth < 640;
const gutter = () => (isNarrow() ? 84 : 150);

/** Seconds in words, to four digits. */
function span(seconds) {
  if (seconds == null) return "–";
  const size = Math.abs(seconds);
  if (size === 0) return "0";
  const short = (value) => String(+value.toPrecision(4));
  if (size >= 3600) return short(seconds / 3600) + " h";
  if (size >= 120) return short(seconds / 60) + " min";
  if (size >= 1) return short(seconds) + " s";
  if (size >= 1e-3) return short(seconds * 1e3) + " ms";
  if (size >= 1e-6) return short(seconds * 1e6) + " µs";
  return short(seconds * 1e9) + " ns";
}

/** An instant as the axis has it: as many digits as the range that is shown needs. */
function instant(at) {
  if (data.is_order) return String(Math.round(at));
  const digits = Math.max(0, Math.min(9, 3 - Math.floor(Math.log10(view.max - view.min))));
  return at.toFixed(digits) + " s";
}

/** Shows a range of time in all charts. */
function show(min, max) {
  const least = data.is_order ? 1 : 1e-8;
  const length = Math.min(Math.max(max - min, least), whole.max - whole.min);
  min = Math.min(Math.max(min, whole.min), whole.max - length);
  view = { min, max: min + length };
  for (const chart of charts) chart.setScale("x", { ...view });
  document.getElementById("shown").textContent = instant(view.min) + " to " + instant(view.max);
}

const axisOf = (more) => ({
  stroke: () => ink("dim"),
  grid: { stroke: () => ink("rule"), width: 1 },
  ticks: { stroke: () => ink("rule"), width: 1 },
  font: FONT,
  ...more,
});

/** The other charts follow the cursor, and nothing else of what is done on one. */
const follows = (type) => type === "mousemove" || type === "mouseleave";

/** Shows what was selected by dragging. */
function choose(u) {
  const { left, width } = u.select;
  if (width < 3) return;
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  show(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
}

/** A chart over true time, in its place on the page; `undefined` if the page has none. */
function chart(id, options, columns) {
  const place = document.querySelector("#" + id + " .plot");
  if (!place) return undefined;
  const made = new uPlot(
    {
      width: place.clientWidth || 600,
      height: 240,
      ...options,
      scales: { x: { time: false, range: (u, min, max) => (min == null ? [whole.min, whole.max] : [min, max]) }, ...options.scales },
      axes: [
        axisOf({ label: data.axis, labelSize: 20, size: 34, labelFont: FONT, space: 90, values: (u, all) => all.map(instant) }),
        ...options.axes.map((axis) => axisOf({ size: gutter, ...axis })),
      ],
      padding: [8, 12, 0, 0],
      cursor: { sync: { key: "time", scales: ["x", null], filters: { pub: follows, sub: follows } }, drag: { x: true, y: false, setScale: false }, y: false, ...options.cursor },
      hooks: {
        ...options.hooks,
        setSelect: [choose],
      },
    },
    columns,
    place,
  );
  made.over.addEventListener("dblclick", () => show(whole.min, whole.max));
  charts.push(made);
  return made;
}

/** A scale that is in proportion near nothing, and by powers of ten further up; and its lines. */
function powers(least) {
  const reach = (value) => 10 ** Math.max(0, Math.ceil(Math.log10(Math.abs(value) / least) - 1e-9)) * least;
  return {
    scale: { distr: 4, asinh: least, range: (u, min, max) => [min < 0 ? -reach(min) : -least / 2, max > 0 ? reach(max) : least] },
    filter: (u, all) => all,
    splits: (u, axis, min, max) => {
      const all = [0];
      const count = Math.round(Math.log10(Math.max(-min, max) / least));
      const step = Math.ceil((count + 1) / (min < -least ? 3 : 5));
      // The lowest would touch nothing's own line.
      for (let power = count; power >= (step > 1 ? 1 : 0); power -= step) {
        const value = least * 10 ** power;
        if (value <= max * 1.001) all.push(value);
        if (-value >= min * 1.001) all.push(-value);
      }
      return all.sort((one, other) => one - other);
    },
  };
}

/** Draws inside a chart's own area alone. */
function clipped(u, draw) {
  const { left, top, width, height } = u.bbox;
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(left, top, width, height);
  u.ctx.clip();
  draw(u.ctx, u.bbox);
  u.ctx.restore();
}

const patterns = new Map();

/** A pattern that tells kinds apart without their colour. */
function pattern(ctx, name, stroke) {
  const key = name + stroke + uPlot.pxRatio;
  if (!patterns.has(key)) {
    const size = { hatch: 6, dots: 5, bars: 3 }[name] * Math.max(1, Math.round(uPlot.pxRatio));
    const tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.strokeStyle = pen.fillStyle = stroke;
    pen.lineWidth = size / 5;
    if (name === "dots") {
      pen.fillRect(0, 0, size / 2, size / 2);
    } else if (name === "bars") {
      pen.fillRect(0, 0, size / 2, size);
    } else {
      for (const shift of [-size, 0, size]) {
        pen.moveTo(shift, size);
        pen.lineTo(shift + size, 0);
      }
      pen.stroke();
    }
    patterns.set(key, ctx.createPattern(tile, "repeat"));
  }
  return patterns.get(key);
}

/** A dashed line through a chart at each operation of a violation. */
function witnessLines(u) {
  clipped(u, (ctx, { top, height }) => {
    ctx.strokeStyle = ink("bad");
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([5 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
    for (const witness of data.witnesses) {
      if (witness.at < view.min || witness.at > view.max) continue;
      const x = u.valToPos(witness.at, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
    }
  });
}
