"use strict";
// The table of pairs: sorted, filtered, a hundred at a time; a row opens to pictures, matches and hypotheses.
const STEP = 100;
const statusOf = (pair) => (pair.answered
  ? (!pair.related ? "answered, unrelated" : pair.rotation_error > 15 ? "wrong by more than 15°" : "answered")
  : pair.related ? "refused" : "refused, unrelated");

const COLUMNS = [
  {title: "pair", number: true, value: (p) => p.n, cell: (p) => p.n},
  {title: "images", value: (p) => p.names.join(" "), cell: (p) => el("div", {class: "thumbs", title: p.names.join("  –  ")}, p.images.map(picture))},
  {title: "scene", value: (p) => p.scene, cell: (p) => p.scene},
  {title: "true rotation", number: true, value: (p) => p.true_rotation, cell: (p) => degrees(p.true_rotation)},
  {title: "overlap", number: true, value: (p) => p.overlap, cell: (p) => percent(p.overlap, 0)},
  {title: "outcome", value: statusOf, cell: (p) => el("span", {class: /wrong|answered, un/.test(statusOf(p)) ? "bad" : null}, statusOf(p))},
  {title: "branch", value: (p) => p.branch, cell: (p) => p.branch},
  {title: "rotation error", number: true, value: (p) => p.rotation_error, cell: (p) => degrees(p.rotation_error)},
  {title: "direction error", number: true, value: (p) => p.translation_error, cell: (p) => degrees(p.translation_error)},
  {title: "confidence", number: true, value: (p) => p.confidence, cell: (p) => (known(p.confidence) ? p.confidence.toFixed(2) : "–")},
  {title: "matches", number: true, value: (p) => p.inliers, cell: (p) => p.inliers},
  {title: "time", number: true, value: (p) => p.seconds, cell: (p) => seconds(p.seconds)},
];

function picture(number) {
  return known(number) ? el("img", {src: content.images[number], alt: "", loading: "lazy"}) : el("span", {class: "none"}, "no image");
}

function pairTable(pairs) {
  const state = {column: 0, rising: true, text: "", outcome: "", branch: "", low: null, high: null, most: STEP, open: new Set()};
  const body = el("tbody"), count = el("span", {class: "small faint", role: "status"});
  const more = el("button", {type: "button", class: "more", onclick: () => { state.most += STEP; render(); }}, "show more");
  const heads = COLUMNS.map((column, number) => el("th", {class: column.number ? "number" : null, scope: "col"},
    el("button", {type: "button", onclick: () => {
      state.rising = state.column === number ? !state.rising : true;
      state.column = number;
      render();
    }}, column.title)));
  const choice = (name, values) => el("select", {onchange: (event) => { state[name] = event.target.value; render(); }},
    el("option", {value: ""}, "all"), [...new Set(values)].sort().map((value) => el("option", {value}, value)));
  const limit = (name, label) => el("label", {}, label, el("input", {type: "number", min: 0, max: 180, step: 5,
    oninput: (event) => { state[name] = event.target.value === "" ? null : Number(event.target.value); render(); }}));
  const filters = el("div", {class: "filters"},
    el("label", {}, "images, scene, reason", el("input", {type: "search", id: "search",
      oninput: (event) => { state.text = event.target.value.toLowerCase(); render(); }})),
    el("label", {}, "outcome", put(choice("outcome", pairs.map(statusOf)), {id: "outcome"}, [])),
    el("label", {}, "branch", put(choice("branch", pairs.map((p) => p.branch)), {id: "branch"}, [])),
    limit("low", "true rotation from"), limit("high", "to [°]"));

  function chosen() {
    const {value} = COLUMNS[state.column];
    const order = state.rising ? 1 : -1;
    return pairs.filter((p) =>
      (!state.outcome || statusOf(p) === state.outcome) && (!state.branch || p.branch === state.branch)
      && (state.low === null || (known(p.true_rotation) && p.true_rotation >= state.low))
      && (state.high === null || (known(p.true_rotation) && p.true_rotation <= state.high))
      && (!state.text || [...p.names, p.scene, p.reason, p.estimator || ""].join(" ").toLowerCase().includes(state.text)),
    ).sort((p, q) => {
      const a = value(p), b = value(q);
      if (!known(a) || !known(b)) return known(a) ? -1 : known(b) ? 1 : p.n - q.n; // what does not exist comes last
      return order * (typeof a === "string" ? a.localeCompare(b) : a - b) || p.n - q.n;
    });
  }

  function toggle(pair) {
    if (!state.open.delete(pair.n)) state.open.add(pair.n);
    render();
  }

  function render() {
    heads.forEach((head, number) => head.setAttribute("aria-sort",
      number !== state.column ? "none" : state.rising ? "ascending" : "descending"));
    const found = chosen();
    count.textContent = `${found.length} of ${pairs.length} pairs`;
    more.hidden = found.length <= state.most;
    body.replaceChildren(...found.slice(0, state.most).flatMap((pair) => {
      const open = state.open.has(pair.n);
      const cells = COLUMNS.map((column, number) => el("td", {class: column.number ? "number" : null},
        number ? column.cell(pair) : el("button", {type: "button", "aria-expanded": String(open),
          "aria-label": `pair ${pair.n}, details`, onclick: () => toggle(pair)}, `${open ? "−" : "+"} ${pair.n}`)));
      const row = el("tr", {class: open ? "chosen" : null, "data-pair": pair.n}, cells);
      return open ? [row, el("tr", {class: "chosen"}, el("td", {colspan: COLUMNS.length}, details(pair)))] : [row];
    }));
  }
  render();
  const section = el("section", {id: "pairs"}, el("h2", {}, "Pairs"), filters, count,
    el("div", {class: "wide"}, el("table", {}, el("thead", {}, el("tr", {}, heads)), body)), more);
  section.show = (number) => {
    Object.assign(state, {text: "", outcome: "", branch: "", low: null, high: null, most: Infinity});
    filters.querySelectorAll("input, select").forEach((control) => { control.value = ""; });
    state.open.add(number);
    render();
    body.querySelector(`[data-pair="${number}"]`).scrollIntoView({block: "center"});
  };
  return section;
}

