"""An order of objects made of what they are, so that nothing computed from them can depend on their ids.

Each object gets a fingerprint of its own facts; then, for some rounds, one of its fingerprint and those of
the objects it shares pixels with (the colours of Weisfeiler and Leman). Objects with equal fingerprints
look alike as far as the rounds reach, and it does not matter which of them comes first. Classes enter by
whether they are equal, so that renaming them changes nothing either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import fingerprints

Ints = NDArray[np.int64]
Fields = dict[str, NDArray[Any]]

ROUNDS = 6  # how far, in steps from object to object, two objects must look alike to count as alike

_Words = NDArray[np.uint64]


def in_order(gt: Fields, pred: Fields, pair: Fields) -> tuple[Ints, Ints, Fields]:
    """The orders of the objects of both sides, and the pairs in terms of them, ascending."""
    g, p, n = pair["gt"], pair["pred"], pair["pixels"]
    facts = _facts(gt, pred)
    of_pair = 2 * n + (gt["class"][g] == pred["class"][p])
    here, there = g, p + gt["id"].size
    own = fingerprints(facts, here, there, of_pair, ROUNDS)
    more = own  # what is only counted for some metrics decides last, so that it moves no other metric
    if (edge := np.concatenate([gt["boundary"], pred["boundary"]])).any() or pair["centred"].any():
        of_pair = (_mixed(_words(of_pair)) + _words(2 * pair["boundary"] + pair["centred"])).view(np.int64)
        more = fingerprints(_mixed(facts) + _words(edge), here, there, of_pair, ROUNDS)
    (x, y), (u, v) = (np.split(words, [gt["id"].size]) for words in (own, more))
    g_order, p_order = np.lexsort((u, x)), np.lexsort((v, y))
    g, p = _inverse(g_order)[g], _inverse(p_order)[p]
    by = np.lexsort((p, g))
    return g_order, p_order, {**{k: v[by] for k, v in pair.items()}, "gt": g[by], "pred": p[by]}


def _facts(gt: Fields, pred: Fields) -> _Words:
    """What each object begins with: not its size alone, since the sides are not exchangeable."""
    facts = _mixed(_words(np.concatenate([gt["size"], ~pred["size"]])))
    of_gt, of_pred = np.split(facts, [gt["id"].size])
    of_gt += _words(gt["crowd"] > 0)
    score = np.where(np.isnan(pred["score"]), -1.0, pred["score"])
    of_pred[:] = _mixed(of_pred + _words(pred["void"])) + score.view(np.uint64)
    return facts


def _words(x: NDArray[Any]) -> _Words:
    return x.astype(np.int64).view(np.uint64)


def _mixed(x: _Words) -> _Words:
    """SplitMix64: every bit of the answer depends on every bit of x."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _inverse(order: Ints) -> Ints:
    out = np.empty_like(order)
    out[order] = np.arange(order.size)
    return out
