"use strict";
// The page of one run.
(function report() {
  const pairs = content.pairs, related = pairs.filter((p) => p.related);
  const table = pairTable(pairs);
  const groups = [["matches", "answers from matches"], ["frames", "answers over frames"]];
  const REFUSED = 178;

  function scatter(title, label, axis, value) {
    const usable = related.filter((p) => known(value(p)));
    const tell = (p) => [`pair ${p.n}, ${p.scene}`, `rotation error ${degrees(p.rotation_error)} of ${degrees(p.true_rotation)}`, `overlap ${percent(p.overlap, 0)}`];
    const series = groups.map(([branch, name]) => ({name, kind: "dots", points: usable.filter((p) => p.answered && p.branch === branch && known(p.rotation_error))
      .map((p) => [value(p), p.rotation_error, tell(p), p.n])}));
    series.push({name: "refused", kind: "cross", colour: "var(--c5)", points: usable.filter((p) => !p.answered)
      .map((p) => [value(p), REFUSED, [`pair ${p.n}, ${p.scene}`, `refused: ${p.reason}`], p.n])});
    return chart(title, "One mark per related pair; crosses at the top are refusals. Click for the pair.",
      {label, ...axis}, errorAxis("rotation error"), series, table.show);
  }

  const plots = [
    scatter("Error against rotation", "true rotation", {min: 0, max: 180, ticks: [0, 30, 60, 90, 120, 150, 180], text: (v) => v + "°"}, (p) => p.true_rotation),
    scatter("Error against overlap", "measured overlap", {min: 0, max: 1, ticks: tenths, text: (v) => percent(v, 0)}, (p) => p.overlap),
    content.recall.length ? chart("Recall", "Share of related pairs within an error; a refusal is a miss.",
      {label: "error", min: 0, max: 30, ticks: [0, 5, 10, 15, 20, 25, 30], text: (v) => figures(v) + "°"}, share("recall"),
      content.recall.map((curve) => ({...curve, kind: "line"}))) : null,
    content.risk.length ? chart("Risk and coverage", "Share of estimates more than 5° off, over the share kept, by what they are ranked by.",
      share("coverage"), share("more than 5° off"), content.risk.map((curve) => ({...curve, kind: "line"}))) : null,
    content.reliability.length ? chart("Reliability", "What the confidence said beside what came of it; bars are exact 95 % intervals.",
      share("confidence", {diagonal: true}), share("within 5°"), [{name: "estimates", kind: "ranges", points: content.reliability.map((bin) =>
        [bin.probability, bin.right, [`${bin.count} estimates`, `said ${percent(bin.probability)}`, `right ${percent(bin.right)}`], bin.interval_95])}]) : null,
    Object.keys(content.stages).length ? bars("Time per stage", "Mean over all pairs; a stage that a pair did not need counts as zero.",
      Object.entries(content.stages), seconds) : null,
    content.trajectory ? path(content.trajectory) : null,
  ];

  function path(found) {
    const all = [...found.estimate, ...found.truth];
    const spread = [0, 1].map((k) => [Math.min(...all.map((p) => p[k])), Math.max(...all.map((p) => p[k]))]);
    const half = 1.08 * Math.max(...spread.map(([low, high]) => high - low), 1e-6) / 2;
    const axis = (k, label) => {
      const middle = (spread[k][0] + spread[k][1]) / 2;
      return {label, min: middle - half, max: middle + half, ticks: [-.8, -.4, 0, .4, .8].map((t) => middle + t * half), text: (v) => figures(v, 2)};
    };
    const note = found.truth.length ? `Seen from above, aligned by a similarity over ${found.count} poses` + (known(found.rmse) ? `; RMSE ${figures(found.rmse)}` : "")
      : "Seen from above; there is no truth beside it.";
    return chart("Trajectory", note + ".", axis(0, "first principal axis"), axis(1, "second principal axis"), [
      {name: "truth", kind: "line", colour: "var(--c5)", points: found.truth}, {name: "estimate", kind: "line", points: found.estimate}]);
  }

  const figuresOf = [
    ["pairs", (r) => r.n, true], ["answered", (r) => r.answered, true],
    ["median rotation error", (r) => degrees(r.median_rotation_deg), true],
    ["rotation ≤ 5°", (r) => percent(r.recall_deg["5"].rotation), true], ["≤ 15°", (r) => percent(r.recall_deg["15"].rotation), true],
    ["≤ 30°", (r) => percent(r.recall_deg["30"].rotation), true], ["AUC 30°", (r) => percent(r.auc["30"]), true],
  ];
  const filled = (rows) => rows.filter((row) => row.n);
  const section = (title, ...children) => el("section", {}, el("h2", {}, title), children);
  const published = content.published;

  put(document.getElementById("page"), {}, [
    el("p", {class: "small faint"}, "interpose_ros: relative poses, compared with the truth"),
    el("h1", {}, content.name),
    content.notes.map((note) => el("p", {class: "small"}, note)),
    cards(content.headline),
    section("Errors and confidence", el("div", {class: "plots"}, plots)),
    filled(content.by_rotation).length ? section("By true rotation", plainTable([["rotation", (r) => `${r.from_deg} to ${r.to_deg}°`], ...figuresOf], filled(content.by_rotation))) : null,
    filled(content.by_overlap).length ? section("By overlap", plainTable([["overlap", (r) => `${percent(r.from, 0)} to ${percent(r.to, 0)} (${r.overlap})`], ...figuresOf], filled(content.by_overlap))) : null,
    content.hypotheses.length ? section("Hypotheses", el("p", {class: "small faint"},
      "Every kind by itself over all related pairs; the oracle takes the best of all with the truth at hand."),
      plainTable([["estimator", (h) => h.estimator], ["frames", (h) => h.frames], ["tried", (h) => h.tried, true], ["selected", (h) => h.selected, true],
        ["median rotation error", (h) => degrees(h.median_rotation_deg), true], ["rotation ≤ 5°", (h) => percent(h.recall_deg["5"].rotation), true],
        ["≤ 15°", (h) => percent(h.recall_deg["15"].rotation), true], ["AUC 30°", (h) => percent(h.auc["30"]), true]],
        [...content.hypotheses, ...(content.oracle ? [{estimator: "oracle", frames: "best of all", ...content.oracle}] : [])])) : null,
    published ? section(`Published figures for ${published.protocol}`, el("p", {class: "small faint"}, published.note),
      plainTable([["method", (r) => r.method], ["MRE", (r) => degrees(r.mre_deg), true], ["MTE, sign-blind", (r) => degrees(r.mte_deg), true],
        ["AUC30", (r) => percent(r.auc30), true], ["source", (r) => r.source]], published.rows)) : null,
    table,
    section("How it was made", el("dl", {class: "record small"}, content.record.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))),
  ]);
})();
