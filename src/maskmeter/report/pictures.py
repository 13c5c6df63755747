"""The pictures of one image: ground truth, prediction and errors as small files inside the page.

The label files are read again, large ones piece by piece where their format allows it, and must be the ones that were
counted. Labels are made smaller by taking every n-th pixel, both sides alike, so that each small pixel is a true pixel
and an error is an error. Of a volume one slice along the first axis is shown: the one with the most errors.

Every picture is a palette PNG. Colours of classes are all different, so that the page can tell classes
by them. Void is hatched in two greys.
"""

from __future__ import annotations

import io
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..class_maps import class_first, class_sources, greatest, open_class_scores
from ..errors import DataError
from ..facts import Facts
from ..formats import TooLarge, boxes, digest_of_file, located
from ..formats.label_maps import Opened, OpenedScores, open_pieces, open_prediction
from ..labels import Color
from ..masks import label_map
from ..records import Record
from ..reopening import Unavailable
from ..statistics.confusion import VOID
from ..statistics.score_maps import logistic

WIDEST, HIGHEST = 480, 640
CLEAR = 80  # the number of the clear colour, and so many others
LARGE = 1 << 24  # pixels, from which on an image is read piece by piece, in pieces of so many:
PIECE = 1 << 22
LEVEL = 6  # of zlib: 9 takes four times as long for a few percent
NONE = -1  # stands for "no class" among places of classes

# Okabe and Ito's colours; their lightness differs too, so that they stay apart in grey.
TP: Color = (0, 114, 178)
FP: Color = (213, 94, 0)
FN: Color = (240, 228, 66)
VOIDS: tuple[Color, Color] = ((90, 90, 90), (150, 150, 150))
BLANK: Color = (0, 0, 0)

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Maps:
    """The labels of both sides as they stand in the files; where `left_out`, pixels do not count."""

    gt: NDArray[Any]
    pred: NDArray[Any] | None  # None where the prediction is missing
    left_out: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Pair:
    """Ground truth and prediction as places of classes (NONE for none), small enough to show."""

    gt: Places
    pred: Places
    shape: tuple[int, int]  # before they were made smaller
    slice: tuple[int, int] | None  # which of how many, for a volume
    scores: NDArray[np.float64] | None = None  # of a score map, from 0 to 1


def reopen(record: Record, facts: Facts) -> Maps:
    """Read the image's files again. Raises Unavailable."""
    if record.gt is None:
        raise Unavailable("its labels came as arrays and were not kept")
    gt = _reopen(record.gt, record.digests[0], facts, "ground truth")
    pred = None if record.pred is None else _reopen(record.pred, record.digests[1], facts, "prediction")
    region = None if record.region is None else _reopen(record.region, None, Facts(spacing=facts.spacing), "mask")
    if gt.ndim < 2 or not gt.size:
        raise Unavailable(f"labels of shape {gt.shape} make no picture")
    if any(x is not None and x.shape != gt.shape for x in (pred, region)):
        raise Unavailable("its files have changed since they were counted")
    return Maps(gt, pred, None if region is None else region == 0)


