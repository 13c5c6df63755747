from typing import Any

from numpy import float64, int32, int64, uint8, uint32, uint64
from numpy.typing import NDArray

def weighted_sums(weights: NDArray[float64], rows: NDArray[float64]) -> NDArray[float64]: ...
def lexsort(keys: list[NDArray[Any]]) -> NDArray[int64]: ...
def keep_freed_memory() -> None: ...

class CocoPart:
    def __init__(self, text: NDArray[uint8], begin: int, end: int, begins: bool) -> None: ...
    def add(self, block: NDArray[uint8]) -> bool: ...
    def append(self, next: CocoPart) -> None: ...
    def ended(self) -> bool: ...
    def columns(self) -> list[NDArray[Any]]: ...

def last_record(text: NDArray[uint8]) -> int: ...
def coco_records(
    text: NDArray[uint8],
) -> tuple[bool, tuple[int, int], tuple[int, int], list[NDArray[Any]], tuple[NDArray[int64], ...] | None] | None: ...
def joint_counts(
    a: NDArray[Any], b: NDArray[Any], mask: NDArray[uint8] | None = None, path: str | None = None
) -> NDArray[int64]: ...
def joint_runs(
    ends_a: NDArray[int64], labels_a: NDArray[int64], ends_b: NDArray[int64], labels_b: NDArray[int64]
) -> NDArray[int64]: ...
def joint_table(a: NDArray[Any], b: NDArray[Any], mask: NDArray[uint8] | None = None) -> tuple[NDArray[int64], ...]: ...
def joint_table_of_runs(
    ends_a: NDArray[int64], labels_a: NDArray[int64], ends_b: NDArray[int64], labels_b: NDArray[int64]
) -> tuple[NDArray[int64], ...]: ...
def object_order(
    gt: list[NDArray[int64]],
    pred: list[NDArray[int64]],
    score: NDArray[float64],
    pairs: list[NDArray[int64]],
    rounds: int,
) -> tuple[NDArray[int64], NDArray[int64], NDArray[int64], NDArray[int64], NDArray[int64]]: ...
def euler(mask: NDArray[uint8], diagonal: bool) -> int: ...
def thin(mask: NDArray[uint8]) -> NDArray[uint8]: ...
def paths() -> list[str]: ...
def png_id_runs(raw: NDArray[uint8], width: int, height: int) -> tuple[NDArray[int64], NDArray[int64]]: ...
def png_inflated_size(width: int, height: int, bits: int, channels: int, interlaced: bool) -> int: ...
def png_samples(
    raw: NDArray[uint8], width: int, height: int, bits: int, channels: int, interlaced: bool
) -> NDArray[Any]: ...
def score_counts(
    scores: NDArray[Any], positive: NDArray[uint8], mask: NDArray[uint8] | None, greatest: int
) -> tuple[tuple[NDArray[Any], NDArray[uint8], NDArray[int64]], int]: ...
def score_merge(
    keys_a: NDArray[Any],
    low_a: NDArray[uint8],
    high_a: NDArray[int64],
    keys_b: NDArray[Any],
    low_b: NDArray[uint8],
    high_b: NDArray[int64],
    level: int,
) -> tuple[NDArray[Any], NDArray[uint8], NDArray[int64]]: ...
def score_cells(keys: NDArray[Any]) -> list[int]: ...
def score_areas(keys: NDArray[Any], low: NDArray[uint8], high: NDArray[int64]) -> tuple[int, int, float]: ...
def components(labels: NDArray[Any], connectivity: int, background: int) -> NDArray[int32]: ...
def flood(
    step: NDArray[int32], object: NDArray[int32], steps: int, objects: int, connectivity: int, pairs: bool
) -> tuple[NDArray[int64], NDArray[int64]]: ...
def boxes_that_meet(
    detections: NDArray[int64],
    truths: NDArray[int64],
    a: NDArray[float64],
    b: NDArray[float64],
    crowd: NDArray[uint8],
    area_a: NDArray[float64] | None,
    area_b: NDArray[float64] | None,
    least: float,
) -> tuple[NDArray[int64], NDArray[int64], NDArray[float64]]: ...
def match_detections(
    detections: NDArray[int64],
    truths: NDArray[int64],
    pair_begin: NDArray[int64],
    pair_truth: NDArray[int64],
    pair_iou: NDArray[float64],
    area: NDArray[float64],
    truth_area: NDArray[float64],
    ignore: NDArray[uint8],
    crowd: NDArray[uint8],
    unmarked: NDArray[uint8],
    excused: NDArray[uint8],
    thresholds: NDArray[float64],
    ranges: NDArray[float64],
    partners: bool,
) -> tuple[NDArray[uint64], NDArray[uint64], NDArray[int64] | None, NDArray[int64] | None]: ...
def accumulate_detections(
    begin: NDArray[int64],
    score: NDArray[float64],
    rank: NDArray[int64],
    hits: NDArray[uint64],
    ignored: NDArray[uint64],
    recalls: NDArray[float64],
    steps: int,
    at_changes: bool,
    objects: NDArray[int64],
    cap: int,
) -> tuple[NDArray[float64], NDArray[float64], NDArray[float64]]: ...
def resampled_detections(
    begin: NDArray[int64],
    score: NDArray[float64],
    rank: NDArray[int64],
    hits: NDArray[uint64],
    ignored: NDArray[uint64],
    recalls: NDArray[float64],
    steps: int,
    at_changes: bool,
    weights: NDArray[float64],
    unit: NDArray[int64],
    objects: NDArray[float64],
    cap: int,
) -> tuple[NDArray[float64], NDArray[float64]]: ...

