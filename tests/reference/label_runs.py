"""Plain twins of the kernels that work on runs and on the graph of objects that share pixels."""

from __future__ import annotations

import struct
from typing import Any

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


def object_order(
    gt: list[tuple[int, ...]], pred: list[tuple[Any, ...]], pairs: list[tuple[int, ...]], rounds: int
) -> tuple[list[int], ...]:
    """Objects (size, class, boundary, crowd) and (size, class, boundary, void, score) by their fingerprints.

    A pair is both places, and pixels, boundary pixels and centres that are shared. Those of boundaries and centres make
    fingerprints of their own, which decide between objects that are alike without them.
    """
    facts = [mixed(size) + crowd for size, _, _, crowd in gt]
    facts += [
        mixed((mixed(~size % WORD) + void) % WORD)
        + struct.unpack("Q", struct.pack("d", score if score == score else -1))[0]
        for size, _, _, void, score in pred
    ]
    facts = [x % WORD for x in facts]
    edges = [(g, len(gt) + p, 2 * n + (gt[g][1] == pred[p][1])) for g, p, n, _, _ in pairs]
    more = [(mixed(x) + o[2]) % WORD for x, o in zip(facts, [*gt, *pred], strict=True)]
    told = [(e[0], e[1], (mixed(e[2]) + 2 * b + c) % WORD) for e, (*_, b, c) in zip(edges, pairs, strict=True)]
    own = fingerprints(facts, edges, rounds)
    last = fingerprints(more, told, rounds) if any(o[2] for o in [*gt, *pred]) or any(x[4] for x in pairs) else own
    keys = list(zip(own, last, strict=True))
    g_order = sorted(range(len(gt)), key=keys.__getitem__)
    p_order = sorted(range(len(pred)), key=keys[len(gt) :].__getitem__)
    placed = [(g_order.index(g), p_order.index(p), k) for k, (g, p, *_) in enumerate(pairs)]
    g, p, by = ([x[i] for x in sorted(placed)] for i in range(3))
    return g_order, p_order, by, g, p


def _bits(x: float) -> int:
    return struct.unpack("Q", struct.pack("d", x))[0]
