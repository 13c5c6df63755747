// The threshold: one slider, wherever it is moved, counts everything again.
(() => {
const source = document.getElementById("threshold-data");
if (!source) return;
const data = JSON.parse(source.textContent), { stops, tp, fp, positives, negatives } = data;
const sliders = [...document.querySelectorAll("input.moves")];
const gallery = document.querySelector(".gallery.by-score");
const ratio = (a, b) => b ? a / b : NaN;
const shown = (x, digits) => Number.isNaN(x) ? "–" : x.toFixed(digits);
const count = n => n.toLocaleString("en");
const place = (id, x, y) => {
  for (const mark of document.querySelectorAll(`[data-at=${id}]`)) {
    if (mark.tagName === "line") { mark.setAttribute("x1", `${x}%`); mark.setAttribute("x2", `${x}%`); }
    else if (!Number.isNaN(x + y)) { mark.setAttribute("cx", `${x}%`); mark.setAttribute("cy", `${100 - y}%`); }
  }
};

// The cards: the value of each image, exactly, and its errors as they look.
const counts = new Map();
for (const card of gallery?.querySelectorAll(".card[data-counts]") ?? []) counts.set(card, JSON.parse(card.dataset.counts));
const told = (card, at) => {
  const own = counts.get(card), missed = own.positives - own.tp[at], extra = own.fp[at];
  card.querySelector(".value").textContent = shown(ratio(own.tp[at], own.positives + extra), 3);
  card.querySelector(".first").textContent = own.positives ? `missed ${count(missed)} of ${count(own.positives)} px, ${count(extra)} px too many` : `nothing is there, ${count(extra)} px too many`;
};
const draw = (pic, at) => paint(pic, gallery.dataset.foreground, p => (p & 255) >= at, `from a score of ${stops[at].toFixed(3)}`);
let now = data.used, waiting = false, painted = data.used;
const repaint = () => {
  waiting = false;
  painted = now;
  const panels = [...gallery.querySelectorAll(".panel:not([hidden])")];
  for (const pic of panels.flatMap(p => [...p.querySelectorAll(".pic")])) draw(pic, now);
  const large = gallery.querySelector("dialog[open] .pic");
  if (large) draw(large, now);
};
const later = () => {
  if (!gallery || waiting) return;
  waiting = true;
  requestAnimationFrame(repaint);
};

const move = at => {
  now = Math.min(stops.length - 1, Math.max(0, at));
  const hit = tp[now], extra = fp[now], missed = positives - hit, rest = negatives - extra;
  const values = {
    iou: ratio(hit, hit + extra + missed), dice: ratio(2 * hit, 2 * hit + extra + missed), precision: ratio(hit, hit + extra),
    recall: ratio(hit, positives), accuracy: ratio(hit + rest, positives + negatives),
  };
  for (const [name, n] of Object.entries({ tp: hit, fp: extra, fn: missed, tn: rest })) document.querySelector(`[data-now=${name}]`).textContent = count(n);
  for (const [name, x] of Object.entries(values)) document.querySelector(`[data-now=${name}]`).textContent = shown(x, 4);
  for (const output of document.querySelectorAll("output.stop")) output.textContent = stops[now].toFixed(3);
  for (const slider of sliders) {
    slider.value = now;
    slider.setAttribute("aria-valuetext", stops[now].toFixed(3));
  }
  place("threshold", 100 * stops[now], 0);
  place("roc", 100 * ratio(extra, negatives), 100 * values.recall);
  place("pr", 100 * values.recall, 100 * values.precision);
  for (const key of document.querySelectorAll("[data-key]")) key.textContent = `score ≥ ${+stops[now].toFixed(3)}`;
  for (const card of counts.keys()) told(card, now);
  if (now !== painted || gallery?.querySelector("canvas")) later();
};
for (const slider of sliders) slider.addEventListener("input", () => move(+slider.value));
for (const button of document.querySelectorAll("button[data-stop]")) button.addEventListener("click", () => move(+button.dataset.stop));
gallery?.addEventListener("enlarged", event => { if (now !== data.used || gallery.querySelector(".card canvas")) draw(event.detail, now); });
for (const tab of gallery?.querySelectorAll("[role=tab]") ?? []) tab.addEventListener("click", () => { if (gallery.querySelector("canvas")) later(); });
move(now);
})();
