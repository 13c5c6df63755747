"""Plain twins of the kernels that work on runs and on the graph of objects that share pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
WORD = 2**64


def id_runs(rgb: NDArray[np.uint8]) -> tuple[list[int], list[int]]:
    """The ends and ids of the runs of a map of colours; a row ends its last run."""
    ids = rgb.astype(np.int64) @ [1, 256, 65536]
    ends, labels = list[int](), list[int]()
    for j, row in enumerate(ids.tolist()):
        for i, label in enumerate(row):
            if i + 1 == len(row) or row[i + 1] != label:
                ends.append(j * len(row) + i + 1)
                labels.append(label)
    return ends, labels


def mixed(x: int) -> int:
    """SplitMix64."""
    x = (x + 0x9E3779B97F4A7C15) % WORD
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB % WORD
    return x ^ x >> 31


def fingerprints(facts: list[int], edges: list[tuple[int, int, int]], rounds: int) -> list[int]:
    """Of each node what it is, mixed in each round with the sum of what it hears over its edges (here, there, fact)."""
    own = [mixed(x) for x in facts]
    for _ in range(rounds):
        heard = [0] * len(own)
        for here, there, fact in edges:
            link = mixed(fact % WORD)
            heard[here] += mixed((own[there] + link) % WORD)
            heard[there] += mixed((own[here] + link) % WORD)
        own = [mixed((x + mixed(h % WORD)) % WORD) for x, h in zip(own, heard, strict=True)]
    return own
