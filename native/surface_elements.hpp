// The surface of a mask, as elements with weights.
//
// Which elements stand for the surface is a question of definition; `Model` has those in use. Elements are points of
// the grid (centres or corners of voxels) or triangles (in a plane: segments).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "bit_volume.hpp"
#include "field.hpp"
#include "marching_cubes.hpp"
#include "nearest.hpp"

namespace maskmeter::surface {

enum class Model {
    inner,    // centres of the voxels with a neighbour outside across a face; each counts one
    thick,    // the same with neighbours across edges and corners; the end of the image is no border
    corners,  // corners of voxels whose cell of 2 x 2 x 2 is mixed; weight: the area of marching cubes in it
    shared,   // the same corners; weight: a quarter (in a plane half) of each face between inside and outside
    faces,    // faces of voxels between inside and outside, each as two triangles
    mesh,     // marching cubes (squares), vertices placed by the field of field.hpp
    whole,    // centres of all voxels
};

struct Frame {
    Vec spacing;
    bool flat, open;                                  // a plane; leave out what lies on the end of the image
    std::array<std::array<bool, 2>, 3> ends;          // whether a side of the box is the end of the image
};

// The elements of one surface, in the order of the bits of `at`: the voxels or cells where they lie. A cell reaches
// from `corner` to `corner` + 1 in steps of the grid, counted from its own place.
struct Elements {
    BitVolume at;
    bool solid = false;  // triangles, else points
    // Of points: a place in `weights` for each; none where each counts one.
    std::vector<std::uint8_t> kind{};
    std::array<double, 256> weights{};
    // Of triangles: those of cell k are start[k] to start[k + 1].
    double corner = 0;
    std::vector<Triangle> triangle{};
    std::vector<double> area{};
    std::vector<std::uint32_t> start{};
    double edge = 0;  // the weight of what lies on the end of the image

    std::size_t size() const { return solid ? triangle.size() : at.count(); }
};

class Extraction {
   public:
    Extraction(const BitVolume& mask, const Frame& frame, Model model)
        : m_(mask), f_(frame), model_(model), out_{.at = BitVolume(mask.nz, mask.ny, mask.nx)} {}

    Elements run() {
        switch (model_) {
            case Model::inner: border(false); break;
            case Model::thick: border(true); break;
            case Model::whole: border(std::nullopt); break;
            case Model::faces: out_.solid = true; faces(); break;
            case Model::mesh: out_.solid = true; field_.emplace(m_, f_.spacing, f_.flat, f_.open, f_.ends); cells(); break;
            default: weights(); cells(); break;
        }
        if (out_.solid) out_.start.push_back(std::uint32_t(out_.triangle.size()));
        return std::move(out_);
    }

   private:
    using Word = BitVolume::Word;
    using Cell = std::array<std::int32_t, 3>;

    // Voxel models

    void border(std::optional<bool> full) {
        const bool replicate = f_.open || full.value_or(false);
        std::vector<Word> kept(m_.words), inner(m_.words);
        for (std::size_t z = first_z(); z < m_.nz - first_z(); ++z)
            for (std::size_t y = 1; y + 1 < m_.ny; ++y) {
                const Word* here = m_.row(z, y);
                Word* out = out_.at.row(z, y);
                if (!full) {
                    std::copy_n(here, m_.words, out);
                    continue;
                }
                eroded(z, y, *full, true, kept);
                eroded(z, y, *full, false, inner);
                for (std::size_t w = 0; w + 1 < m_.words; ++w) {
                    const Word closed = here[w] & ~inner[w], open = here[w] & ~kept[w];
                    out[w] = replicate ? open : closed;
                    out_.edge += std::popcount(out[w] & ~open);
                }
            }
    }

    // The voxels of a row whose neighbours are all inside; with `replicate` those beyond the image count as inside.
    void eroded(std::size_t z, std::size_t y, bool full, bool replicate, std::vector<Word>& out) const {
        std::copy_n(m_.row(z, y), m_.words, out.begin());
        const auto beyond = [&](int axis, std::size_t at, std::size_t n) {
            return replicate && ((at == 0 && f_.ends[axis][0]) || (at == n - 1 && f_.ends[axis][1]));
        };
        const int reach_z = f_.flat ? 0 : 1;
        for (int dz = -reach_z; dz <= reach_z; ++dz)
            for (int dy = -1; dy <= 1; ++dy) {
                if (!full && dz && dy) continue;
                if (beyond(0, z + dz, m_.nz) && !f_.flat) continue;
                if (beyond(1, y + dy, m_.ny)) continue;
                const Word* r = m_.row(z + dz, y + dy);
                const bool sides = full || (!dz && !dy);
                const bool low = replicate && f_.ends[2][0], high = replicate && f_.ends[2][1];
                const std::size_t last = m_.nx - 2;
                for (std::size_t w = 0; w + 1 < m_.words; ++w) {
                    Word all = r[w];
                    if (sides) {
                        Word left = r[w] << 1 | (w ? r[w - 1] >> 63 : 0), right = r[w] >> 1 | r[w + 1] << 63;
                        if (low && w == 0) left |= 2;  // voxel 1 is the first of the image
                        if (high && w == last / 64) right |= Word(1) << last % 64;
                        all &= left & right;
                    }
                    out[w] &= all;
                }
            }
    }

