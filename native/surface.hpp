// The surface of a mask, as elements with weights, and the distances from each element to another surface.
//
// Which elements stand for the surface is a question of definition; `Model` has those in use. Elements are points of
// the grid (centres or corners of voxels) or triangles (in a plane: segments), and a distance is measured from the
// point, or from the centre of the triangle, to the nearest point of the other surface.
//
// Two masks are cut from their maps inside the box that holds both: what is nearest to an element lies in that box.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
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

// The elements of one surface. `cell` sorts them; `edge` says which lie on the end of the image.
struct Elements {
    bool solid = false;  // triangles, else points
    Points points;
    Mesh mesh;
    std::vector<double> weight;  // empty: each counts one
    std::vector<std::uint8_t> edge;

    std::size_t size() const { return solid ? mesh.size() : points.size(); }
};

struct Directed {
    std::vector<double> distance, weight;
    std::vector<Vec> place;    // where asked for: of each distance, in the frame of the box
    double farthest = 0;       // over the vertices of the elements as well
    double edge = 0;           // the weight of what lies on the end of the image
    std::size_t elements = 0;
};

class Extraction {
   public:
    Extraction(const BitVolume& mask, const Frame& frame, Model model) : m_(mask), f_(frame), model_(model) {}

    Elements run() {
        out_.points.spacing = f_.spacing;
        switch (model_) {
            case Model::inner: border(false); break;
            case Model::thick: border(true); break;
            case Model::whole: border(std::nullopt); break;
            case Model::faces: out_.solid = true; faces(); break;
            case Model::mesh: out_.solid = true; field_.emplace(m_, f_.spacing, f_.flat, f_.open, f_.ends); cells(); break;
            default: weights(); cells(); break;
        }
        sort();
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
                if (!full) {
                    for (std::size_t w = 0; w + 1 < m_.words; ++w) each_bit(here[w], 64 * w, [&](std::size_t x) { add(z, y, x, false); });
                    continue;
                }
                eroded(z, y, *full, true, kept);
                eroded(z, y, *full, false, inner);
                for (std::size_t w = 0; w + 1 < m_.words; ++w) {
                    const Word closed = here[w] & ~inner[w], open = here[w] & ~kept[w];
                    each_bit(replicate ? open : closed, 64 * w, [&](std::size_t x) { add(z, y, x, !(open >> x % 64 & 1)); });
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

    void add(std::size_t z, std::size_t y, std::size_t x, bool edge) {
        out_.points.point.push_back({std::int32_t(z), std::int32_t(y), std::int32_t(x)});
        out_.edge.push_back(edge);
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
        const Cell at = {std::int32_t(z), std::int32_t(y), std::int32_t(x)};
        if (!out_.solid) {
            out_.points.point.push_back(at);
            out_.weight.push_back(table_[code]);
            out_.edge.push_back(edge);
        } else if (f_.flat) {
            squares(code, at, edge);
        } else {
            for (const char* t = marching::MESH[code]; *t; t += 3) triangle({vertex(code, at, digit(t[0])), vertex(code, at, digit(t[1])), vertex(code, at, digit(t[2]))}, at, edge);
        }
    }

    bool on_end(int axis, std::size_t at, std::size_t n) const { return (at == 0 && f_.ends[axis][0]) || (at == n - 2 && f_.ends[axis][1]); }

    static unsigned digit(char c) { return c <= '9' ? unsigned(c - '0') : unsigned(c - 'a' + 10); }

    void triangle(const std::array<Vec, 3>& v, const Cell& at, bool edge) {
        const Triangle t{v};
        out_.mesh.triangle.push_back(t);
        out_.weight.push_back(f_.flat ? std::sqrt(dot(v[1] - v[0], v[1] - v[0])) : t.area());
        out_.edge.push_back(edge);
        cell_.push_back(at);
    }

    // Where the surface crosses an edge of a cell.
    Vec vertex(unsigned code, const Cell& cell, unsigned edge) {
        const unsigned a = marching::EDGES[edge][0], b = marching::EDGES[edge][1];
        return crossing(corner(cell, a), corner(cell, b), code >> a & 1);
    }

    static Cell corner(const Cell& c, unsigned i) { return {c[0] + int(i >> 2 & 1), c[1] + int(i >> 1 & 1), c[2] + int(i & 1)}; }

    // Where the field of the mesh is zero, on the edge of the grid between two voxels on different sides.
    Vec crossing(const Cell& a, const Cell& b, bool a_inside) {
        const int axis = a[0] != b[0] ? 0 : a[1] != b[1] ? 1 : 2;
        const double here = field_->at(a, a_inside), there = field_->at(b, !a_inside);
        const double t = here / (here + there);
        Vec v;
        for (int k = 0; k < 3; ++k) v[k] = a[k] * f_.spacing[k];
        v[axis] += t * (b[axis] - a[axis]) * f_.spacing[axis];
        return v;
    }

    // A cell of 2 x 2 pixels; where both diagonals differ, the pixels inside are apart.
    void squares(unsigned code, const Cell& at, bool edge) {
        static constexpr unsigned around[4] = {0, 1, 3, 2};
        const auto cut = [&](unsigned k) { return crossing(pixel(at, around[k % 4]), pixel(at, around[(k + 1) % 4]), code >> around[k % 4] & 1); };
        const auto crossed = [&](unsigned k) { return (code >> around[k % 4] & 1) != (code >> around[(k + 1) % 4] & 1); };
        if (code == 6 || code == 9) {
            for (unsigned k = 0; k < 4; ++k)
                if (code >> around[k] & 1) segment(cut(k + 3), cut(k), at, edge);
            return;
        }
        std::array<Vec, 2> end{};
        std::size_t n = 0;
        for (unsigned k = 0; k < 4; ++k)
            if (crossed(k)) end[n++] = cut(k);
        segment(end[0], end[1], at, edge);
    }

    static Cell pixel(const Cell& c, unsigned i) { return {c[0], c[1] + int(i >> 1 & 1), c[2] + int(i & 1)}; }
    void segment(const Vec& a, const Vec& b, const Cell& at, bool edge) { triangle({a, b, b}, at, edge); }

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
                    const Cell a = corner({0, 0, 0}, e[0]), b = corner({0, 0, 0}, e[1]);
                    return Vec{(a[0] + b[0]) * s[0] / 2, (a[1] + b[1]) * s[1] / 2, (a[2] + b[2]) * s[2] / 2};
                };
                for (const char* t = marching::SURFELS[code]; *t; t += 3) sum += Triangle{{middle(t[0]), middle(t[1]), middle(t[2])}}.area();
            }
            table_[code] = sum;
        }
    }

    // Faces of voxels

    void faces() {
        const std::size_t planes = f_.flat ? 1 : m_.nz - 1;
        for (std::size_t z = 0; z < planes; ++z)
            for (std::size_t y = 0; y + 1 < m_.ny; ++y) {
                const Word* here = m_.row(z, y);
                for (int axis = f_.flat ? 1 : 0; axis < 3; ++axis) {
                    const Word* other = axis == 0 ? m_.row(z + 1, y) : axis == 1 ? m_.row(z, y + 1) : here;
                    for (std::size_t w = 0; w + 1 < m_.words; ++w) {
                        const Word next = axis == 2 ? here[w] >> 1 | here[w + 1] << 63 : other[w];
                        each_bit(here[w] ^ next, 64 * w, [&](std::size_t x) { face(axis, z, y, x); });
                    }
                }
            }
    }

    void face(int axis, std::size_t z, std::size_t y, std::size_t x) {
        const std::size_t at[3] = {z, y, x}, n[3] = {m_.nz, m_.ny, m_.nx};
        const bool edge = on_end(axis, at[axis], n[axis]);
        if (edge && f_.open) return;
        const int u = (axis + 1) % 3, v = (axis + 2) % 3;
        const auto point = [&](double du, double dv) {
            Vec p;
            for (int k = 0; k < 3; ++k) p[k] = double(at[k]);
            p[axis] += 0.5, p[u] += du, p[v] += dv;
            for (int k = 0; k < 3; ++k) p[k] *= f_.spacing[k];
            return p;
        };
        const Cell cell = {std::int32_t(z), std::int32_t(y), std::int32_t(x)};
        if (f_.flat) {  // the other axis of the plane is u or v, the remaining one is z
            const double du = u == 0 ? 0 : 0.5, dv = v == 0 ? 0 : 0.5;
            segment(point(-du, -dv), point(du, dv), cell, edge);
        } else {
            const Vec a = point(-0.5, -0.5), b = point(0.5, -0.5), c = point(0.5, 0.5), d = point(-0.5, 0.5);
            triangle({a, b, c}, cell, edge);
            triangle({a, c, d}, cell, edge);
        }
    }

    // All elements in the order of the curve.
    void sort() {
        const auto order = curve_order(out_.solid ? cell_ : out_.points.point);
        const auto arrange = [&](auto& x) {
            if (x.empty()) return;
            std::remove_cvref_t<decltype(x)> y(x.size());
            for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[order[i]];
            x.swap(y);
        };
        arrange(out_.points.point);
        arrange(out_.mesh.triangle);
        arrange(out_.weight);
        arrange(out_.edge);
    }

    const BitVolume& m_;
    const Frame& f_;
    const Model model_;
    Elements out_;
    std::vector<Cell> cell_;
    std::array<double, 256> table_{};
    std::optional<Field> field_;
};

