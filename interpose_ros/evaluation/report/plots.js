"use strict";
// One chart: axes, series that can be switched off, the nearest point under the pointer explained.
// series: {name, kind: "line" | "dots" | "bars" | "ranges", points: [[x, y, explanation, pick] ...], on, colour}
function chart(title, note, x, y, series, pick) {
  const height = 300, left = 52, right = 22, top = 14, bottom = 42;
  const shown = series.filter((s) => s.points.length);
  shown.forEach((s, number) => { s.colour = s.colour || `var(--c${number % 8})`; if (s.on === undefined) s.on = true; });
  const svg = draw("svg", {role: "img", "aria-label": `${title}. ${note}`});
  const tip = el("div", {class: "tip", hidden: true});
  const legend = el("div", {class: "legend"}, shown.length < 2 ? [] : shown.map((s) => el("button", {
    type: "button", "aria-pressed": String(s.on),
    onclick: (event) => { s.on = !s.on; event.currentTarget.setAttribute("aria-pressed", String(s.on)); render(); },
  }, el("span", {class: "swatch", style: `background:${s.colour}`}), s.name)));
  const figure = el("figure", {}, el("h3", {}, title), el("p", {class: "small faint"}, note), svg, tip, legend);
  let spots = [];

  function scale(axis, from, to) {
    const f = axis.log ? Math.log10 : (v) => v;
    const low = f(axis.min), high = f(axis.max);
    return (v) => from + (to - from) * (f(Math.min(Math.max(v, axis.min), axis.max)) - low) / (high - low || 1);
  }

  function render() {
    const width = Math.max(280, svg.clientWidth || figure.clientWidth - 24 || 520);
    const X = scale(x, left, width - right), Y = scale(y, height - bottom, top);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    spots = [];
    svg.append(draw("rect", {class: "axis", x: left, y: top, width: width - left - right, height: height - top - bottom}));
    const every = Math.max(1, Math.ceil(x.ticks.length * 38 / (width - left - right)));
    x.ticks.forEach((v, number) => {
      if (number % every) return;
      svg.append(draw("line", {class: "axis", x1: X(v), x2: X(v), y1: height - bottom, y2: height - bottom + 4}),
        draw("text", {x: X(v), y: height - bottom + 17, "text-anchor": "middle"}, (x.text || String)(v)));
    });
    for (const v of y.ticks) {
      svg.append(draw("line", {class: "axis", x1: left - 4, x2: width - right, y1: Y(v), y2: Y(v), "stroke-opacity": .6}),
        draw("text", {x: left - 7, y: Y(v) + 4, "text-anchor": "end"}, (y.text || String)(v)));
    }
    svg.append(draw("text", {x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle"}, x.label),
      draw("text", {transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, y.label));
    if (x.diagonal) svg.append(draw("line", {class: "guide", x1: X(x.min), y1: Y(y.min), x2: X(x.max), y2: Y(y.max)}));
    for (const s of shown.filter((item) => item.on)) marks(s, X, Y);
  }

  function marks(s, X, Y) {
    if (s.kind === "line") {
      svg.append(draw("polyline", {fill: "none", stroke: s.colour, "stroke-width": 2, "stroke-linejoin": "round",
        points: s.points.map((p) => `${X(p[0]).toFixed(1)},${Y(p[1]).toFixed(1)}`).join(" ")}));
    }
    for (const p of s.points) {
      const spot = {x: X(p[0]), y: Y(p[1]), series: s, point: p};
      spots.push(spot);
      if (s.kind === "ranges") {
        svg.append(draw("line", {stroke: s.colour, "stroke-width": 1.5, x1: spot.x, x2: spot.x, y1: Y(p[3][0]), y2: Y(p[3][1])}));
      }
      if (s.kind === "cross") {
        svg.append(draw("path", {stroke: s.colour, "stroke-width": 1.6, class: pick ? "dot" : null,
          d: `M${spot.x - 3} ${spot.y - 3}l6 6m0 -6l-6 6`}));
      } else if (s.kind !== "line") {
        svg.append(draw("circle", {cx: spot.x, cy: spot.y, r: 4, fill: s.colour, "fill-opacity": .75, class: "dot"}));
      }
    }
  }

  function nearest(event) {
    const box = svg.getBoundingClientRect(), zoom = svg.viewBox.baseVal.width / box.width;
    const px = (event.clientX - box.left) * zoom, py = (event.clientY - box.top) * zoom;
    let best = null, least = 26 ** 2;
    for (const spot of spots) {
      const away = (spot.x - px) ** 2 + (spot.y - py) ** 2;
      if (away < least) { least = away; best = spot; }
    }
    return best;
  }

  svg.addEventListener("pointermove", (event) => {
    const spot = nearest(event);
    tip.hidden = !spot;
    svg.style.cursor = spot && pick && known(spot.point[3]) ? "pointer" : "default";
    if (!spot) return;
    const lines = spot.point[2] || [`${x.label}: ${(x.text || figures)(spot.point[0])}`, `${y.label}: ${(y.text || figures)(spot.point[1])}`];
    tip.replaceChildren(el("strong", {}, spot.series.name), ...lines.map((line) => el("div", {}, line)));
    const box = svg.getBoundingClientRect(), outer = figure.getBoundingClientRect();
    const atX = box.left - outer.left + spot.x * box.width / svg.viewBox.baseVal.width;
    const atY = box.top - outer.top + spot.y * box.height / svg.viewBox.baseVal.height;
    tip.style.left = `${Math.max(4, Math.min(atX + 10, outer.width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${atY + 12}px`;
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  svg.addEventListener("click", (event) => {
    const spot = nearest(event);
    if (spot && pick && known(spot.point[3])) pick(spot.point[3]);
  });
  let last = 0;
  new ResizeObserver(() => {
    if (Math.abs(figure.clientWidth - last) < 2) return;
    last = figure.clientWidth;
    render();
  }).observe(figure);
  render();
  return figure;
}

// Bars with their names on the left.
function bars(title, note, items, text) {
  const most = Math.max(...items.map(([, value]) => value), 1e-12);
  const row = 26, left = 130;
  const svg = draw("svg", {role: "img", "aria-label": `${title}. ${note}`});
  const figure = el("figure", {}, el("h3", {}, title), el("p", {class: "small faint"}, note), svg);
  function render() {
    const width = Math.max(280, svg.clientWidth || figure.clientWidth - 24 || 520);
    svg.setAttribute("viewBox", `0 0 ${width} ${row * items.length + 8}`);
    svg.replaceChildren(...items.flatMap(([name, value], number) => [
      draw("text", {x: left - 8, y: row * number + 19, "text-anchor": "end"}, name),
      draw("rect", {x: left, y: row * number + 6, height: row - 9, rx: 3, fill: "var(--c0)",
        width: Math.max(1, (width - left - 70) * value / most)}, draw("title", {}, `${name}: ${text(value)}`)),
      draw("text", {x: left + Math.max(1, (width - left - 70) * value / most) + 6, y: row * number + 19}, text(value)),
    ]));
  }
  let last = 0;
  new ResizeObserver(() => {
    if (Math.abs(figure.clientWidth - last) < 2) return;
    last = figure.clientWidth;
    render();
  }).observe(figure);
  render();
  return figure;
}
const tenths = [0, .2, .4, .6, .8, 1];
const share = (label, extra) => ({label, min: 0, max: 1, ticks: tenths, text: (v) => percent(v, 0), ...extra});
const errorAxis = (label) => ({label, min: .03, max: 180, log: true, ticks: [.1, 1, 5, 15, 60, 180], text: (v) => figures(v) + "°"});
