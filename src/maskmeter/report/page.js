"use strict";
(() => {
const root = document.documentElement;
root.classList.add("js");

// Dark or light: as the system has it until the reader chooses.
const remembered = () => { try { return localStorage.getItem("maskmeter-theme"); } catch { return null; } };
const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const chosen = remembered();
if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
document.querySelector(".theme").addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  try { localStorage.setItem("maskmeter-theme", root.dataset.theme); } catch { /* a page from disk may not store */ }
});

// Where the reader is.
const links = new Map([...document.querySelectorAll("nav li a")].map(a => [a.hash.slice(1), a]));
const mark = link => {
  for (const a of links.values()) a.removeAttribute("aria-current");
  const list = link.closest("ul");
  link.setAttribute("aria-current", "true");
  list.scrollLeft = link.offsetLeft - list.offsetLeft - 40;
};
const opening = [...links.values()][0], atTop = () => opening && scrollY < 60;
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) mark(atTop() ? opening : links.get(entry.target.id));
}, { rootMargin: "-20% 0px -75% 0px" });
addEventListener("scroll", () => { if (atTop()) mark(opening); }, { passive: true });
for (const section of document.querySelectorAll("main > section")) seen.observe(section);

// A link to a definition opens it; paper shows all of them.
const openTarget = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", openTarget);
openTarget();
let shut = [];
addEventListener("beforeprint", () => { shut = [...document.querySelectorAll("details:not([open])")]; for (const d of shut) d.open = true; });
addEventListener("afterprint", () => { for (const d of shut) d.open = false; });

// Tables that sort by a click on a heading; what has no value stays at the end.
const value = cell => {
  const text = cell.textContent.trim();
  if (text === "–") return null;
  const number = Number(text.replace(/,/g, "").replace("−", "-").replace("∞", "Infinity").replace(/^<|\s*%$/g, ""));
  return cell.classList.contains("num") && !Number.isNaN(number) ? number : text;
};
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.hasAttribute("data-plain")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const up = before ? before === "descending" : !head.classList.contains("num");
      for (const h of heads) h.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map(row => [value(row.cells[column]), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : up ? compare(a, b) : compare(b, a)));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// The matrix: shares or pixels, and the cell under the pointer in words.
const matrix = document.querySelector(".matrix:not(.objects)");
if (matrix) {
  const readout = document.querySelector(".readout");
  const cells = [...matrix.querySelectorAll("td")];
  const kept = cells.map(td => [td.textContent, td.className]);
  const most = Math.log1p(Math.max(...cells.map(td => +td.dataset.n)));
  const short = n => n < 10000 ? String(n) : n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + "k" : n < 1e9 ? (n / 1e6).toFixed(n < 1e8 ? 1 : 0) + "M" : (n / 1e9).toFixed(1) + "G";
  const buttons = document.querySelectorAll("button[data-cells]");
  for (const button of buttons) button.addEventListener("click", () => {
    const pixels = button.dataset.cells === "pixels";
    for (const b of buttons) b.setAttribute("aria-pressed", String(b === button));
    matrix.dataset.cells = button.dataset.cells;
    cells.forEach((td, i) => {
      const n = +td.dataset.n;
      td.textContent = pixels ? short(n) : kept[i][0];
      td.className = pixels ? kept[i][1][0] + (n ? Math.max(1, Math.round(Math.log1p(n) / most * 10)) : 0) : kept[i][1];
    });
  });
  const named = th => th.title || th.textContent;
  const titles = [...matrix.tHead.rows[0].cells].map(named);
  const say = event => {
    const td = event.target.closest("td");
    matrix.querySelector(".at")?.classList.remove("at");
    if (!td) return;
    td.classList.add("at");
    const row = td.parentElement, n = +td.dataset.n;
    const whole = [...row.cells].slice(1).reduce((sum, cell) => sum + +cell.dataset.n, 0);
    const truth = named(row.cells[0]), taken = titles[td.cellIndex];
    const what = td.className[0] === "d" ? `${truth} found as ${taken}` : `${truth} taken for ${taken}`;
    readout.textContent = `${what}: ${n.toLocaleString("en")} px` + (whole ? `, ${(100 * n / whole).toPrecision(3)} % of ${truth}` : "");
    td.title = readout.textContent;
  };
  matrix.addEventListener("pointerover", say);
  matrix.addEventListener("click", say);
}
})();