Packed = tuple[NDArray[uint32], NDArray[int64]]

def rle_from_strings(text: NDArray[uint8], spans: NDArray[int64], sizes: NDArray[int64]) -> Packed: ...
def rle_from_counts(counts: NDArray[int64], offsets: NDArray[int64], sizes: NDArray[int64]) -> Packed: ...
def rle_from_polygons(
    xy: NDArray[float64], corners: NDArray[int64], groups: NDArray[int64], sizes: NDArray[int64]
) -> Packed: ...
def rle_to_strings(counts: NDArray[uint32], offsets: NDArray[int64]) -> tuple[bytes, NDArray[int64]]: ...
def rle_outlines(
    text: NDArray[uint8],
    spans: NDArray[int64],
    counts: NDArray[uint32],
    offsets: NDArray[int64],
    sizes: NDArray[int64],
    content: bool,
    threads: int,
) -> tuple[NDArray[int64], NDArray[uint64]]: ...
def rle_intersections(
    text_a: NDArray[uint8],
    spans_a: NDArray[int64],
    counts_a: NDArray[uint32],
    offsets_a: NDArray[int64],
    sizes_a: NDArray[int64],
    measures_a: NDArray[int64],
    text_b: NDArray[uint8],
    spans_b: NDArray[int64],
    counts_b: NDArray[uint32],
    offsets_b: NDArray[int64],
    sizes_b: NDArray[int64],
    measures_b: NDArray[int64],
    a: NDArray[int64],
    b: NDArray[int64],
) -> NDArray[int64]: ...
def rle_merge(counts: NDArray[uint32], offsets: NDArray[int64], groups: NDArray[int64], both: bool) -> Packed: ...
def rle_boundaries(
    counts: NDArray[uint32], offsets: NDArray[int64], sizes: NDArray[int64], widths: NDArray[int64]
) -> Packed: ...
def label_boxes(labels: NDArray[Any]) -> NDArray[int64]: ...
def surface_distances(
    a: NDArray[Any], b: NDArray[Any], label_a: int, label_b: int, box: tuple[int, ...],
    spacing: tuple[float, float, float], flat: bool, open: bool, model: int, places: bool,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]: ...  # fmt: skip
def bands(
    a: NDArray[Any], b: NDArray[Any], label_a: int, label_b: int, box: tuple[int, ...], flat: bool, open: bool,
    disc: NDArray[int64], around: bool,
) -> list[int]: ...  # fmt: skip
