// What the gallery paints itself: errors from the pixels of the pictures that are there.
const paint = (() => {
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
  const found = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  read.set(image, found);
  return found;
};
const VOID = ["#5a5a5a", "#969696"].map(number);
// What a pixel is, from the two pictures of its image: there and found, found only, there only.
return async (pic, there, found, title) => {
  const gtImage = pic.querySelector(".gt"), predImage = pic.querySelector(".pred");
  await Promise.all([gtImage.decode(), predImage.decode()]);
  const gt = pixels(gtImage), pred = pixels(predImage);
  const [TP, FP, FN] = ["tp", "fp", "fn"].map(key => number(gallery.dataset[key]));
  let canvas = pic.querySelector("canvas");
  if (!canvas) {
    canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    pic.append(canvas);
  }
  if (canvas.width !== gtImage.naturalWidth || canvas.height !== gtImage.naturalHeight) {
    canvas.width = gtImage.naturalWidth;
    canvas.height = gtImage.naturalHeight;
  }
  const out = new ImageData(canvas.width, canvas.height), words = new Uint32Array(out.data.buffer);
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
})();
