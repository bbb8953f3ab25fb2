"use strict";
// The page of two runs side by side.
(function compare() {
  const [first, second] = content.runs;
  const couples = content.pairs;
  const outcome = (p) => (p.answered ? degrees(p.rotation_error) : "refused");
  const gain = ([p, q]) => {
    if (!p.related) return null;
    const a = p.answered ? p.rotation_error : 180, b = q.answered ? q.rotation_error : 180;
    return a - b;
  };
  const tell = ([p, q]) => [`pair ${p.n}, ${p.scene}`, `A: ${outcome(p)}`, `B: ${outcome(q)}`];
  const related = couples.filter(([p]) => p.related);
  const at = (p) => (p.answered && known(p.rotation_error) ? p.rotation_error : 178);
  const axis = (letter) => ({...errorAxis(`rotation error of ${letter}`)});

  const state = {column: 5, rising: false, text: "", changed: false, most: 100};
  const columns = [
    {title: "pair", number: true, value: ([p]) => p.n, cell: ([p]) => p.n},
    {title: "images", value: ([p]) => p.names.join(" "), cell: ([p]) => el("div", {class: "thumbs", title: p.names.join("  –  ")}, p.images.map(picture))},
    {title: "scene", value: ([p]) => p.scene, cell: ([p]) => p.scene},
    {title: "error of A", number: true, value: ([p]) => p.rotation_error, cell: ([p]) => outcome(p)},
    {title: "error of B", number: true, value: ([, q]) => q.rotation_error, cell: ([, q]) => outcome(q)},
    {title: "B nearer by", number: true, value: gain, cell: (c) => (known(gain(c))
      ? el("span", {class: gain(c) > 1 ? "good" : gain(c) < -1 ? "bad" : null}, degrees(gain(c))) : "–")},
    {title: "confidence of A", number: true, value: ([p]) => p.confidence, cell: ([p]) => (known(p.confidence) ? p.confidence.toFixed(2) : "–")},
    {title: "confidence of B", number: true, value: ([, q]) => q.confidence, cell: ([, q]) => (known(q.confidence) ? q.confidence.toFixed(2) : "–")},
  ];
  const body = el("tbody"), count = el("span", {class: "small faint", role: "status"});
  const more = el("button", {type: "button", class: "more", onclick: () => { state.most += 100; render(); }}, "show more");
  const heads = columns.map((column, number) => el("th", {class: column.number ? "number" : null, scope: "col"}, el("button", {type: "button", onclick: () => {
    state.rising = state.column === number ? !state.rising : true;
    state.column = number;
    render();
  }}, column.title)));
  function render() {
    heads.forEach((head, number) => head.setAttribute("aria-sort", number !== state.column ? "none" : state.rising ? "ascending" : "descending"));
    const {value} = columns[state.column], order = state.rising ? 1 : -1;
    const found = couples.filter((c) => (!state.changed || c[0].answered !== c[1].answered || Math.abs(gain(c) || 0) > 1)
      && (!state.text || [...c[0].names, c[0].scene].join(" ").toLowerCase().includes(state.text)))
      .sort((c, d) => {
        const a = value(c), b = value(d);
        if (!known(a) || !known(b)) return known(a) ? -1 : known(b) ? 1 : c[0].n - d[0].n;
        return order * (typeof a === "string" ? a.localeCompare(b) : a - b) || c[0].n - d[0].n;
      });
    count.textContent = `${found.length} of ${couples.length} pairs`;
    more.hidden = found.length <= state.most;
    body.replaceChildren(...found.slice(0, state.most).map((c) => el("tr", {"data-pair": c[0].n},
      columns.map((column) => el("td", {class: column.number ? "number" : null}, column.cell(c))))));
  }
  render();

  const value = (f, v) => (f.unit === "s" ? seconds(v) : percent(v));
  const ends = (f) => (f.interval_95 ? f.interval_95.map((v) => (v > 0 ? "+" : "") + value(f, v)).join(" to ") : "–");
  const describe = (letter, run) => el("div", {class: "card"}, el("div", {class: "label"}, `run ${letter}`), el("div", {class: "versus"}, run.folder),
    el("div", {class: "small faint"}, [run.name, run.date, run.estimators.join(", "), run.interpolators.join(", "), run.commit && run.commit.slice(0, 12)].filter(Boolean).join(" · ")));
  const section = (title, ...children) => el("section", {}, el("h2", {}, title), children);

  put(document.getElementById("page"), {}, [
    el("p", {class: "small faint"}, "interpose_ros: two runs over the same pairs"),
    el("h1", {}, `${first.folder} and ${second.folder}`),
    content.notes.map((note) => el("p", {class: "small"}, note)),
    el("div", {class: "cards"}, describe("A", first), describe("B", second)),
    section("Is the difference real?", plainTable([
      ["figure", (f) => f.name], ["A", (f) => value(f, f.a), true], ["B", (f) => value(f, f.b), true],
      ["B - A", (f) => (f.difference > 0 ? "+" : "") + value(f, f.difference), true], ["95 % interval", ends, true],
      ["verdict", (f) => el("strong", {class: f.verdict.endsWith("better") ? "good" : null}, f.verdict)],
      ["scenes", (f) => f.scenes, true]], content.figures)),
    section("Curves", el("div", {class: "plots"},
      content.recall.length ? chart("Recall", "Share of related pairs within an error; a refusal is a miss.",
        {label: "error", min: 0, max: 30, ticks: [0, 5, 10, 15, 20, 25, 30], text: (v) => figures(v) + "°"}, share("recall"),
        content.recall.map((curve) => ({...curve, kind: "line"}))) : null,
      content.risk.length ? chart("Risk and coverage", "Share of estimates more than 5° off, over the share kept, ranked by confidence.",
        share("coverage"), share("more than 5° off"), content.risk.map((curve) => ({...curve, kind: "line"}))) : null,
      related.length ? chart("Pair by pair", "Below the dashed line B is nearer to the truth; refusals lie at the far ends.",
        {...axis("A"), diagonal: true}, axis("B"), [{name: "related pairs", kind: "dots", points: related.map((c) => [at(c[0]), at(c[1]), tell(c)])}]) : null)),
    section("Pairs", el("div", {class: "filters"},
      el("label", {}, "images, scene", el("input", {type: "search", id: "search", oninput: (event) => { state.text = event.target.value.toLowerCase(); render(); }})),
      el("button", {type: "button", id: "changed", "aria-pressed": "false", onclick: (event) => {
        state.changed = !state.changed;
        event.currentTarget.setAttribute("aria-pressed", String(state.changed));
        render();
      }}, "only where they differ")), count,
      el("div", {class: "wide"}, el("table", {}, el("thead", {}, el("tr", {}, heads)), body)), more),
  ]);
})();
