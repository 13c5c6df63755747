"""Cut-outs of detections: one that is wrong, or an object that was missed, with what surrounds it, by fate.

Objects of the ground truth are filled, detections are outlined, each in the colour of its fate; that which is looked at
has the thicker line. The files are read again, and must be those that were counted. Where boxes were judged, boxes are
drawn.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detecting import reopen
from ..errors import DataError, UsageError
from ..judging import Data
from ..labels import Color
from ..metrics.operating import chosen_score
from ..statistics.encounters import KINDS, MISSED, Encounters
from . import pictures
from .findings import Findings
from .object_pictures import FILL, outline
from .photographs import NoPhotograph, photograph
from .pictures import BLANK, FN, FP, TP, Unavailable

AT = 0.5  # the IoU at which detections are judged
SIDE, WIDE = 200, 360  # pixels of a cut-out, and of a whole image
MOST = 80  # detections that are drawn into one

# Okabe and Ito's colours, as those of pixels and objects: right is blue, missed is yellow, invented is orange.
FATES: dict[str, Color] = {
    "right": TP,
    "missed": FN,
    "classification": (204, 121, 167),
    "localisation": (0, 158, 115),
    "duplicate": (86, 180, 233),
    "background": FP,
    "both": (148, 103, 60),
    "not counted": (170, 170, 170),
}
_NAMES = list(FATES)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Subject(NamedTuple):
    """A detection or an object of the ground truth ("gt"), by its place in `Encounters`."""

    side: str
    at: int


class Cutout(NamedTuple):
    """The pictures of a subject: width and height, the photograph behind it, and what is drawn over it."""

    size: tuple[int, int]
    photo: str | None
    overlay: str


class Window(NamedTuple):
    """The part of an image that is shown."""

    rows: slice
    columns: slice
    shape: tuple[int, int]  # of the whole image


class Cutouts:
    """What can be drawn of an evaluation's detections; nothing, where its files are not there or not the same."""

    def __init__(self, found: Findings) -> None:
        e = found.evaluation
        self.photographs = e.photographs
        self.met: Encounters = e.statistic(Encounters.name)
        self.names = list(e.records.names())
        self.boxes = e.facts.on == "box"
        try:
            self._data: Data | None = reopen(e.records[self.names[0]], e.facts)
            self.problem = ""
        except (DataError, UsageError) as error:
            self._data, self.problem = None, str(error)
        self.least = chosen_score(e.statistic("detections"), "best")

    @cached_property
    def fates(self) -> tuple[Ints, Ints]:
        """The fate of every detection and object, by place in `FATES`."""
        m, err = self.met.matches(AT), self.met.errors(AT)
        place = np.array([_NAMES.index(k) for k in KINDS], np.int64)
        det = np.where(err.kind >= 0, place[err.kind], _NAMES.index("not counted"))
        det[m.right] = _NAMES.index("right")
        gt = np.where(m.taken, _NAMES.index("right"), _NAMES.index(KINDS[MISSED]))
        gt[self.met.gt_ignored] = _NAMES.index("not counted")
        return gt, det

    @cached_property
    def areas(self) -> NDArray[np.float64] | None:
        """The area of every object in pixels, as its shape has it; None without files."""
        if self._data is None:
            return None
        box, size, _ = self._data.shapes(self._data.annotations, self._records("gt"))
        return box[:, 2] * box[:, 3] if size is None else size

    def cutout(self, subject: Subject, about: int = -1) -> Cutout | None:
        """The pictures of a subject and of the object that it is about; None where nothing can be drawn."""
        if self._data is None:
            return None
        image = int((self.met.gt_image if subject.side == "gt" else self.met.det_image)[subject.at])
        window = self._window(subject, about, image)
        try:
            return self._drawn(subject, image, window)
        except (DataError, Unavailable):
            return None

    def whole(self, name: str, least: float) -> Cutout | None:
        """The pictures of an image with its objects and the detections of at least a score; None where not drawable."""
        if self._data is None or name not in self._data.place:
            return None
        image, images, number = self.names.index(name), self._data.annotations.images, self._data.place[name]
        shape = int(images.height[number]), int(images.width[number])
        if min(shape) <= 0:
            return None
        window = Window(slice(0, shape[0]), slice(0, shape[1]), shape)
        try:
            layers = self._around(image, window, least)
            size, overlay = _painted(layers or [(np.zeros(shape, bool), 0, True)], WIDE, meant=False)
            return Cutout(size, self._photo(image, window, WIDE), overlay)
        except (DataError, Unavailable):
            return None

    def _drawn(self, subject: Subject, image: int, window: Window) -> Cutout:
        layers = self._around(image, window, self._from(subject), subject)
        fate = int(self.fates[subject.side != "gt"][subject.at])
        own = self._shapes(subject.side, np.array([subject.at]), window)
        size, overlay = _painted([*layers, *((x, fate, subject.side == "gt") for _, x in own)])
        return Cutout(size, self._photo(image, window), overlay)

    def _around(
        self, image: int, window: Window, least: float, but: Subject | None = None
    ) -> list[tuple[Bools, int, bool]]:
        """Shapes in the window with their fates, objects before detections of at least a score; `but` is left out."""
        met, layers = self.met, list[tuple[Bools, int, bool]]()
        dets = np.flatnonzero((met.det_image == image) & (met.det_score >= least))
        dets = dets[np.argsort(-met.det_score[dets], kind="stable")[:MOST]]
        sides = (("gt", np.flatnonzero(met.gt_image == image), self.fates[0]), ("pred", dets, self.fates[1]))
        for side, at, fates in sides:
            near = at[self._meets(side, at, window)]
            near = near if but is None or but.side != side else near[near != but.at]
            layers += [(x, int(fates[i]), side == "gt") for i, x in self._shapes(side, near, window)]
        return layers

    def _photo(self, image: int, window: Window, side: int = SIDE) -> str | None:
        try:
            pixels = photograph(self.photographs, self.names[image], window.shape)
        except NoPhotograph:
            return None
        return pictures.photo(_part(pixels, window), (side, side))

    def _from(self, subject: Subject) -> float:
        """The score down to which detections are drawn: that of the greatest F1, or the subject's if lower."""
        own = self.met.det_score[subject.at] if subject.side == "pred" else np.inf
        return float(min(own, np.inf if np.isnan(self.least) else self.least))

    # Shapes

    def _records(self, side: str) -> Ints:
        """The rows of the file's columns that the objects of a side are in."""
        assert self._data is not None
        known = (self._data.annotations if side == "gt" else self._data.results).row
        order = np.argsort(known, kind="stable")
        wanted = self.met.gt_row if side == "gt" else self.met.det_row
        return order[np.searchsorted(known, wanted, sorter=order)]

    @cached_property
    def _rows(self) -> dict[str, Ints]:
        return {side: self._records(side) for side in ("gt", "pred")}

    def _corners(self, side: str, at: Ints) -> NDArray[np.float64]:
        """(N, 4) left, top, right, bottom."""
        assert self._data is not None
        x = self._data.annotations if side == "gt" else self._data.results
        box = self._data.shapes(x, self._rows[side][at])[0]
        return np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)

    def _meets(self, side: str, at: Ints, window: Window) -> Bools:
        x0, y0, x1, y1 = self._corners(side, at).T
        r, c = window.rows, window.columns
        return (x1 > c.start) & (x0 < c.stop) & (y1 > r.start) & (y0 < r.stop)

    def _window(self, subject: Subject, about: int, image: int) -> Window:
        """The subject and what it is about, with half as much again around them."""
        assert self._data is not None
        images, number = self._data.annotations.images, self._data.place[self.names[image]]
        corners = [self._corners(subject.side, np.array([subject.at]))]
        corners += [self._corners("gt", np.array([about]))] if about >= 0 else []
        every = np.concatenate(corners)
        (x0, y0), (x1, y1) = every[:, :2].min(axis=0), every[:, 2:].max(axis=0)
        height, width = int(images.height[number]), int(images.width[number])
        if height <= 0 or width <= 0:  # boxes need no size of the image
            height, width = max(1, int(np.ceil(y1))) + 10, max(1, int(np.ceil(x1))) + 10
        half = int(max(x1 - x0, y1 - y0) * 0.75) + 10
        return Window(_stretch(y0, y1, half, height), _stretch(x0, x1, half, width), (height, width))

    def _shapes(self, side: str, at: Ints, window: Window) -> list[tuple[int, Bools]]:
        """The shapes of objects within the window."""
        assert self._data is not None
        r, c = window.rows, window.columns
        if self.boxes:
            out: list[tuple[int, Bools]] = []
            for i, corners in zip(at.tolist(), np.rint(self._corners(side, at)).astype(np.int64).tolist(), strict=True):
                x0, y0, x1, y1 = corners
                shape = np.zeros((r.stop - r.start, c.stop - c.start), bool)
                shape[max(0, y0 - r.start) : max(0, y1 - r.start), max(0, x0 - c.start) : max(0, x1 - c.start)] = True
                out.append((i, shape))
            return out
        x = self._data.annotations if side == "gt" else self._data.results
        masks = x.segmentation.masks(self._rows[side][at])
        return [(i, masks.to_array(k)[r, c]) for k, i in enumerate(at.tolist())]


