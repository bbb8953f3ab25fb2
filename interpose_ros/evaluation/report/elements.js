"use strict";
// Everything that comes from outside is set as text; nothing is ever parsed as HTML.
const content = JSON.parse(document.getElementById("content").textContent);

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) node.append(child instanceof Node ? child : String(child));
  }
  return node;
}
const el = (name, attributes, ...children) => put(document.createElement(name), attributes, children);
const draw = (name, attributes, ...children) =>
  put(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const known = (value) => value !== null && value !== undefined;
function figures(value, digits = 3) {
  if (!known(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3)) return value.toExponential(1);
  return String(Number(value.toPrecision(digits)));
}
const degrees = (value) => (known(value) ? figures(value) + "°" : "–");
const percent = (value, digits = 1) => (known(value) ? (100 * value).toFixed(digits) + " %" : "–");
const seconds = (value) => (known(value) ? figures(value) + " s" : "–");

// columns: [title, cell of a row, whether it is a number]
function plainTable(columns, rows) {
  return el("div", {class: "wide"}, el("table", {},
    el("thead", {}, el("tr", {}, columns.map(([title, , number]) => el("th", {class: number ? "number" : null, scope: "col"}, title)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map(([, cell, number]) =>
      el("td", {class: number ? "number" : null}, cell(row))))))));
}

const cards = (list) => el("div", {class: "cards"}, list.map((card) => el("div", {class: "card"},
  el("div", {class: "label"}, card.label),
  el("div", {class: "value"}, card.value),
  card.interval ? el("div", {class: "small"}, card.interval) : null,
  el("div", {class: "small faint"}, card.note))));
