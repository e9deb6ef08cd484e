// How soon changes were read, by each node's shape, and how late faults were (triangles): in proportion near nothing, by order further up.

function drawLatencies() {
  const points = [
    ...data.latencies.map((each) => ({ ...each, value: each.took / 1e9, late: false })),
    ...data.lateness.map((each) => ({ ...each, value: each.by / 1e9, late: true })),
  ].sort((one, other) => one.at - other.at);
  const draw = (u) =>
    clipped(u, (ctx) => {
      const ratio = uPlot.pxRatio;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.font = 10 * ratio + "px system-ui, sans-serif";
      for (const { at, value, node, late } of points) {
        if (at < view.min || at > view.max) continue;
        ctx.fillStyle = node == null ? ink("front") : colour(node);
        ctx.fillText(late ? "▽" : shape(node), u.valToPos(at, "x", true), u.valToPos(value, "y", true));
      }
    });
  const told = (u, value, series, index) => {
    const point = index == null ? null : points[index - 1];
    if (!point) return "–";
    const whose = point.node == null ? "" : data.nodes[point.node] + ": ";
    const what = point.late ? "fault " + point.fault + " late by " : "process " + point.pid + " read change " + point.change + " after ";
    return instant(point.at) + "  " + whose + what + span(point.value);
  };
  const { scale, splits, filter } = powers(1e-5);
  chart(
    "latencies",
    {
      height: 200,
      series: [{ label: "at", value: (u, at) => (at == null ? "–" : instant(at)) }, { label: "nearest", value: told, stroke: () => ink("front"), paths: () => null, points: { show: false } }],
      scales: { y: scale },
      axes: [{ splits, filter, values: (u, all) => all.map((value) => (value == null ? "" : span(value))) }],
      hooks: { draw: [draw, witnessLines] },
    },
    [[whole.min, ...points.map(({ at }) => at), whole.max], [null, ...points.map(({ value }) => value), null]],
  );
}
