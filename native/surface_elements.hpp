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
    // Of triangles, as places in `vertex`: those of cell k are start[k] to start[k + 1]. A segment ends in the same
    // vertex twice.
    double corner = 0;
    std::vector<Vec> vertex{};
    std::vector<std::array<std::uint32_t, 3>> corners{};
    std::vector<double> area{};
    std::vector<std::uint32_t> start{};
    double edge = 0;  // the weight of what lies on the end of the image

    std::size_t size() const { return solid ? corners.size() : at.count(); }
    Triangle triangle(std::size_t i) const { return {{vertex[corners[i][0]], vertex[corners[i][1]], vertex[corners[i][2]]}}; }
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
            case Model::mesh: out_.solid = true; mesh(); break;
            default:
                weights();
                for (std::size_t z = 0; z < planes(); ++z) cells(z);
        }
        if (out_.solid) out_.start.push_back(std::uint32_t(out_.corners.size()));
        out_.vertex.shrink_to_fit(), out_.corners.shrink_to_fit(), out_.area.shrink_to_fit();  // they grew by doubling
        out_.start.shrink_to_fit(), out_.kind.shrink_to_fit();
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

    std::size_t planes() const { return f_.flat ? 1 : m_.nz - 1; }

    // The mixed cells between a slice and the next.
    void cells(std::size_t z) {
        const std::size_t up = f_.flat ? 0 : 1;
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
        for (const char* t = marching::MESH[code]; *t; t += 3) triangle({cut(t[0]), cut(t[1]), cut(t[2])});
    }

    bool on_end(int axis, std::size_t at, std::size_t n) const { return (at == 0 && f_.ends[axis][0]) || (at == n - 2 && f_.ends[axis][1]); }

    static unsigned digit(char c) { return c <= '9' ? unsigned(c - '0') : unsigned(c - 'a' + 10); }

    // Begins the triangles of a cell.
    void begin(const Cell& cell, bool edge) {
        out_.start.push_back(std::uint32_t(out_.corners.size()));
        cell_ = cell;
        edge_ = edge;
    }

    // A vertex, and where it lies from the first corner of the cell.
    struct Corner {
        std::uint32_t vertex;
        Vec from;
    };

    // Adds a triangle. Equal triangles have equal areas to the last bit, wherever they lie.
    void triangle(const std::array<Corner, 3>& c) {
        const Vec side = c[1].from - c[0].from;
        const double weight = f_.flat ? std::sqrt(dot(side, side)) : Triangle{{c[0].from, c[1].from, c[2].from}}.area();
        out_.corners.push_back({c[0].vertex, c[1].vertex, c[2].vertex});
        out_.area.push_back(weight);
        if (edge_) out_.edge += weight;
    }

    static Cell corner(unsigned i) { return {int(i >> 2 & 1), int(i >> 1 & 1), int(i & 1)}; }

    // The mesh

    // Makes the vertices of each slice and those on the way to it, then the cells between.
    void mesh() {
        field_.emplace(m_, f_.spacing, f_.flat, f_.open, f_.ends);
        for (auto& places : vertex_at_) places.assign(2 * m_.ny * m_.nx, 0);
        for (std::size_t z = 0; z < (f_.flat ? 1 : m_.nz); ++z) {
            field_->make(std::ptrdiff_t(z));
            for (std::size_t y = 0; y < m_.ny; ++y) {
                const auto* here = field_->row(std::ptrdiff_t(z), std::ptrdiff_t(y));
                field_->each_difference(here, [&](std::size_t x) { vertex(2, {z, y, x}); });
                if (y + 1 < m_.ny) field_->each_difference(here, field_->row(std::ptrdiff_t(z), std::ptrdiff_t(y) + 1), [&](std::size_t x) { vertex(1, {z, y, x}); });
                if (z) field_->each_difference(field_->row(std::ptrdiff_t(z) - 1, std::ptrdiff_t(y)), here, [&](std::size_t x) { vertex(0, {z - 1, y, x}); });
            }
            if (z || f_.flat) cells(f_.flat ? z : z - 1);
        }
        along_ = {};
    }

    std::uint32_t& vertex_at(int axis, const std::array<std::size_t, 3>& at) { return vertex_at_[axis][((at[0] & 1) * m_.ny + at[1]) * m_.nx + at[2]]; }

    // Where the field is zero, between a voxel and the next along an axis.
    void vertex(int axis, const std::array<std::size_t, 3>& at) {
        auto next = at;
        ++next[axis];
        const auto value = [&](const auto& c) { return field_->at(std::ptrdiff_t(c[0]), std::ptrdiff_t(c[1]), std::ptrdiff_t(c[2])); };
        const double here = value(at), there = value(next), along = here / (here + there) * f_.spacing[axis];
        vertex_at(axis, at) = std::uint32_t(out_.vertex.size());
        Vec v;
        for (int k = 0; k < 3; ++k) v[k] = double(at[k]) * f_.spacing[k];
        v[axis] += along;
        out_.vertex.push_back(v);
        along_.push_back(along);
    }

    // The vertex between two corners of the cell, which differ in one axis.
    Corner cut(unsigned first, unsigned second) {
        const Cell at = corner(std::min(first, second));
        const unsigned bit = first ^ second;
        const int axis = bit & 4 ? 0 : bit & 2 ? 1 : 2;
        const auto i = vertex_at(axis, {std::size_t(cell_[0] + at[0]), std::size_t(cell_[1] + at[1]), std::size_t(cell_[2] + at[2])});
        Vec from;
        for (int k = 0; k < 3; ++k) from[k] = at[k] * f_.spacing[k];
        from[axis] += along_[i];
        return {i, from};
    }
    Corner cut(char edge) { return cut(marching::EDGES[digit(edge)][0], marching::EDGES[digit(edge)][1]); }

    // A cell of 2 x 2 pixels; where both diagonals differ, the pixels inside are apart.
    void squares(unsigned code) {
        static constexpr unsigned around[4] = {0, 1, 3, 2};
        const auto crossing = [&](unsigned k) { return cut(around[k % 4], around[(k + 1) % 4]); };
        const auto crossed = [&](unsigned k) { return (code >> around[k % 4] & 1) != (code >> around[(k + 1) % 4] & 1); };
        if (code == 6 || code == 9) {
            for (unsigned k = 0; k < 4; ++k)
                if (code >> around[k] & 1) segment(crossing(k + 3), crossing(k));
            return;
        }
        std::array<Corner, 2> end{};
        std::size_t n = 0;
        for (unsigned k = 0; k < 4; ++k)
            if (crossed(k)) end[n++] = crossing(k);
        segment(end[0], end[1]);
    }

    void segment(const Corner& a, const Corner& b) { triangle({a, b, b}); }

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
            Corner p{std::uint32_t(out_.vertex.size()), {}};
            p.from[axis] = 0.5 * f_.spacing[axis], p.from[u] = du * f_.spacing[u], p.from[v] = dv * f_.spacing[v];
            out_.vertex.push_back({});
            for (int k = 0; k < 3; ++k) out_.vertex.back()[k] = cell[k] * f_.spacing[k] + p.from[k];
            return p;
        };
        if (f_.flat) {  // the other axis of the plane is u or v, the remaining one is z
            const double du = u == 0 ? 0 : 0.5, dv = v == 0 ? 0 : 0.5;
            const Corner a = point(-du, -dv), b = point(du, dv);
            segment(a, b);
        } else {
            const Corner a = point(-0.5, -0.5), b = point(0.5, -0.5), c = point(0.5, 0.5), d = point(-0.5, 0.5);
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
    std::vector<double> along_;                            // of each vertex, from the voxel before
    std::array<std::vector<std::uint32_t>, 3> vertex_at_;  // by axis: of two slices, the vertex after each voxel
};

}  // namespace maskmeter::surface
