// The exact distance from points to the nearest of many triangles, which lie in the cells of a grid.
//
// Eight points that lie close together are asked for at once. Rows of cells around them are searched in the order of
// their distance, and within a row the cells that reach near enough; none beyond what was found so far, which begins
// with a triangle that was near to the points beside these. Each triangle of such a stretch is measured from all eight
// in single precision, without a branch; those that may be the nearest of a point, with room for its rounding, are
// measured again in double precision.
//
// What single precision needs is made for some slices at a time, so that a surface of millions of triangles takes little
// beside itself.
//
// Where two surfaces lie far apart there are too many rows, and a tree over the triangles goes on, built when it is
// first needed.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "nearest.hpp"
#include "surface_elements.hpp"

namespace maskmeter {

class MeshSearch {
   public:
    static constexpr std::size_t lanes = 8, tile = 4;  // points at once; rows of cells, and cells of a row, that they may lie in

    MeshSearch(const surface::Elements& to, const Vec& spacing, bool flat) : to_(to), spacing_(spacing) {
        rank_.reserve(to.at.nz * to.at.ny * to.at.words);
        std::uint32_t sum = 0;
        for (std::size_t z = 0; z < to.at.nz; ++z)
            for (std::size_t y = 0; y < to.at.ny; ++y)
                for (std::size_t w = 0; w < to.at.words; ++w) rank_.push_back(sum), sum += std::uint32_t(std::popcount(to.at.row(z, y)[w]));
        across_ = to.at.nx / tile + 2;
        near_.assign((to.at.ny / tile + 2) * across_, nothing);
        double scale = 0;
        for (std::size_t k = flat ? 1 : 0; k < 3; ++k) scale = std::max(scale, spacing_[k] * double((k == 0 ? to_.at.nz : k == 1 ? to_.at.ny : to_.at.nx) + 1));
        margin_ = float(16 * scale * std::numeric_limits<float>::epsilon() + 2 * THIN * std::sqrt(dot(spacing_, spacing_)));

        const double radius = flat ? most / 2 * spacing[1] : std::sqrt(most / 3.14159 * spacing[0] * spacing[1]);
        radius2_ = square(radius);
        const auto steps = [&](int axis, std::size_t n) { return std::ptrdiff_t(std::min(radius / spacing[axis] + 1, double(n - 1))); };
        far_z_ = flat ? 0 : steps(0, to.at.nz);
        const std::ptrdiff_t far_z = far_z_, far_y = steps(1, to.at.ny);
        for (auto z = -far_z; z <= far_z; ++z)
            for (auto y = -far_y; y <= far_y + std::ptrdiff_t(tile) - 1; ++y) {
                const auto beside = std::max<std::ptrdiff_t>({-y, y - std::ptrdiff_t(tile) + 1, 0});
                const double d2 = square(double(std::max<std::ptrdiff_t>(std::abs(z) - 1, 0)) * spacing[0]) + square(double(std::max<std::ptrdiff_t>(beside - 1, 0)) * spacing[1]);
                if (d2 < radius2_) rows_.push_back({d2, std::abs(z) + beside, z, y});
            }
        std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.least2 != b.least2 ? a.least2 < b.least2 : a.steps < b.steps; });
    }

    // The squares of the distances from up to `lanes` points to the nearest triangle. Their cells lie in the slice z, the
    // rows of the tile with y and the cells of the tile with x, or the one beside it. Tiles are best asked for in their order.
    void distances2(std::size_t z, std::size_t y, std::size_t x, std::size_t n, const Vec* point, double* found) {
        if (z < made_[0] || z >= made_[1]) facets(z);
        n_ = n, point_ = point, found_ = found, count_ = 0;
        low_ = high_ = point[0];
        for (std::size_t k = 0; k < lanes; ++k) {
            const Vec& p = point[k < n ? k : 0];
            for (std::size_t a = 0; a < 3; ++a) at_[a][k] = float(p[a]), low_[a] = std::min(low_[a], p[a]), high_[a] = std::max(high_[a], p[a]);
            best_[k] = inf;
            if (k < n) found[k] = std::numeric_limits<double>::infinity();
        }
        const std::size_t here = (y / tile + 1) * across_ + x / tile + 1;
        float unused[lanes];
        for (const auto k : {here, here - 1, here - across_})
            if (near_[k] >= first_ && near_[k] < end_) measure(near_[k], unused);
        const Vec way = point[0] - last_;
        const double least = distance_ - std::sqrt(dot(way, way));
        if (least < 0 || least * least < radius2_) {
            search(z, y / tile * tile);
            choose();
        }
        for (std::size_t k = 0; k < n; ++k)
            if (!(found[k] < radius2_)) climb(k);
        near_[here] = nearest_;
        last_ = point[0], distance_ = std::sqrt(found[0]);
    }

   private:
    struct Row {
        double least2;
        std::ptrdiff_t steps, z, y;
    };
    // A triangle in single precision, in a frame of its own: one corner is its origin, another lies at (length, 0), the
    // third at (x, y) in the plane of u and v.
    struct Facet {
        float origin[3], u[3], v[3], n[3], length, x, y, per_ac, per_bc, thin;
    };
    // The triangles as a tree takes them.
    struct Ordered {
        static constexpr std::size_t leaf = 4;
        using Query = Vec;

        Ordered(const surface::Elements& to, std::vector<std::uint32_t> order) : to(to), order(std::move(order)) {}

        const surface::Elements& to;
        const std::vector<std::uint32_t> order;

        std::size_t size() const { return order.size(); }
        Vec place(const Query& q) const { return q; }
        double distance2(std::size_t i, const Query& q) const { return to.triangle(order[i]).distance2(q); }
        template <class F>
        void corners(std::size_t i, F&& f) const {
            for (const auto v : to.corners[order[i]]) f(to.vertex[v]);
        }
    };
    static constexpr std::size_t most = 400, slab = 64;  // rows around a point; slices whose facets are made at once
    static constexpr std::uint32_t nothing = std::numeric_limits<std::uint32_t>::max();
    static constexpr float inf = std::numeric_limits<float>::infinity();

    static double square(double x) { return x * x; }
    static Vec cross(const Vec& a, const Vec& b) { return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]}; }

    // The number of cells before this one.
    std::size_t rank(std::size_t z, std::size_t y, std::size_t x) const {
        const std::size_t w = (z * to_.at.ny + y) * to_.at.words + x / 64;
        return rank_[w] + std::size_t(std::popcount(to_.at.row(z, y)[x / 64] & ((BitVolume::Word(1) << x % 64) - 1)));
    }

    // The facets of what points in the slice z, and in those after it, may be near to.
    void facets(std::size_t z) {
        const std::size_t far = std::size_t(far_z_), first = z > far ? z - far : 0, last = z + slab + far;
        made_ = {z, z + slab};
        const auto before = [&](std::size_t slice) { return slice < to_.at.nz ? std::size_t(to_.start[rank(slice, 0, 0)]) : to_.size(); };
        first_ = before(first), end_ = before(last);
        facet_.clear();
        facet_.reserve(end_ - first_);
        for (std::size_t i = first_; i < end_; ++i) {
            const Triangle t = to_.triangle(i);
            const Vec b = t.v[1] - t.v[0], c = t.v[2] - t.v[0], bc = c - b;
            const double bb = dot(b, b), length = std::sqrt(bb);
            Vec u{0, 0, 1};
            if (length > 0)
                for (std::size_t k = 0; k < 3; ++k) u[k] = b[k] / length;
            Vec n = cross(b, c);
            double size = std::sqrt(dot(n, n));
            const bool thin = !(size > THIN * std::max({bb, dot(c, c), dot(bc, bc)}));
            if (thin) {  // only its sides are measured, in any frame
                Vec axis{};
                axis[std::size_t(std::min_element(u.begin(), u.end(), [](double p, double q) { return std::abs(p) < std::abs(q); }) - u.begin())] = 1;
                n = cross(u, axis), size = std::sqrt(dot(n, n));
            }
            for (auto& k : n) k /= size;
            const Vec v = cross(n, u);
            const double x = dot(c, u), y = dot(c, v);
            const auto per = [](double d2) { return d2 > 1e-30 ? float(1 / d2) : 0.0f; };
            Facet f{};
            for (std::size_t k = 0; k < 3; ++k) f.origin[k] = float(t.v[0][k]), f.u[k] = float(u[k]), f.v[k] = float(v[k]), f.n[k] = float(n[k]);
            f.length = float(length), f.x = float(x), f.y = float(y);
            f.per_ac = per(x * x + y * y), f.per_bc = per(square(x - length) + y * y), f.thin = thin ? inf : 0.0f;
            facet_.push_back(f);
        }
    }

    // The squares of the distances of all points from a triangle.
    void measure(std::size_t i, float* __restrict d2) {
        const Facet& f = facet_[i - first_];
        const float ex = f.x - f.length;
        for (std::size_t k = 0; k < lanes; ++k) {
            const float z = at_[0][k] - f.origin[0], y = at_[1][k] - f.origin[1], x = at_[2][k] - f.origin[2];
            const float p = z * f.u[0] + y * f.u[1] + x * f.u[2], q = z * f.v[0] + y * f.v[1] + x * f.v[2], h = z * f.n[0] + y * f.n[1] + x * f.n[2];
            const float r = p - f.length;
            const float ab = p - std::min(std::max(p, 0.0f), f.length);
            const float t = std::min(std::max((p * f.x + q * f.y) * f.per_ac, 0.0f), 1.0f), s = std::min(std::max((r * ex + q * f.y) * f.per_bc, 0.0f), 1.0f);
            const float ac_x = p - t * f.x, ac_y = q - t * f.y, bc_x = r - s * ex, bc_y = q - s * f.y;
            const float side = std::min(std::min(ab * ab + q * q, ac_x * ac_x + ac_y * ac_y), bc_x * bc_x + bc_y * bc_y);
            // Above the triangle where it lies on the inner side of all three sides.
            const float inner = std::min(std::min(q, f.y * p - f.x * q), ex * q - f.y * r);
            const float d = (inner > f.thin ? 0.0f : side) + h * h;
            d2[k] = d;
            best_[k] = std::min(best_[k], d);
        }
    }

    // What is not less than the square of the distance of any point.
    double bound() const {
        float top = best_[0];
        for (std::size_t k = 1; k < lanes; ++k) top = std::max(top, best_[k]);
        return square(std::sqrt(double(top)) + double(margin_));
    }

    // Measures the triangles in rows of cells around the points, nearest first, until none can hold anything nearer.
    void search(std::size_t tile_z, std::size_t tile_y) {
        const auto& at = to_.at;
        double limit2 = bound();
        for (const Row& r : rows_) {
            if (r.least2 >= limit2) break;
            const std::size_t z = std::size_t(std::ptrdiff_t(tile_z) + r.z), y = std::size_t(std::ptrdiff_t(tile_y) + r.y);
            if (z >= at.nz || y >= at.ny) continue;
            const double room = limit2 - square(gap(0, z)) - square(gap(1, y));
            if (room <= 0) continue;
            const double reach = std::sqrt(room) * (1 + 1e-9);
            const double first = std::max((low_[2] - reach) / spacing_[2] - to_.corner, 0.0), last = std::min((high_[2] + reach) / spacing_[2] - to_.corner, double(at.nx - 1));
            if (!(first <= last)) continue;
            if (stretch(z, y, std::size_t(first), std::size_t(last))) limit2 = bound();
        }
    }

    // How far the points lie from a slab of cells.
    double gap(std::size_t axis, std::size_t cell) const {
        const double edge = (double(cell) + to_.corner) * spacing_[axis];
        return std::max({edge - high_[axis], low_[axis] - edge - spacing_[axis], 0.0});
    }

    // Measures the triangles of a stretch of cells; whether there are any.
    bool stretch(std::size_t z, std::size_t y, std::size_t first, std::size_t last) {
        using Word = BitVolume::Word;
        const Word* row = to_.at.row(z, y);
        if (last - first < 64) {  // most are empty, which two words say
            const Word low = row[first / 64] >> first % 64, high = row[first / 64 + 1] << 1 << (63 - first % 64);
            if (!((low | high) & ~Word(0) >> (63 - (last - first)))) return false;
        }
        const std::size_t begin = to_.start[rank(z, y, first)], end = to_.start[rank(z, y, last + 1)];
        if (begin == end) return false;
        const std::size_t need = count_ + end - begin;
        if (candidate_.size() < need) candidate_.resize(2 * need), least2_.resize(2 * need * lanes);
        for (std::size_t i = begin; i < end; ++i) {
            candidate_[count_] = std::uint32_t(i);
            measure(i, &least2_[count_++ * lanes]);
        }
        return true;
    }

    // Measures exactly what may be the nearest.
    void choose() {
        float top = 0, limit[lanes];
        for (std::size_t k = 0; k < lanes; ++k) top = std::max(top, best_[k]);
        const float room = 2 * margin_ * (std::sqrt(top) + margin_) + top * 1e-6f;
        for (std::size_t k = 0; k < lanes; ++k) limit[k] = best_[k] + room;
        for (std::size_t k = n_; k < lanes; ++k) limit[k] = -1;
        for (std::size_t c = 0; c < count_; ++c) {
            std::uint32_t near = 0;
            for (std::size_t k = 0; k < lanes; ++k) near |= least2_[c * lanes + k] <= limit[k] ? 1u << k : 0u;
            if (!near) continue;
            const Triangle t = to_.triangle(candidate_[c]);
            for (; near; near &= near - 1) {
                const auto k = std::size_t(std::countr_zero(near));
                if (const double d2 = t.distance2(point_[k]); d2 < found_[k]) found_[k] = d2, nearest_ = candidate_[c];
            }
        }
    }

    // Where all is far away.
    void climb(std::size_t k) {
        if (!tree_) {
            std::vector<std::array<std::int32_t, 3>> cell;
            for (std::size_t i = 0; i < to_.size(); ++i) {
                const Vec c = to_.triangle(i).centre();
                cell.push_back({std::int32_t(c[0] / spacing_[0] + 1), std::int32_t(c[1] / spacing_[1] + 1), std::int32_t(c[2] / spacing_[2] + 1)});
            }
            ordered_ = std::make_unique<Ordered>(to_, curve_order(cell));
            tree_ = std::make_unique<Nearest<Ordered>>(*ordered_);
        }
        found_[k] = tree_->distance2(point_[k]);
        nearest_ = ordered_->order[tree_->nearest()];
    }

    static constexpr double THIN = 1e-5;  // the width of a triangle by its length, below which only its sides are measured

    const surface::Elements& to_;
    const Vec spacing_;
    std::vector<std::uint32_t> rank_;
    std::vector<Facet> facet_;              // of the triangles from first_ to end_
    std::size_t first_ = 0, end_ = 0;
    std::array<std::size_t, 2> made_{0, 0};  // slices of points that they serve
    std::ptrdiff_t far_z_ = 0;
    float margin_ = 0;  // more than single precision errs
    std::vector<Row> rows_;
    double radius2_;
    std::size_t across_;
    std::vector<std::uint32_t> near_;  // by tile of y and x, the triangle that was found last
    std::uint32_t nearest_ = nothing;
    std::unique_ptr<Ordered> ordered_;
    std::unique_ptr<Nearest<Ordered>> tree_;
    Vec last_{};  // a point that was asked for before, and how far from all triangles it was
    double distance_ = 0;
    // Of the points at hand:
    std::size_t n_ = 0;
    const Vec* point_ = nullptr;
    double* found_ = nullptr;
    Vec low_{}, high_{};
    float at_[3][lanes] = {}, best_[lanes] = {};
    std::size_t count_ = 0;
    std::vector<std::uint32_t> candidate_;  // triangles, and the squares of their distances from each point
    std::vector<float> least2_;
};

}  // namespace maskmeter
