// All images: found by name, class, fate and size, sorted, a page at a time.
(() => {
const source = document.getElementById("all-images");
if (!source) return;
const all = JSON.parse(source.textContent), gallery = document.querySelector(".gallery"), panel = document.getElementById("panel-all");
const cards = panel.querySelector(".cards"), where = panel.querySelector(".where"), reverse = panel.querySelector(".reverse");
const [name, ofClass, fate, size, metric] = ["by-name", "by-class", "by-fate", "by-size", "by-metric"].map(c => panel.querySelector("." + c));
const SIZE = 24, headline = Object.keys(all.metrics)[0];
// Columns that are mostly empty come by the image's place.
const whole = (column, nothing) => Array.isArray(column) ? column : all.names.map((_, i) => column[i] ?? nothing);
all.classes?.forEach(entry => { entry[1] = whole(entry[1], null); });
all.sizes = all.sizes?.map(column => whole(column, 0));
all.fate_sizes?.forEach(([, columns]) => { for (const f in columns) columns[f] = whole(columns[f], 0); });
// How many objects of an image are of the fate and the size that are asked for.
const such = at => {
  const columns = size?.value ? all.fate_sizes[size.value][1] : all.fates;
  return (fate.value ? [fate.value] : Object.keys(columns)).reduce((sum, f) => sum + columns[f][at], 0);
};
const held = new Map();
gallery.querySelectorAll(".panel:not(#panel-all) .card:has(.open)").forEach((card, i) => held.set(all.embedded[i], card));
let page = 0;

const make = (tag, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
};
const shown = n => n === null ? "\u2013" : (n / 1000).toFixed(3);
const picture = (at, files) => {
  const [width, height, ...parts] = files, pic = make("span", { className: "pic" + (parts[0] ? "" : " bare") });
  pic.style.aspectRatio = `${width}/${height}`;
  ["photo", "gt", "pred", "errors", "other", "other_errors"].forEach((part, i) => {
    if (parts[i]) pic.append(make("img", { className: part, width, height, loading: "lazy", src: `${encodeURIComponent(all.folder)}/${parts[i]}`, alt: part.replace("_", " of ") }));
  });
  return make("button", { type: "button", className: "open", ariaLabel: `Enlarge ${all.names[at]}` }, pic);
};
const told = at => {
  const said = [];
  if (ofClass?.value) said.push(`${ofClass.selectedOptions[0].textContent}: IoU ${shown(all.classes[ofClass.value][1][at])}`);
  else if (all.classes) {
    const known = all.classes.filter(([, v]) => v[at] !== null).sort((a, b) => a[1][at] - b[1][at])[0];
    if (known) said.push(`lowest class: ${known[0]}, IoU ${shown(known[1][at])}`);
  }
  if (all.fates) said.push(Object.entries(all.fates).filter(([, n]) => n[at]).map(([f, n]) => `${n[at]} ${f}`).join(", ") || "nothing missed or invented");
  if (all.metrics[metric.value] && metric.value !== headline) said.push(`${metric.value} ${shown(all.metrics[metric.value][at])}`);
  return said;
};
const card = at => {
  const known = held.get(at), files = all.pictures?.[at];
  if (known) {
    const copy = known.cloneNode(true);
    copy.querySelector("canvas")?.remove();
    if (ofClass?.value) copy.querySelector("figcaption ul").prepend(make("li", { textContent: told(at)[0] }));
    return copy;
  }
  const caption = make("figcaption", {}, make("strong", { className: "value", textContent: shown(all.metrics[headline][at]) }), " ", make("span", { className: "name", textContent: all.names[at] }));
  caption.append(make("ul", {}, ...told(at).map(text => make("li", { textContent: text }))));
  return make("figure", { className: "card" }, ...(files ? [picture(at, files)] : []), caption);
};

const values = () => ({
  class: () => all.classes[ofClass.value][1], size: () => all.sizes[ofClass.value], fate: () => all.names.map((_, i) => such(i)), name: () => all.names,
}[metric.value] ?? (() => all.metrics[metric.value]))();
const chosen = () => {
  const wanted = name.value.trim().toLowerCase(), by = values();
  const found = all.names.map((_, i) => i).filter(i =>
    (!wanted || all.names[i].toLowerCase().includes(wanted)) &&
    (!ofClass?.value || all.classes[ofClass.value][1][i] !== null) && (!(fate?.value || size?.value) || such(i) > 0));
  const most = ["size", "fate"].includes(metric.value) || all.lower.includes(metric.value), sign = most !== (reverse.ariaPressed === "true") ? -1 : 1;
  const order = (a, b) => typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  return found.sort((i, j) => (by[i] === null) - (by[j] === null) || sign * order(by[i], by[j]) || i - j);
};
const draw = () => {
  const found = chosen(), pages = Math.max(1, Math.ceil(found.length / SIZE));
  page = Math.min(Math.max(page, 0), pages - 1);
  const part = found.slice(page * SIZE, (page + 1) * SIZE);
  cards.replaceChildren(...part.map(card));
  where.textContent = found.length ? `${page * SIZE + 1}\u2013${page * SIZE + part.length} of ${found.length.toLocaleString("en")}` : "no image is like this";
  for (const button of panel.querySelectorAll("[data-page]")) button.disabled = +button.dataset.page < 0 ? !page : page === pages - 1;
  gallery.dispatchEvent(new CustomEvent("filled"));
};
const again = () => { page = 0; draw(); };
const allow = (option, on) => {
  const entry = metric.querySelector(`[value=${option}]`);
  if (!entry) return;
  entry.disabled = !on;
  if (!on && metric.value === option) metric.selectedIndex = 0;
};
ofClass?.addEventListener("change", () => {
  for (const option of ["class", "size"]) allow(option, ofClass.value);
  if (ofClass.value) metric.value = "class";
  again();
});
for (const list of [fate, size]) list?.addEventListener("change", () => {
  const asked = fate.value || size?.value;
  allow("fate", asked);
  if (asked) metric.value = "fate";
  again();
});
metric.addEventListener("change", again);
name.addEventListener("input", again);
reverse.addEventListener("click", () => { reverse.ariaPressed = String(reverse.ariaPressed !== "true"); again(); });
panel.addEventListener("click", event => {
  const by = event.target.closest("[data-page]")?.dataset.page;
  if (!by) return;
  page += +by;
  draw();
  panel.querySelector(".filters").scrollIntoView({ block: "nearest" });
});
document.getElementById("tab-all").addEventListener("click", draw, { once: true });
})();