namespace detail {

template <class E, class F>
void measure(const E& from, const E& to, double snap, F&& query, Directed& out) {
    Nearest<E> nearest(to);
    for (std::size_t i = 0; i < from.size(); ++i) {
        const double d = std::sqrt(nearest.distance2(query(i)));
        out.distance[i] = d < snap ? 0 : d;  // a centre lies on its own triangle up to rounding
    }
}

}  // namespace detail

// The distances from each element of one surface to the other; infinite where that is empty.
inline Directed directed(const Elements& from, const Elements& to, const Vec& spacing, bool vertices, bool places) {
    Directed out;
    const std::size_t n = out.elements = from.size();
    out.distance.resize(n);
    if (from.solid) {
        const double snap = 1e-9 * *std::min_element(spacing.begin(), spacing.end());
        const auto& t = from.mesh.triangle;
        // The centre of a segment is not that of its triangle with two equal corners.
        const auto centre = [&](std::size_t i) {
            if (t[i].v[1] != t[i].v[2]) return t[i].centre();
            return Vec{(t[i].v[0][0] + t[i].v[1][0]) / 2, (t[i].v[0][1] + t[i].v[1][1]) / 2, (t[i].v[0][2] + t[i].v[1][2]) / 2};
        };
        detail::measure(from.mesh, to.mesh, snap, centre, out);
        for (const double d : out.distance) out.farthest = std::max(out.farthest, d);
        if (vertices && to.size()) {
            Nearest<Mesh> nearest(to.mesh);
            for (std::size_t i = 0; i < n; ++i)
                for (const Vec& v : t[i].v) {  // no further than the centre's distance and the way there
                    const Vec way = v - centre(i);
                    if (out.distance[i] + std::sqrt(dot(way, way)) > out.farthest)
                        out.farthest = std::max(out.farthest, std::sqrt(nearest.distance2(v)));
                }
        }
        if (places)
            for (std::size_t i = 0; i < n; ++i) out.place.push_back(centre(i));
    } else {
        detail::measure(from.points, to.points, 0.0, [&](std::size_t i) { return from.points.point[i]; }, out);
        for (const double d : out.distance) out.farthest = std::max(out.farthest, d);
        if (places)
            for (const auto& p : from.points.point) out.place.push_back(from.points.place(p));
    }
    for (std::size_t i = 0; i < n; ++i)
        if (from.edge[i]) out.edge += from.weight.empty() ? 1.0 : from.weight[i];
    return out;
}

}  // namespace maskmeter::surface