function details(pair) {
  const stages = Object.entries(pair.stages).map(([name, value]) => `${name} ${seconds(value)}`).join(", ");
  const evidence = (c) => Object.entries(c.evidence).map(([name, value]) => `${name} ${figures(value)}`).join(", ");
  return el("div", {class: "details"},
    couple(pair),
    el("p", {class: "small"}, `${pair.names[0]}  –  ${pair.names[1]}`,
      pair.matches ? `; ${pair.matches.count} verified matches, ${pair.matches.lines.length} drawn` : "",
      known(pair.baseline) ? `; true baseline ${figures(pair.baseline)}` : "",
      known(pair.true_overlap) ? `; overlap by the pair file ${percent(pair.true_overlap, 0)}` : ""),
    pair.reason ? el("p", {class: "small"}, `Refused: ${pair.reason}`) : null,
    pair.calibration ? el("p", {class: "small faint"}, `calibration ${pair.calibration}`) : null,
    pair.frames.length ? el("div", {}, el("p", {class: "small"}, `chosen clip, ${pair.frames_used} of ${pair.frames_offered} frames used:`),
      el("div", {class: "strip"}, pair.frames.map(picture))) : null,
    pair.candidates.length ? plainTable([
      ["hypothesis", (c) => c.estimator + (c.selected ? " (the answer)" : c.weighed ? "" : " (for comparison)")],
      ["frames", (c) => (c.clip ? [c.clip, c.generated ? "generated" : "real", c.direction, c.clip_id].filter(Boolean).join(", ") : "none")],
      ["rotation error", (c) => degrees(c.rotation_error), true],
      ["direction error", (c) => degrees(c.translation_error), true],
      ["confidence", (c) => (known(c.confidence) ? c.confidence.toFixed(2) : "–"), true],
      ["scores, or reason", (c) => el("span", {class: "small"}, c.status === "ok" ? evidence(c) : c.reason)],
    ], pair.candidates) : null,
    stages ? el("p", {class: "small faint"}, stages) : null);
}

// Both images side by side with lines between matches.
function couple(pair) {
  if (!pair.images.every(known)) return el("p", {class: "faint"}, "The images could not be read when this page was made.");
  const [wa, ha] = pair.sizes[0], [wb, hb] = pair.sizes[1];
  const height = 240, gap = 6, a = height * wa / ha, b = height * wb / hb;
  const lines = pair.matches ? pair.matches.lines : [];
  return draw("svg", {class: "couple", viewBox: `0 0 ${a + gap + b} ${height}`, role: "img",
    "aria-label": `both images with ${lines.length} matches`},
    draw("image", {href: content.images[pair.images[0]], width: a, height, preserveAspectRatio: "none"}),
    draw("image", {href: content.images[pair.images[1]], x: a + gap, width: b, height, preserveAspectRatio: "none"}),
    lines.map(([xa, ya, xb, yb]) => draw("line", {x1: a * xa / 1000, y1: height * ya / 1000, x2: a + gap + b * xb / 1000, y2: height * yb / 1000})));
}