    std::size_t first_z() const { return f_.flat ? 0 : 1; }

    // Cell models

    void cells() {
        const std::size_t planes = f_.flat ? 1 : m_.nz - 1, up = f_.flat ? 0 : 1;
        for (std::size_t z = 0; z < planes; ++z)
            for (std::size_t y = 0; y + 1 < m_.ny; ++y) {
                const Word* r[4] = {m_.row(z, y), m_.row(z, y + 1), m_.row(z + up, y), m_.row(z + up, y + 1)};
                for (std::size_t w = 0; w + 1 < m_.words; ++w) {
                    Word any = 0, all = ~Word(0);
                    for (const Word* row : r) {
                        const Word next = row[w] >> 1 | row[w + 1] << 63;
                        any |= row[w] | next;
                        all &= row[w] & next;
                    }
                    each_bit(any & ~all, 64 * w, [&](std::size_t x) { cell(r, z, y, x); });
                }
            }
    }

    void cell(const Word* const* r, std::size_t z, std::size_t y, std::size_t x) {
        unsigned code = 0;
        for (unsigned k = 0; k < (f_.flat ? 2u : 4u); ++k) {
            const Word lo = r[k][x / 64] >> (x % 64) & 1, hi = r[k][(x + 1) / 64] >> ((x + 1) % 64) & 1;
            code |= unsigned(lo | hi << 1) << 2 * k;
        }
        const bool edge = on_end(1, y, m_.ny) || on_end(2, x, m_.nx) || (!f_.flat && on_end(0, z, m_.nz));
        if (edge && f_.open) return;
        out_.at.row(z, y)[x / 64] |= Word(1) << x % 64;
        if (!out_.solid) {
            out_.kind.push_back(std::uint8_t(code));
            if (edge) out_.edge += out_.weights[code];
            return;
        }
        begin({std::int32_t(z), std::int32_t(y), std::int32_t(x)}, edge);
        if (f_.flat) return squares(code);
        std::array<Vec, 12> vertex;
        unsigned crossed = 0;
        const auto corner = [&](char c) -> const Vec& {
            const unsigned edge_of_cell = digit(c), a = marching::EDGES[edge_of_cell][0], b = marching::EDGES[edge_of_cell][1];
            if (!(crossed >> edge_of_cell & 1)) vertex[edge_of_cell] = crossing(a, b, code >> a & 1);
            crossed |= 1u << edge_of_cell;
            return vertex[edge_of_cell];
        };
        for (const char* t = marching::MESH[code]; *t; t += 3) triangle({corner(t[0]), corner(t[1]), corner(t[2])});
    }

    bool on_end(int axis, std::size_t at, std::size_t n) const { return (at == 0 && f_.ends[axis][0]) || (at == n - 2 && f_.ends[axis][1]); }

    static unsigned digit(char c) { return c <= '9' ? unsigned(c - '0') : unsigned(c - 'a' + 10); }

    // Begins the triangles of a cell.
    void begin(const Cell& cell, bool edge) {
        out_.start.push_back(std::uint32_t(out_.triangle.size()));
        cell_ = cell;
        edge_ = edge;
    }

    // Adds a triangle, its vertices counted from the first corner of the cell. Equal triangles have equal areas to the
    // last bit, wherever they lie.
    void triangle(std::array<Vec, 3> v) {
        const double weight = f_.flat ? std::sqrt(dot(v[1] - v[0], v[1] - v[0])) : Triangle{v}.area();
        for (auto& p : v)
            for (int k = 0; k < 3; ++k) p[k] += cell_[k] * f_.spacing[k];
        out_.triangle.push_back({v});
        out_.area.push_back(weight);
        if (edge_) out_.edge += weight;
    }

    static Cell corner(unsigned i) { return {int(i >> 2 & 1), int(i >> 1 & 1), int(i & 1)}; }

    // Where the field of the mesh is zero, on the edge between two corners of the cell.
    Vec crossing(unsigned first, unsigned second, bool inside) {
        const Cell a = corner(first), b = corner(second);
        const int axis = a[0] != b[0] ? 0 : a[1] != b[1] ? 1 : 2;
        const auto at = [&](const Cell& c, bool side) { return field_->at({cell_[0] + c[0], cell_[1] + c[1], cell_[2] + c[2]}, side); };
        const double here = at(a, inside), there = at(b, !inside);
        const double t = here / (here + there);
        Vec v;
        for (int k = 0; k < 3; ++k) v[k] = a[k] * f_.spacing[k];
        v[axis] += t * (b[axis] - a[axis]) * f_.spacing[axis];
        return v;
    }

