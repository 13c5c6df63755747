(() => {
const gallery = document.querySelector(".gallery");
if (!gallery) return;
const tabs = [...gallery.querySelectorAll("[role=tab]")];
const panels = [...gallery.querySelectorAll(".panel")];
const dialog = gallery.querySelector("dialog"), stage = dialog.querySelector(".stage");
const opens = () => [...(panels.find(p => !p.hidden) || panels[0]).querySelectorAll(".open")];
let at = 0;

// Which images.
const pick = tab => {
  for (const t of tabs) {
    const on = t === tab;
    t.setAttribute("aria-selected", String(on));
    t.tabIndex = on ? 0 : -1;
    document.getElementById(t.getAttribute("aria-controls")).hidden = !on;
  }
};
for (const tab of tabs) tab.addEventListener("click", () => pick(tab));
if (tabs.length) pick(tabs[0]);

// What to show of them.
const show = view => {
  const buttons = [...gallery.querySelectorAll("[data-show]")];
  if (!buttons.some(b => b.dataset.show === view)) return;
  for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.show === view));
  gallery.dataset.view = view;
};
gallery.addEventListener("click", event => {
  const button = event.target.closest("[data-show]");
  if (button) show(button.dataset.show);
});
gallery.querySelector(".strength")?.addEventListener("input", event => gallery.style.setProperty("--strength", event.target.value / 100));

// Errors of one class, from the colours of the two label pictures.
const select = gallery.querySelector(".of-class");
const drawClass = pic => {
  const wanted = parseInt(select.value.slice(1), 16), title = select.selectedOptions[0].textContent;
  return paint(pic, select.value, p => ((p & 255) << 16 | p & 0xff00 | p >> 16 & 255) === wanted, `of ${title}`);
};
const recolour = () => {
  if (!select) return;
  gallery.dataset.mode = select.value ? "one" : "all";
  if (!select.value) return;
  for (const pic of gallery.querySelectorAll(".pic")) drawClass(pic);
};
select?.addEventListener("change", () => { recolour(); show("errors"); });

// One image large.
const controls = gallery.querySelector(".views").cloneNode(true);
controls.setAttribute("aria-label", "What to show of this image");
const enlarge = i => {
  const list = opens();
  if (!list.length) return;
  at = (i + list.length) % list.length;
  const card = list[at].closest(".card");
  const bar = document.createElement("div");
  bar.className = "controls";
  bar.append(controls);
  const pic = list[at].querySelector(".pic").cloneNode(true);
  pic.querySelector("canvas")?.remove();
  stage.replaceChildren(bar, pic, card.querySelector("figcaption").cloneNode(true));
  const image = pic.querySelector(".gt");
  pic.style.maxWidth = `calc(74vh * ${image.getAttribute("width")} / ${image.getAttribute("height")})`;
  dialog.querySelector(".where").textContent = `${at + 1} of ${list.length}`;
  show(gallery.dataset.view);
  if (select?.value) drawClass(pic);
  gallery.dispatchEvent(new CustomEvent("enlarged", { detail: pic }));
  if (!dialog.open) dialog.showModal();
};
gallery.addEventListener("click", event => {
  const open = event.target.closest(".card .open");
  if (open) enlarge(opens().indexOf(open));
  else if (event.target.dataset.step) enlarge(at + +event.target.dataset.step);
  else if ("close" in event.target.dataset || event.target === dialog) dialog.close();
});
dialog.addEventListener("close", () => opens()[at]?.focus());

// The keyboard: single keys only where they can mean nothing else.
const step = by => {
  if (dialog.open) return enlarge(at + by);
  const list = opens(), now = list.indexOf(document.activeElement);
  at = now < 0 ? 0 : Math.min(list.length - 1, Math.max(0, now + by));
  list[at]?.focus();
};
const inView = () => { const box = gallery.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; };
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const inside = gallery.contains(document.activeElement);
  if (!inside && !(document.activeElement === document.body && inView())) return;
  const forward = { j: 1, k: -1 }[event.key] || (inside && { ArrowRight: 1, ArrowLeft: -1 }[event.key]);
  const tab = tabs.indexOf(document.activeElement);
  if (tab >= 0 && event.key.startsWith("Arrow")) {
    const next = tabs[(tab + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    pick(next);
    next.focus();
  } else if (forward) step(forward);
  else if ("1234".includes(event.key) && event.key) show(["photo", "gt", "pred", "errors"][event.key - 1]);
  else return;
  event.preventDefault();
});
})();
