"""Print native/marching_cubes.hpp: how the surface runs through a cell of 2 x 2 x 2 voxels, for each of the 256 cases.

Corner i of a cell lies at (i >> 2 & 1, i >> 1 & 1, i & 1); edge k joins two corners that differ in one axis. On each
face of the cell the surface joins the edges whose ends differ. Where all four do, the face has two readings: the
voxels inside are apart, or those outside are. `MESH` always keeps those inside apart, so that faces of neighbouring
cells agree and the mesh is closed. `SURFELS` keeps apart whichever are fewer, as the marching cubes of 1987 do and as
the areas of published surface distances have it.

The segments on the faces close to loops, and a loop of more than three edges is cut into triangles. Which way matters
for areas where the loop is not flat: `CUTS` says it for each case, as the number of a way in the order in which `ways`
lists them, so that the areas are those of the published table (Nikolov et al. 2018, in normals).
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

CORNERS = list(product((0, 1), repeat=3))
EDGES = [(i, i | bit) for i in range(8) for bit in (4, 2, 1) if not i & bit]
FACES = [
    (base, base | a, base | a | b, base | b) for bit, a, b in ((4, 2, 1), (2, 4, 1), (1, 4, 2)) for base in (0, bit)
]
CUTS = (
    "0000000300000020000303000002022000010002003000000020022000000000"
    "0000010200003020010220220100000000010100003030003020200030000000"
    "0000000300020203000303000000000000000000220220100203000020100000"
    "0000000000200200000003002000100000202000003030000200000030000000"
)

Loop = tuple[int, ...]
Triangles = tuple[Loop, ...]


def loops(case: int, inside_apart: bool) -> list[Loop]:
    """The loops of edges that the surface crosses, each beginning with its first edge."""
    inside = [bool(case >> i & 1) for i in range(8)]
    beside: dict[int, list[int]] = {}
    for face in FACES:
        edge = [EDGES.index((min(p), max(p))) for p in zip(face, (*face[1:], face[0]), strict=True)]
        crossed = [e for e, k in zip(edge, range(4), strict=True) if inside[face[k]] != inside[face[(k + 1) % 4]]]
        if len(crossed) == 4:
            apart = [k for k in range(4) if inside[face[k]] == inside_apart]
            segments = [(edge[k - 1], edge[k]) for k in apart]
        else:
            segments = [(crossed[0], crossed[1])] if crossed else []
        for a, b in segments:
            beside.setdefault(a, []).append(b)
            beside.setdefault(b, []).append(a)
    found: list[Loop] = []
    left = sorted(beside)
    while left:
        loop, here = [left[0]], min(beside[left[0]])
        while here != loop[0]:
            loop.append(here)
            here = next(x for x in beside[here] if x != loop[-2])
        left = [e for e in left if e not in loop]
        found.append(tuple(loop))
    return found


def ways(loop: Loop) -> list[Triangles]:
    """Every way to cut a loop into triangles, first the fan around its first edge."""
    if len(loop) < 3:
        return [()]
    return [
        (*left, (loop[0], loop[k], loop[-1]), *right)
        for k in range(len(loop) - 2, 0, -1)
        for left in ways(loop[: k + 1])
        for right in ways(loop[k:])
    ]


def choices(case: int, inside_apart: bool) -> list[Triangles]:
    """Every way to cut all loops of a case."""
    return [sum(way, ()) for way in product(*map(ways, loops(case, inside_apart)))]


def surfels(case: int) -> Triangles:
    """The triangles whose areas are the published ones."""
    return choices(case, case.bit_count() <= 4)[ord(CUTS[case]) - ord("0")]


def mesh(case: int) -> Triangles:
    """The triangles of a closed mesh."""
    return surfels(case) if loops(case, True) == loops(case, case.bit_count() <= 4) else choices(case, True)[0]


def table(name: str, of: list[Triangles]) -> str:
    """The cases as an array of C++."""
    words = ["".join(f"{e:x}" for t in triangles for e in t) for triangles in of]
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 4 > 120:
            lines.append(line)
            line = "   "
        line += f' "{word}",'
    return f"inline constexpr const char* {name}[256] = {{\n" + "\n".join([*lines, line]) + "\n};\n"


HEAD = """\
// How the surface runs through a cell of 2 x 2 x 2 voxels. Printed by scripts/marching_cubes.py, which says how.
//
// Bit i of a case is the voxel at (i >> 2 & 1, i >> 1 & 1, i & 1) of the cell. A case is a string of triangles, each
// of three edges as hexadecimal digits; edge k joins the corners EDGES[k].
#pragma once

namespace maskmeter::marching {

"""


def header() -> str:
    """The whole file."""
    pairs = ", ".join(f"{{{a}, {b}}}" for a, b in EDGES)
    cases = range(256)
    return (
        HEAD + f"inline constexpr unsigned char EDGES[12][2] = {{{pairs}}};\n\n"
        + table("SURFELS", [surfels(c) for c in cases]) + "\n" + table("MESH", [mesh(c) for c in cases])
        + "\n}  // namespace maskmeter::marching\n"
    )  # fmt: skip


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("native/marching_cubes.hpp").write_text(header(), "utf-8")