def _stretch(low: float, high: float, half: int, size: int) -> slice:
    """A stretch around the middle of two ends, as long as fits."""
    first = max(0, min(int(low + high) // 2 - half, size - 2 * half))
    return slice(first, max(first + 1, min(size, first + 2 * half)))


def _part(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """The window of a photograph, which may be of another size than the image it stands for."""
    high, wide = pixels.shape[0] / window.shape[0], pixels.shape[1] / window.shape[1]
    r, c = window.rows, window.columns
    return pixels[int(r.start * high) : round(r.stop * high), int(c.start * wide) : round(c.stop * wide)]


def _painted(
    layers: list[tuple[Bools, int, bool]], side: int = SIDE, meant: bool = True
) -> tuple[tuple[int, int], str]:
    """The picture, from the ground up: what is filled, then lines: the last is the thicker one where it is meant."""
    fitted = [(_fitted(mask, side), fate, filled) for mask, fate, filled in layers]
    k = len(FATES) + 1
    height, width = len(fitted[0][0]), len(fitted[0][0].T)
    pixels = np.zeros((height, width), np.int64)
    for mask, fate, filled in fitted:
        if filled:
            pixels[mask] = 1 + fate
    for n, (mask, fate, filled) in enumerate(fitted):
        last = meant and n == len(fitted) - 1
        if last or not filled:
            edge = outline(mask) & mask
            pixels[_thicker(edge) if last or not meant else edge] = k + 1 + fate
    colors = [BLANK, *FATES.values()]
    overlay = pictures.png(pixels, [*colors, *colors], [0, *[FILL] * (k - 1), *[255] * k])

    return (width, height), overlay


def _fitted(mask: Bools, side: int) -> Bools:
    """As large as a picture is: every n-th pixel of many, each of few several times."""
    times = max(1, side // max(mask.shape))
    step = max(1, -(-max(mask.shape) // (2 * side)))
    return mask[::step, ::step].repeat(times, 0).repeat(times, 1)


def _thicker(edge: Bools) -> Bools:
    out = edge.copy()
    out[1:] |= edge[:-1]
    out[:-1] |= edge[1:]
    out[:, 1:] |= edge[:, :-1]
    out[:, :-1] |= edge[:, 1:]
    return out
