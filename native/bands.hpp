// Bands along the boundary of a mask, counted: what two masks share of them.
//
// A band holds the voxels that a disc (ball, square) around some voxel of the other side reaches. The disc is a list
// of rows: steps in z and y, and how far along x. Rows of bits are spread along x step by step, and each is laid over
// the rows that the disc reaches from it: (rows of the disc) x (words of the box) operations, 64 voxels in each. A square
// is spread along one axis after the other, by steps that double what they reach.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bit_volume.hpp"

namespace maskmeter::bands {

// A row of a disc; `reach` voxels to both sides along x. Lists are ordered by reach.
struct Chord {
    std::int64_t z, y, reach;
};

// What a mask has outside: everything, or only what lies in the image.
inline BitVolume outside(const BitVolume& m, bool flat, bool open, const std::array<std::array<bool, 2>, 3>& ends) {
    BitVolume out(m.nz, m.ny, m.nx);
    for (std::size_t z = 0; z < m.nz; ++z)
        for (std::size_t y = 0; y < m.ny; ++y) {
            if (open && ((!flat && ((z == 0 && ends[0][0]) || (z + 1 == m.nz && ends[0][1]))) || (y == 0 && ends[1][0]) || (y + 1 == m.ny && ends[1][1])))
                continue;
            auto* to = out.row(z, y);
            const auto* from = m.row(z, y);
            for (std::size_t w = 0; 64 * w < m.nx; ++w) to[w] = ~from[w];
            if (m.nx % 64) to[m.nx / 64] &= (BitVolume::Word(1) << m.nx % 64) - 1;
            if (open && ends[2][0]) to[0] &= ~BitVolume::Word(1);
            if (open && ends[2][1]) to[(m.nx - 1) / 64] &= ~(BitVolume::Word(1) << (m.nx - 1) % 64);
        }
    return out;
}

// Half the sides of the square (cube) that a disc is, if it is one.
inline std::optional<std::array<std::int64_t, 3>> square(const std::vector<Chord>& disc) {
    if (disc.empty() || disc.front().reach != disc.back().reach) return std::nullopt;
    std::int64_t z = 0, y = 0;
    for (const auto& c : disc) z = std::max(z, c.z), y = std::max(y, c.y);
    if (disc.size() != std::size_t((2 * z + 1) * (2 * y + 1))) return std::nullopt;
    return std::array{z, y, disc.front().reach};
}

// Calls f(step) with steps that add up to `reach`. What is spread by a step to both sides is without gaps, and within
// the volume needs nothing from beyond it, as no step is longer than what was reached before it and one.
template <class F>
void doubling(std::int64_t reach, F&& f) {
    for (std::int64_t done = 0; done < reach;) {
        const auto step = std::min(done + 1, reach - done);
        f(std::size_t(step));
        done += step;
    }
}

// The voxels within the square of a voxel of m.
inline BitVolume spread_square(BitVolume m, const std::array<std::int64_t, 3>& half) {
    using Word = BitVolume::Word;
    const std::size_t words = m.words - 1, rows = m.nz * m.ny;
    const Word last = m.nx % 64 ? (Word(1) << m.nx % 64) - 1 : ~Word(0);
    const std::size_t room = std::size_t(half[2]) / 64 + 1;  // words of nothing on either side
    std::vector<Word> before(words + 2 * room, 0);
    for (std::size_t i = 0; i < rows; ++i) {
        Word* r = m.row(0, 0) + i * m.words;
        if (std::all_of(r, r + words, [](Word w) { return w == 0; })) continue;
        doubling(half[2], [&](std::size_t step) {
            std::copy_n(r, words, before.data() + room);
            const std::size_t far = step / 64, bits = step % 64;
            const Word *up = before.data() + room - far, *down = before.data() + room + far;
            for (std::size_t w = 0; w < words; ++w)
                r[w] |= up[w] << bits | up[w - 1] >> 1 >> (63 - bits) | down[w] >> bits | down[w + 1] << 1 << (63 - bits);
        });
        r[words - 1] &= last;
    }
    const auto across = [&](std::int64_t reach, std::size_t n, std::size_t stride, std::size_t lines) {  // n rows along the axis
        std::vector<Word> held(n * words);
        for (std::size_t line = 0; line < lines; ++line) {
            Word* first = m.row(0, 0) + (stride == 1 ? line * n : line) * m.words;
            doubling(reach, [&](std::size_t step) {
                for (std::size_t k = 0; k < n; ++k) std::copy_n(first + k * stride * m.words, words, held.data() + k * words);
                for (std::size_t k = 0; k < n; ++k) {
                    Word* r = first + k * stride * m.words;
                    if (k >= step)
                        for (std::size_t w = 0; w < words; ++w) r[w] |= held[(k - step) * words + w];
                    if (k + step < n)
                        for (std::size_t w = 0; w < words; ++w) r[w] |= held[(k + step) * words + w];
                }
            });
        }
    };
    across(half[1], m.ny, 1, m.nz);
    across(half[0], m.nz, m.ny, m.ny);
    return m;
}

// The voxels within the disc of a voxel of m.
inline BitVolume spread(const BitVolume& m, const std::vector<Chord>& disc) {
    using Word = BitVolume::Word;
    if (const auto half = square(disc)) return spread_square(m, *half);
    BitVolume out(m.nz, m.ny, m.nx), wide = m;
    const std::size_t words = m.words - 1;
    const Word last = m.nx % 64 ? (Word(1) << m.nx % 64) - 1 : ~Word(0);
    std::vector<std::uint8_t> some(m.nz * m.ny);
    for (std::size_t i = 0; i < some.size(); ++i) {
        const Word* r = m.row(0, 0) + i * m.words;
        some[i] = std::any_of(r, r + words, [](Word w) { return w != 0; });
    }
    std::int64_t reached = 0;
    std::vector<Word> fresh(m.words);
    for (const auto& chord : disc) {
        for (; reached < chord.reach; ++reached)
            for (std::size_t i = 0; i < some.size(); ++i) {
                if (!some[i]) continue;
                Word* r = wide.row(0, 0) + i * m.words;
                Word before = 0;
                for (std::size_t w = 0; w < words; ++w) {
                    const Word here = r[w];
                    r[w] = here | here << 1 | here >> 1 | before >> 63 | (w + 1 < words ? r[w + 1] << 63 : 0);
                    before = here;
                }
                r[words - 1] &= last;
            }
        for (std::int64_t z = std::max<std::int64_t>(0, -chord.z); z < std::int64_t(m.nz) - std::max<std::int64_t>(0, chord.z); ++z)
            for (std::int64_t y = std::max<std::int64_t>(0, -chord.y); y < std::int64_t(m.ny) - std::max<std::int64_t>(0, chord.y); ++y) {
                if (!some[std::size_t(z) * m.ny + std::size_t(y)]) continue;
                const Word* from = wide.row(std::size_t(z), std::size_t(y));
                Word* to = out.row(std::size_t(z + chord.z), std::size_t(y + chord.y));
                for (std::size_t w = 0; w < words; ++w) to[w] |= from[w];
            }
    }
    return out;
}

// Voxels in a and b, and in a or b; with `where`, only there.
inline std::array<std::int64_t, 2> shared(const BitVolume& a, const BitVolume& b, const BitVolume* band_a, const BitVolume* band_b) {
    std::array<std::int64_t, 2> n{};
    for (std::size_t z = 0; z < a.nz; ++z)
        for (std::size_t y = 0; y < a.ny; ++y) {
            const auto *p = a.row(z, y), *q = b.row(z, y), *f = band_a->row(z, y), *g = band_b->row(z, y);
            for (std::size_t w = 0; w < a.words; ++w) {
                const auto x = p[w] & f[w], y2 = q[w] & g[w];
                n[0] += std::popcount(x & y2);
                n[1] += std::popcount(x | y2);
            }
        }
    return n;
}

// The inner bands of both masks: (shared, in either).
inline std::array<std::int64_t, 2> inner(const BitVolume& a, const BitVolume& b, const std::vector<Chord>& disc, bool flat, bool open,
                                         const std::array<std::array<bool, 2>, 3>& ends) {
    const BitVolume near_a = spread(outside(a, flat, open, ends), disc), near_b = spread(outside(b, flat, open, ends), disc);
    return shared(a, b, &near_a, &near_b);
}

// Both masks where the boundary of a is near, on either side of it: (shared, in either).
inline std::array<std::int64_t, 2> around(const BitVolume& a, const BitVolume& b, const std::vector<Chord>& disc, bool flat, bool open,
                                          const std::array<std::array<bool, 2>, 3>& ends) {
    BitVolume band = spread(outside(a, flat, open, ends), disc);
    const BitVolume near = spread(a, disc);
    for (std::size_t z = 0; z < a.nz; ++z)
        for (std::size_t y = 0; y < a.ny; ++y) {
            auto* r = band.row(z, y);
            const auto *inside = a.row(z, y), *n = near.row(z, y);
            for (std::size_t w = 0; w < a.words; ++w) r[w] = (r[w] & inside[w]) | (n[w] & ~inside[w]);
        }
    return shared(a, b, &band, &band);
}

}  // namespace maskmeter::bands
