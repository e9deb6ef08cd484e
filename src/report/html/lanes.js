// The rows: what is in force on each node, who holds what and who leads, what each process did.

const ROW = 24;
const SIGNS = { planned: "▽", applied: "▼", failed: "⊘", started: "▷", ended: "◻", died: "✖", killed: "✚" };
// Of each kind: the share of the row that it takes from above, its height, and what is drawn.
const KINDS = {
  clock: [0.12, 0.3, "tint"],
  frozen: [0.05, 0.9, "hatch"],
  held: [0.05, 0.9, "dots"],
  "maybe-lease": [0.2, 0.6, "dashed"],
  lease: [0.2, 0.6, "solid"],
  leader: [0.25, 0.5, "round"],
  many: [0.25, 0.5, "bars"],
  ok: [0.3, 0.4, "solid"],
  fail: [0.3, 0.4, "open"],
  unknown: [0.3, 0.4, "dashed"],
};

function bar(ctx, how, tint, x, y, width, height) {
  const ratio = uPlot.pxRatio;
  ctx.fillStyle = ctx.strokeStyle = tint;
  ctx.lineWidth = 1.2 * ratio;
  ctx.setLineDash(how === "dashed" ? [3 * ratio, 2 * ratio] : []);
  if (how === "solid") {
    ctx.fillRect(x, y, width, height);
  } else if (how === "round") {
    ctx.beginPath();
    ctx.roundRect(x, y, width, height, height / 2);
    ctx.fill();
  } else if (how === "tint") {
    ctx.globalAlpha = 0.3;
    ctx.fillRect(x, y, width, height);
    ctx.globalAlpha = 1;
    ctx.fillRect(x, y, width, 2.5 * ratio);
  } else {
    if (how !== "open" && how !== "dashed") {
      ctx.fillStyle = pattern(ctx, how, tint);
      ctx.fillRect(x, y, width, height);
    }
    ctx.strokeRect(x, y, width, height);
  }
}

function drawRows(u) {
  clipped(u, (ctx, { left, width: all }) => {
    const ratio = uPlot.pxRatio;
    const { lane, from, until, kind, text } = data.bars;
    // Where several would lie on one pixel, one is drawn.
    const drawn = new Map();
    for (let i = 0; i < lane.length; i++) {
      if (until[i] < view.min || from[i] > view.max) continue;
      const [above, share, how] = KINDS[kind[i]];
      const x = Math.max(left - 4, u.valToPos(from[i], "x", true));
      const end = Math.min(left + all + 4, u.valToPos(until[i], "x", true));
      const key = kind[i] + lane[i];
      if (end <= (drawn.get(key) ?? -1)) continue;
      const width = Math.max(1.5 * ratio, end - x);
      drawn.set(key, x + width);
      const top = u.valToPos(lane[i] + above, "y", true);
      bar(ctx, how, colour(data.lanes[lane[i]].colour), x, top, width, share * ROW * ratio);
      if (kind[i] === "leader" && width > 8 * text[i].length * ratio) {
        ctx.fillStyle = ink("back");
        ctx.font = 10 * ratio + "px system-ui, sans-serif";
        ctx.textAlign = "center";
        ctx.textBaseline = "middle";
        ctx.fillText(text[i], x + width / 2, top + (share * ROW * ratio) / 2);
      }
    }
    ctx.setLineDash([]);
    ctx.font = 12 * ratio + "px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (const { lane, at, sign } of data.marks) {
      if (at < view.min || at > view.max) continue;
      ctx.fillStyle = ["died", "failed"].includes(sign) ? ink("bad") : ink("front");
      ctx.fillText(SIGNS[sign], u.valToPos(at, "x", true), u.valToPos(lane + (sign === "planned" ? 0.28 : 0.6), "y", true));
    }
  });
}

/** Cuts a label to what fits beside the axis. */
function fitted(text) {
  const most = Math.floor((gutter() - 20) / 6.6);
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

const hover = document.getElementById("hover");

/** What is under the cursor, in words. */
function underCursor(u) {
  const { left, top } = u.cursor;
  const row = top == null || top < 0 ? -1 : Math.floor(u.posToVal(top, "y"));
  if (left < 0 || !(row in data.lanes) || !u.over.matches(":hover")) {
    hover.hidden = true;
    return;
  }
  const at = u.posToVal(left, "x");
  const near = u.posToVal(left + 5, "x") - at;
  const found = [];
  for (const mark of data.marks) {
    if (mark.lane === row && Math.abs(mark.at - at) <= near) found.push(instant(mark.at) + "  " + mark.text);
  }
  const { lane, from, until, text } = data.bars;
  let more = 0;
  for (let i = 0; i < lane.length; i++) {
    if (lane[i] !== row || from[i] > at + near || until[i] < at - near) continue;
    if (found.length >= 8) more++;
    else found.push(instant(from[i]) + (until[i] > from[i] ? ", for " + (data.is_order ? until[i] - from[i] : span(until[i] - from[i])) : "") + "  " + text[i]);
  }
  hover.textContent = [data.lanes[row].label + " at " + instant(at), ...found, ...(more ? ["and " + more + " more"] : [])].join("\n");
  hover.hidden = false;
  const box = u.over.getBoundingClientRect();
  const x = Math.min(box.left + left + 14, window.innerWidth - hover.offsetWidth - 8);
  const y = Math.min(box.top + top + 18, window.innerHeight - hover.offsetHeight - 8);
  hover.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

function drawLanes() {
  const rows = data.lanes.length;
  const made = chart(
    "lanes",
    {
      height: rows * ROW + 62,
      series: [{}, { show: false }],
      legend: { show: false },
      scales: { y: { range: [0, Math.max(rows, 1)], dir: -1 } },
      axes: [
        {
          splits: () => data.lanes.map((_, row) => row + 0.5),
          values: () => data.lanes.map(({ label }) => fitted(label)),
          grid: { show: false },
          gap: 6,
        },
      ],
      hooks: { draw: [drawRows, witnessLines, placeMarks], setCursor: [underCursor] },
    },
    [[whole.min, whole.max], [null, null]],
  );
  made?.over.addEventListener("mouseleave", () => (hover.hidden = true));
  if (made) addMarks(made);
}