def open_pair(record: Record, facts: Facts, classes: NDArray[np.int64], plane: int | None = None) -> Pair:
    """The image's classes; of a volume in one plane, by default that with the most errors. Raises Unavailable."""
    if (thin := _thinned(record, facts)) is not None:
        gt, found = places(thin.gt, facts, classes), thin.pred
        if thin.left_out is not None:
            gt[thin.left_out] = NONE
        if found is None:
            found = np.zeros(gt.shape, facts.scores) if facts.scores else np.full(gt.shape, VOID)
        pred = _reached(found, facts) if facts.scores else places(found, facts, classes)
        shape = (record.shape[0], record.shape[1])
        return Pair(gt, pred, shape, None, _unit(found) if facts.scores else None)
    maps = reopen(record, facts)
    gt, left_out = _planes(maps.gt), None if maps.left_out is None else _planes(maps.left_out)
    if maps.pred is not None:
        pred = _planes(maps.pred)
    else:  # no class anywhere; of a score map, the score 0
        pred = np.zeros(gt.shape, facts.scores) if facts.scores else np.full(gt.shape, VOID)
    shape, chosen = (gt.shape[1], gt.shape[2]), None

    def both(rows: Any, columns: Any) -> tuple[Places, Places]:
        truth = places(gt[:, rows, columns], facts, classes)
        if left_out is not None:
            truth[left_out[:, rows, columns]] = NONE
        part = pred[:, rows, columns]
        return truth, _reached(part, facts) if facts.scores else places(part, facts, classes)

    if maps.gt.ndim > 2:
        at = plane
        if at is None:
            step = slice(None, None, max(1, max(shape) // 128))
            truth, found = both(step, step)
            at = most_of(((truth != found) & (truth != NONE)).sum(axis=(1, 2)))
        chosen = (at, gt.shape[0])
        gt, pred, left_out = gt[at : at + 1], pred[at : at + 1], None if left_out is None else left_out[at : at + 1]
    rows, columns = _every_nth(*shape)
    truth, found = both(rows[:, None], columns)
    scores = _unit(pred[0, rows[:, None], columns]) if facts.scores else None
    return Pair(truth[0], found[0], shape, chosen, scores)


def _thinned(record: Record, facts: Facts) -> Maps | None:
    """The pixels of the picture of a large image, whose files are read piece by piece; None where they are read whole.

    Raises Unavailable.
    """
    if len(record.shape) != 2 or math.prod(record.shape) < LARGE or facts.class_axis is not None or record.gt is None:
        return None
    gt = _thin(record.gt, record.digests[0], facts, "ground truth", record.shape)
    if gt is None:
        return None
    pred = region = None
    if record.pred is not None:
        pred = _thin(record.pred, record.digests[1], facts, "prediction", record.shape)
    if record.region is not None:
        region = _thin(record.region, record.region_digest, Facts(), "mask", record.shape)
    if (record.pred and pred is None) or (record.region and region is None):
        return None
    return Maps(gt, pred, None if region is None else region == 0)


def _thin(path: str, digest: str | None, facts: Facts, side: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """The pixels of the picture in one file; None where it cannot be read piece by piece. Raises Unavailable."""
    try:
        file = open_pieces(located(path), facts.labels)
        if file is None:
            return None
        if file.shape != shape or (digest is not None and digest_of_file(located(path)) != digest):
            raise Unavailable(f"its {side} has changed since it was counted")
        rows, columns = _every_nth(*shape)
        raw, thin = file.floats and bool(facts.scores) and side == "prediction", list[NDArray[Any]]()
        at = list[NDArray[np.int64]]()
        for box in boxes(shape, [file.pieces.chunk], PIECE):
            inside = [np.flatnonzero((x >= s.start) & (x < s.stop)) for x, s in zip((rows, columns), box, strict=True)]
            if all(x.size for x in inside):
                part = file.samples(box) if raw else file.part(box).array
                r, c = (x[i] - s.start for x, i, s in zip((rows, columns), inside, box, strict=True))
                thin.append(part[r[:, None], c].ravel())
                at.append((inside[0][:, None] * columns.size + inside[1]).ravel())
    except DataError as error:
        raise Unavailable(f"its {side} cannot be read any more: {error.message}") from None
    return np.concatenate(thin)[np.argsort(np.concatenate(at))].reshape(rows.size, columns.size)


def _planes(array: NDArray[Any]) -> NDArray[Any]:
    """The array as planes along one first axis."""
    return array.reshape(-1, *array.shape[-2:])


def _unit(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Scores from 0 to 1. Floats that are none must be the logits that were counted as such."""
    if scores.dtype.kind != "f":
        return scores / np.iinfo(scores.dtype).max if scores.dtype.kind == "u" else scores.astype(np.float64)
    if ((scores >= 0) & (scores <= 1)).all():
        return scores.astype(np.float64)
    return logistic(np.where(np.isfinite(scores), scores, 0), None).astype(np.float64)


def _reached(scores: NDArray[Any], facts: Facts) -> Places:
    """Where scores reach the threshold."""
    if scores.dtype.kind != "f":
        return (scores >= facts.least).astype(np.int64)
    return (_unit(scores) >= float(scores.dtype.type(facts.threshold))).astype(np.int64)


def _reopen(path: str, digest: str | None, facts: Facts, side: str) -> NDArray[Any]:
    try:
        if facts.class_axis is not None and side == "prediction":
            opened = open_class_scores(located(path), facts.class_files)
        else:
            opened = open_prediction(located(path), facts.labels, spacing=facts.spacing)
        if facts.class_axis is not None and side == "prediction":
            array = predicted_labels(opened, facts)
        elif isinstance(opened, OpenedScores):
            array = opened.scores if facts.scores and side == "prediction" else label_map(opened.scores).array
        else:
            array = opened.map.array
    except TooLarge:
        raise Unavailable(f"its {side} is too large for a picture") from None
    except DataError as error:
        raise Unavailable(f"its {side} cannot be read any more: {error.message}") from None
    if digest is not None and opened.digest != digest:
        raise Unavailable(f"its {side} has changed since it was counted")
    return array


def predicted_labels(opened: Opened | OpenedScores, facts: Facts) -> NDArray[Any]:
    """The class with the greatest score at each pixel, as files write it."""
    scores = class_first(opened, facts.class_axis or 0, None)
    return greatest(scores, class_sources(facts.labels, len(scores)))


def masks_of(record: Record, facts: Facts, class_: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Any]:
    """The masks of a class on both sides as metrics see them, and the pixels that count. Raises Unavailable."""
    maps = reopen(record, facts)

    def kinds(labels: NDArray[Any]) -> Places:
        values, at = distinct(labels)
        return facts.reading.class_of(values.astype(np.int64))[at].reshape(labels.shape)

    gt, pred, counted = (np.zeros(maps.gt.shape, bool) for _ in range(3))
    step = max(1, PIECE // 4 * len(gt) // gt.size)  # piece by piece: classes take eight bytes a pixel
    for part in (slice(at, at + step) for at in range(0, len(gt), step)):
        truth = kinds(maps.gt[part])
        gt[part], counted[part] = truth == class_, truth != VOID
        if maps.pred is not None and not facts.scores:
            pred[part] = kinds(maps.pred[part]) == class_
    if maps.pred is not None and facts.scores:  # all at once: whether they are logits shows in the whole
        pred = _reached(maps.pred, facts) == class_
    if maps.left_out is not None:
        counted &= ~maps.left_out
    return gt, pred, counted


def places(labels: NDArray[Any], facts: Facts, classes: NDArray[np.int64]) -> Places:
    """The place of each label among the classes, and NONE where it has none."""
    values, at = distinct(labels)
    kinds = facts.reading.class_of(values.astype(np.int64))
    found = np.searchsorted(classes, kinds).clip(max=max(0, classes.size - 1))
    known = classes[found] == kinds if classes.size else np.zeros(kinds.shape, bool)
    return np.where(known, found, NONE)[at].reshape(labels.shape)


def distinct(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different labels, and which of them is where; small ones by a table, since sorting pixels is slow."""
    if labels.dtype.kind not in "bu" or labels.dtype.itemsize > 2:
        values, at = np.unique(labels, return_inverse=True)
        return values, at
    flat = labels.ravel().astype(np.int64)
    values = np.flatnonzero(np.bincount(flat))
    table = np.zeros(int(values[-1]) + 1, np.int64)
    table[values] = np.arange(values.size)
    return values, table[flat]


def most_of(wrong: NDArray[Any]) -> int:
    """The slice with the most; of equals the one nearest to the middle."""
    ties = np.flatnonzero(wrong == wrong.max())
    return int(ties[np.abs(ties - (len(wrong) - 1) / 2).argmin()])


def thumbnail(labels: NDArray[Any]) -> NDArray[Any]:
    """Every n-th pixel of both axes, so that the result fits."""
    rows, columns = _every_nth(*labels.shape)
    return labels[rows[:, None], columns]


def _every_nth(rows: int, columns: int) -> tuple[Places, Places]:
    """Which rows and columns a picture that fits consists of."""
    scale = max(1.0, columns / WIDEST, rows / HIGHEST)
    r, c = (((np.arange(max(1, round(n / scale))) + 0.5) * scale).astype(int).clip(max=n - 1) for n in (rows, columns))
    return r, c


def by_class(at: Places, colors: list[Color], hatched: bool) -> str:
    """A picture of places in the colours of their classes; what has none is void and hatched, or black."""
    none = len(colors) + 1 + hatch(at.shape) if hatched else len(colors)
    return png(np.where(at == NONE, none, at), [*colors, BLANK, *VOIDS])


def errors(pair: Pair, positive: int | None) -> str:
    """A picture of what is wrong, on nothing. With a positive class also of what is right."""
    gt, pred = pair.gt, pair.pred
    pixels = np.zeros(gt.shape, np.int64)
    if positive is None:
        pixels[(gt != pred) & (pred != NONE)] = 2
        pixels[pred == NONE] = 3
    else:
        g, p = gt == positive, pred == positive
        pixels[g & p], pixels[~g & p], pixels[g & ~p] = 1, 2, 3
    pixels = np.where(gt == NONE, 4 + hatch(gt.shape), pixels)
    return png(pixels, [BLANK, TP, FP, FN, *VOIDS], [0, 255, 255, 255, 255, 255])


def photo(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> str:
    """A photograph as a small JPEG, `shape` rows and columns at most."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((shape[1], shape[0]), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=76, optimize=True)
    return _uri("jpeg", out.getvalue())


def hatch(shape: tuple[int, ...]) -> Places:
    """Diagonal stripes of 0 and 1, wider in larger pictures."""
    return (np.add.outer(np.arange(shape[0]), np.arange(shape[1])) // max(3, max(shape) // 60)) % 2


def grey(pixels: NDArray[np.uint8]) -> str:
    """A grey PNG whose samples the page can read back."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=LEVEL)
    return _uri("png", out.getvalue())


def png(pixels: Places, palette: Sequence[Color], alpha: Sequence[int] | None = None) -> str:
    """A palette PNG with the colours that occur, opaque or with their `alpha`; true colour where these are too many."""
    from PIL import Image

    used, at = distinct(pixels.astype(np.uint16))
    colors = np.array(palette, np.uint8)[used]
    out = io.BytesIO()
    if len(used) > 256:
        Image.fromarray(colors[at].reshape(*pixels.shape, 3)).save(out, "PNG", compress_level=LEVEL)
        return _uri("png", out.getvalue())
    image = Image.fromarray(at.reshape(pixels.shape).astype(np.uint8))
    image.putpalette(colors.tobytes())
    more = {} if alpha is None else {"transparency": bytes(alpha[u] for u in used.tolist())}
    image.save(out, "PNG", compress_level=LEVEL, **more)
    return _uri("png", out.getvalue())


def small_png(image: Any) -> str:
    """A picture of few colours with smooth edges, as a palette PNG; what is hardly opaque is clear."""
    few = image.convert("RGB").quantize(CLEAR, method=0, dither=0)
    at = np.asarray(few).copy()
    at[np.asarray(image)[..., 3] < 128] = CLEAR
    few.putdata(at.ravel().tolist())
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True, transparency=CLEAR)
    return _uri("png", out.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