    // A cell of 2 x 2 pixels; where both diagonals differ, the pixels inside are apart.
    void squares(unsigned code) {
        static constexpr unsigned around[4] = {0, 1, 3, 2};
        const auto cut = [&](unsigned k) { return crossing(around[k % 4], around[(k + 1) % 4], code >> around[k % 4] & 1); };
        const auto crossed = [&](unsigned k) { return (code >> around[k % 4] & 1) != (code >> around[(k + 1) % 4] & 1); };
        if (code == 6 || code == 9) {
            for (unsigned k = 0; k < 4; ++k)
                if (code >> around[k] & 1) segment(cut(k + 3), cut(k));
            return;
        }
        std::array<Vec, 2> end{};
        std::size_t n = 0;
        for (unsigned k = 0; k < 4; ++k)
            if (crossed(k)) end[n++] = cut(k);
        segment(end[0], end[1]);
    }

    void segment(const Vec& a, const Vec& b) { triangle({a, b, b}); }

    // The weight of each case of a cell.
    void weights() {
        const auto& s = f_.spacing;
        for (unsigned code = 0; code < (f_.flat ? 16u : 256u); ++code) {
            double sum = 0;
            if (model_ == Model::shared) {
                for (unsigned i = 0; i < (f_.flat ? 4u : 8u); ++i)
                    for (int axis = f_.flat ? 1 : 0; axis < 3; ++axis) {
                        const unsigned bit = 4u >> axis;
                        if (i & bit || (code >> i & 1) == (code >> (i | bit) & 1)) continue;
                        sum += f_.flat ? s[3 - axis] / 2 : s[(axis + 1) % 3] * s[(axis + 2) % 3] / 4;
                    }
            } else if (f_.flat) {
                const unsigned inside = unsigned(std::popcount(code));
                const double slope = 0.5 * std::sqrt(s[1] * s[1] + s[2] * s[2]);
                if (inside == 1 || inside == 3) sum = slope;
                if (code == 3 || code == 12) sum = s[2];
                if (code == 5 || code == 10) sum = s[1];
                if (code == 6 || code == 9) sum = 2 * slope;
            } else {
                const auto middle = [&](char c) {
                    const auto* e = marching::EDGES[digit(c)];
                    const Cell a = corner(e[0]), b = corner(e[1]);
                    return Vec{(a[0] + b[0]) * s[0] / 2, (a[1] + b[1]) * s[1] / 2, (a[2] + b[2]) * s[2] / 2};
                };
                for (const char* t = marching::SURFELS[code]; *t; t += 3) sum += Triangle{{middle(t[0]), middle(t[1]), middle(t[2])}}.area();
            }
            out_.weights[code] = sum;
        }
    }

    // Faces of voxels

    void faces() {
        out_.corner = -0.5;
        const std::size_t planes = f_.flat ? 1 : m_.nz - 1, up = f_.flat ? 0 : 1;
        for (std::size_t z = 0; z < planes; ++z)
            for (std::size_t y = 0; y + 1 < m_.ny; ++y) {
                const Word *here = m_.row(z, y), *above = m_.row(z + up, y), *behind = m_.row(z, y + 1);
                for (std::size_t w = 0; w + 1 < m_.words; ++w) {
                    const Word differs[3] = {here[w] ^ above[w], here[w] ^ behind[w], here[w] ^ (here[w] >> 1 | here[w + 1] << 63)};
                    each_bit(differs[0] | differs[1] | differs[2], 64 * w, [&](std::size_t x) {
                        for (int axis = 0; axis < 3; ++axis)
                            if (differs[axis] >> x % 64 & 1) face(axis, {z, y, x});
                    });
                }
            }
    }

    void face(int axis, const std::array<std::size_t, 3>& at) {
        const std::size_t n[3] = {m_.nz, m_.ny, m_.nx};
        const bool edge = on_end(axis, at[axis], n[axis]);
        if (edge && f_.open) return;
        const Cell cell = {std::int32_t(at[0]), std::int32_t(at[1]), std::int32_t(at[2])};
        auto& word = out_.at.row(at[0], at[1])[at[2] / 64];
        const Word bit = Word(1) << at[2] % 64;
        if (!(word & bit)) begin(cell, edge);
        word |= bit;
        edge_ = edge;
        const int u = (axis + 1) % 3, v = (axis + 2) % 3;
        const auto point = [&](double du, double dv) {
            Vec p{};
            p[axis] = 0.5 * f_.spacing[axis], p[u] = du * f_.spacing[u], p[v] = dv * f_.spacing[v];
            return p;
        };
        if (f_.flat) {  // the other axis of the plane is u or v, the remaining one is z
            const double du = u == 0 ? 0 : 0.5, dv = v == 0 ? 0 : 0.5;
            segment(point(-du, -dv), point(du, dv));
        } else {
            const Vec a = point(-0.5, -0.5), b = point(0.5, -0.5), c = point(0.5, 0.5), d = point(-0.5, 0.5);
            triangle({a, b, c});
            triangle({a, c, d});
        }
    }

    const BitVolume& m_;
    const Frame& f_;
    const Model model_;
    Elements out_;
    // Of the cell at hand:
    Cell cell_{};
    bool edge_ = false;
    std::optional<Field> field_;
};

}  // namespace maskmeter::surface
