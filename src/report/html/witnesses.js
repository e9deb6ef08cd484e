// The operations of violations: each a mark in its row, a link to where the verdict lists it, and back.

const marks = [];

function addMarks(u) {
  for (const witness of data.witnesses) {
    const name = witness.check + "-" + witness.number;
    const mark = document.createElement("a");
    mark.className = "number mark";
    mark.id = "m" + name;
    mark.href = "#w" + name;
    mark.textContent = witness.check + "." + witness.number;
    mark.title = witness.text;
    mark.setAttribute("aria-label", "operation " + mark.textContent + " of a violation: " + witness.text);
    // A press on it is no beginning of a selection.
    mark.addEventListener("mousedown", (event) => event.stopPropagation());
    u.over.append(mark);
    marks.push({ mark, witness });
  }
  marks.sort((one, other) => one.witness.at - other.witness.at);
}

/** Puts each where its operation is; those that would cover each other, side by side. */
function placeMarks(u) {
  const taken = new Map();
  for (const { mark, witness } of marks) {
    mark.hidden = witness.at < view.min || witness.at > view.max;
    if (mark.hidden) continue;
    const row = witness.lane ?? 0;
    const x = Math.max(u.valToPos(witness.at, "x"), (taken.get(row) ?? -Infinity) + 32);
    taken.set(row, x);
    mark.style.left = x + "px";
    mark.style.top = u.valToPos(row + 0.5, "y") + "px";
  }
}

/** From a verdict's list to the marks: with all operations of it in sight. */
function followWitness(link) {
  const of = data.witnesses.filter((witness) => witness.check === Number(link.dataset.check));
  const from = Math.min(...of.map(({ at }) => at));
  const until = Math.max(...of.map(({ until }) => until));
  showAround(from, until);
  const aim = link.getAttribute("href").slice(1);
  for (const { mark } of marks) mark.classList.toggle("lit", mark.id === aim);
}

function showAround(from, until) {
  const room = Math.max((until - from) * 0.25, data.is_order ? 5 : 1e-3);
  show(from - room, until + room);
}
