from typing import Any

from numpy import int32, int64, uint8
from numpy.typing import NDArray

def joint_counts(
    a: NDArray[Any], b: NDArray[Any], mask: NDArray[uint8] | None = None, path: str | None = None
) -> NDArray[int64]: ...
def paths() -> list[str]: ...

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
