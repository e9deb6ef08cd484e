// How far each clock was from true, and its rate: a line for each node, told apart by colour, dashes and shapes.

/** What a line shows at an instant: straight between its points, or as a step. */
function valueAt(xs, ys, at, isStep) {
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= at) low = middle;
    else high = middle;
  }
  if (ys[low] == null) return null;
  if (isStep || ys[high] == null) return ys[low];
  return ys[low] + ((ys[high] - ys[low]) * (at - xs[low])) / (xs[high] - xs[low] || 1);
}

/** Shapes along the lines, each node's somewhere else. */
function shapes(isStep) {
  return (u) =>
    clipped(u, (ctx, { left, width }) => {
      const ratio = uPlot.pxRatio;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.font = 11 * ratio + "px system-ui, sans-serif";
      data.nodes.forEach((_, node) => {
        ctx.fillStyle = colour(node);
        for (let x = left + (30 + 23 * node) * ratio; x < left + width; x += 150 * ratio) {
          const y = valueAt(u.data[0], u.data[node + 1], u.posToVal(x, "x", true), isStep);
          if (y != null) ctx.fillText(shape(node), x, u.valToPos(y, "y", true));
        }
      });
    });
}

/** Hatched where a node stood still, with its shape on top. */
function bands(u) {
  clipped(u, (ctx, { top, height }) => {
    const ratio = uPlot.pxRatio;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.font = 11 * ratio + "px system-ui, sans-serif";
    const { lane, from, until, kind } = data.bars;
    for (let i = 0; i < kind.length; i++) {
      if (kind[i] !== "frozen" || until[i] < view.min || from[i] > view.max) continue;
      const left = u.valToPos(from[i], "x", true);
      const width = Math.max(ratio, u.valToPos(until[i], "x", true) - left);
      const tint = colour(data.lanes[lane[i]].colour);
      ctx.globalAlpha = 0.45;
      ctx.fillStyle = pattern(ctx, "hatch", tint);
      ctx.fillRect(left, top, width, height);
      ctx.globalAlpha = 1;
      ctx.fillStyle = tint;
      ctx.fillText(shape(data.lanes[lane[i]].colour), left + width / 2, top + 2 * ratio);
    }
  });
}

/** The points of the curves, and the ends of the axis. */
function columns(lines) {
  const ends = (first, list, last) => [first, ...list, last];
  return [ends(whole.min, data.curves.at, whole.max), ...lines.map((line) => ends(null, line, null))];
}

function curve(id, lines, told, isStep, { scale, splits, filter }) {
  const series = data.nodes.map((name, node) => ({
    label: shape(node) + " " + name,
    stroke: () => colour(node),
    dash: dash(node),
    width: 1.6,
    points: { show: false },
    paths: isStep ? uPlot.paths.stepped({ align: 1 }) : undefined,
    // Between its points, where the cursor is.
    value: (u, _, index) => told(u.cursor.left < 0 ? null : valueAt(u.data[0], u.data[index], u.posToVal(u.cursor.left, "x"), isStep)),
  }));
  chart(
    id,
    {
      series: [{ label: "at", value: (u) => (u.cursor.left < 0 ? "–" : instant(u.posToVal(u.cursor.left, "x"))) }, ...series],
      cursor: { points: { show: false } },
      scales: { y: scale },
      axes: [{ splits, filter, values: (u, all) => all.map((value) => (value == null ? "" : told(value))) }],
      hooks: { drawClear: [bands], draw: [shapes(isStep), witnessLines] },
    },
    columns(lines),
  );
}

// Rates are between parts of a million and standstill: so small ones are drawn in proportion, great ones by their order.
function drawCurves() {
  // Clocks that are true all the time are seen on a millisecond, not on nothing.
  const range = (u, min, max) => (max - min < 1e-9 ? [min - 1e-3, max + 1e-3] : uPlot.rangeNum(min, max, 0.1, true));
  curve("offset", data.curves.off, span, false, { scale: { range } });
  const ppm = (value) => {
    if (value == null) return "–";
    const isLarge = Math.abs(value) >= 1e4;
    return +(isLarge ? value / 1e4 : value).toPrecision(4) + (isLarge ? " %" : " ppm");
  };
  curve("rate", data.curves.ppm, ppm, true, powers(1));
}
