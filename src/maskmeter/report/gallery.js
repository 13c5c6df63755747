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
  if (select) gallery.dataset.mode = select.value ? "one" : "all";
  gallery.toggleAttribute("data-sifted", hidden.size > 0);
  for (const pic of gallery.querySelectorAll(".pic")) {
    if (select?.value) drawClass(pic);
    else {
      if (select) forget(pic);
      repaint(pic);
    }
  }
};
select?.addEventListener("change", () => { recolour(); show("errors"); });

// The legend of the errors switches each kind off and on.
for (const item of gallery.querySelectorAll("li[data-colour]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.ariaPressed = "true";
  button.title = "Show or hide";
  button.append(...item.childNodes);
  item.append(button);
  button.addEventListener("click", () => {
    const colour = item.dataset.colour, on = hidden.has(colour);
    if (on) hidden.delete(colour); else hidden.add(colour);
    for (const same of gallery.querySelectorAll(`li[data-colour="${colour}"] button`)) same.ariaPressed = String(on);
    recolour();
  });
}
gallery.addEventListener("filled", () => { if (select?.value || hidden.size) recolour(); });

// One image large.
const controls = gallery.querySelector(".views").cloneNode(true);
controls.setAttribute("aria-label", "What to show of this image");
const beside = document.createElement("label"), choice = document.createElement("select"), slider = document.createElement("input");
choice.append(new Option("nothing", ""), ...[...controls.querySelectorAll("[data-show]")].map(b => new Option(b.textContent, b.dataset.show)));
Object.assign(slider, { type: "range", min: 0, max: 100, value: 50, step: 0.5, ariaLabel: "How much of the left one" });
slider.className = "cut";
beside.append("Beside it ", choice);
// Two views of one image, the second from the slider on.
const halve = pic => {
  pic.querySelector(".half")?.remove();
  slider.hidden = !choice.value;
  if (!choice.value) return;
  const half = document.createElement("span");
  half.className = "half";
  for (const image of pic.querySelectorAll("img")) {
    const wanted = image.classList.contains(choice.value) || image.classList.contains("photo");
    if (!wanted) continue;
    const copy = image.cloneNode();
    copy.style.setProperty("display", "block", "important");
    half.append(copy);
  }
  pic.append(half);
  pic.style.setProperty("--cut", `${slider.value}%`);
};
const cut = at => {
  slider.value = at;
  stage.querySelector(".pic").style.setProperty("--cut", `${slider.value}%`);
};
choice.addEventListener("change", () => halve(stage.querySelector(".pic")));
slider.addEventListener("input", () => cut(slider.value));
stage.addEventListener("pointermove", event => {
  const pic = event.target.closest(".pic");
  if (!pic?.querySelector(".half") || !(event.buttons & 1)) return;
  const box = pic.getBoundingClientRect();
  cut(100 * (event.clientX - box.left) / box.width);
  event.preventDefault();
});
const enlarge = i => {
  const list = opens();
  if (!list.length) return;
  at = (i + list.length) % list.length;
  const card = list[at].closest(".card");
  const bar = document.createElement("div");
  bar.className = "controls";
  bar.append(controls, beside, slider);
  const pic = list[at].querySelector(".pic").cloneNode(true);
  pic.querySelector("canvas")?.remove();
  for (const image of pic.querySelectorAll("img")) image.draggable = false;
  stage.replaceChildren(bar, pic, card.querySelector("figcaption").cloneNode(true));
  const image = pic.querySelector(".gt");
  pic.style.maxWidth = `calc(74vh * ${image.getAttribute("width")} / ${image.getAttribute("height")})`;
  dialog.querySelector(".where").textContent = `${at + 1} of ${list.length}`;
  show(gallery.dataset.view);
  if (select?.value) drawClass(pic);
  else if (hidden.size) repaint(pic);
  halve(pic);
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
  else if ("123456".includes(event.key) && event.key) show(["photo", "gt", "pred", "errors", "other", "other_errors"][event.key - 1]);
  else return;
  event.preventDefault();
});
})();
