// What the gallery paints itself: errors from the pixels of the pictures that are there, without the kinds that are `hidden`.
const { paint, repaint, forget, hidden } = (() => {
const gallery = document.querySelector(".gallery");
const number = css => { const n = parseInt(css.slice(1), 16); return (0xff000000 | (n & 255) << 16 | n & 0xff00 | n >> 16) >>> 0; };
const read = new WeakMap();
const pixels = image => {
  if (read.has(image)) return read.get(image);
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  let found = null;  // a browser does not let a page read files that lie beside it
  try { found = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer); } catch { /* shown as it is */ }
  read.set(image, found);
  return found;
};
const VOID = ["#5a5a5a", "#969696"].map(number);
const hidden = new Set(), last = new WeakMap();
const canvasOf = (pic, image) => {
  let canvas = pic.querySelector("canvas");
  if (!canvas) {
    canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    pic.append(canvas);
  }
  if (canvas.width !== image.naturalWidth || canvas.height !== image.naturalHeight) {
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
  }
  return canvas;
};
// What a pixel is, from the two pictures of its image: there and found, found only, there only.
const paint = async (pic, there, found, title) => {
  last.set(pic, [there, found, title]);
  const gtImage = pic.querySelector(".gt"), predImage = pic.querySelector(".pred");
  await Promise.all([gtImage.decode(), predImage.decode()]);
  const gt = pixels(gtImage), pred = pixels(predImage);
  if (!gt || !pred) return;
  const [TP, FP, FN] = ["tp", "fp", "fn"].map(key => hidden.has(gallery.dataset[key]) ? 0 : number(gallery.dataset[key]));
  const canvas = canvasOf(pic, gtImage), out = new ImageData(canvas.width, canvas.height), words = new Uint32Array(out.data.buffer);
  const wanted = number(there);
  let tp = 0, fp = 0, fn = 0;
  for (let i = 0; i < gt.length; i++) {
    const g = gt[i] === wanted, p = found(pred[i]);
    if (gt[i] === VOID[0] || gt[i] === VOID[1]) words[i] = gt[i];
    else if (g && p) { words[i] = TP; tp++; }
    else if (p) { words[i] = FP; fp++; }
    else if (g) { words[i] = FN; fn++; }
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
  canvas.setAttribute("aria-label", `Errors ${title}, in pixels of this picture: ${tp} true positive, ${fp} false positive, ${fn} false negative`);
};
// The same again, or the picture of the errors without what is hidden.
const repaint = async pic => {
  const before = last.get(pic), image = pic.querySelector(".errors");
  if (before) return paint(pic, ...before);
  if (!hidden.size) return pic.querySelector("canvas")?.remove();
  await image.decode();
  const errors = pixels(image), without = new Set([...hidden].map(css => number(css) & 0xffffff));
  if (!errors) return;
  const canvas = canvasOf(pic, image), out = new ImageData(canvas.width, canvas.height);
  new Uint32Array(out.data.buffer).set(errors.map(p => without.has(p & 0xffffff) ? 0 : p));
  canvas.getContext("2d").putImageData(out, 0, 0);
  canvas.setAttribute("aria-label", "Errors, without those that are hidden");
};
return { paint, repaint, forget: pic => last.delete(pic), hidden };
})();
