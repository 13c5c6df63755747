// The objects in a cell of the matrix of detections.
(() => {
const held = document.getElementById("detection-cells");
if (!held) return;
const data = JSON.parse(held.textContent), section = held.closest("section");
const table = section.querySelector(".matrix"), place = section.querySelector(".in-cell");
const named = th => th.title || th.textContent;
const rows = [...table.tBodies[0].rows].map(row => named(row.cells[0]));
const columns = [...table.tHead.rows[0].cells].slice(1).map(named);
const made = (tag, text, name) => {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (name) e.className = name;
  return e;
};
const image = (source, name) => Object.assign(made("img", undefined, name), { src: source, alt: "" });
const shown = ([at, where, said, width, height, overlay, photo]) => {
  const item = made("li");
  if (overlay) {
    const pic = made("span", undefined, photo ? "pic" : "pic bare");
    pic.style.aspectRatio = `${width}/${height}`;
    if (photo) pic.append(image(photo, "photo"));
    pic.append(image(overlay, "fates"));
    item.append(pic);
  }
  const name = made("span", `${data.names[at]}, ${where}`, "name muted");
  item.append(made("span", said, "what"), name);
  return item;
};
const open = (key, focus) => {
  const cell = table.querySelector(`td[data-cell="${key}"]`);
  if (!cell) return;
  const [i, j] = key.split(",").map(Number), objects = data.cells[key];
  table.querySelector(".at")?.classList.remove("at");
  cell.classList.add("at");
  const what = j === columns.length - 1 ? `${rows[i]}: ${columns[j]}` : i === rows.length - 1 ? `${columns[j]}: ${rows[i]}`
    : i === j ? `${rows[i]}, right` : `${rows[i]} taken for ${columns[j]}`;
  const title = made("h4", what), n = cell.dataset.n;
  title.append(made("span", ` ${n}${objects.length < n ? `; ${objects.length} of them` : ""}`, "muted"));
  const list = made("ul", undefined, "cutouts");
  list.append(...objects.map(shown));
  place.replaceChildren(title, list);
  if (focus) { place.focus({ preventScroll: true }); place.scrollIntoView({ block: "nearest" }); }
};
const cells = [...section.querySelectorAll("[data-cell]")];
for (const cell of cells) {
  const button = made("button"), inside = cell.tagName === "TD" ? cell : cell.querySelector(".what");
  button.type = "button";
  button.append(...inside.childNodes);
  inside.append(button);
  if (inside === cell) cell.title = `${rows[cell.parentElement.sectionRowIndex]} / ${columns[cell.cellIndex - 1]}: ${cell.dataset.n}`;
  cell.addEventListener("click", () => open(cell.dataset.cell, inside !== cell));
}
})();
