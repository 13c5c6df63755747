// The exact distance from a point to the nearest of many triangles, which lie in the cells of a grid.
//
// The cells are bits of a volume. Rows of cells around the point are searched in the order of their distance from it,
// and within a row the cells that reach near enough; none beyond what was found so far. The triangles of a stretch of
// a row lie side by side. Each has a disc around it, in its plane: a triangle is measured only if its disc is near
// enough, which is asked of eight at once, in single precision and with room for its rounding; what is left is
// measured in double precision. It begins with the triangle that was nearest to the point before.
//
// Where two surfaces lie far apart there are too many rows, and a tree over the triangles goes on, built when it is
// first needed.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "nearest.hpp"
#include "surface_elements.hpp"

namespace maskmeter {

class MeshSearch {
   public:
    MeshSearch(const surface::Elements& to, const Vec& spacing, bool flat) : to_(to), spacing_(spacing), snap2_(square(1e-9 * least(spacing, flat))) {
        rank_.reserve(to.at.nz * to.at.ny * to.at.words);
        std::uint32_t sum = 0;
        for (std::size_t z = 0; z < to.at.nz; ++z)
            for (std::size_t y = 0; y < to.at.ny; ++y)
                for (std::size_t w = 0; w < to.at.words; ++w) rank_.push_back(sum), sum += std::uint32_t(std::popcount(to.at.row(z, y)[w]));
        discs(flat);

        const double radius = flat ? most / 2 * spacing[1] : std::sqrt(most / 3.14159 * spacing[0] * spacing[1]);
        radius2_ = square(radius);
        const auto steps = [&](int axis, std::size_t n) { return std::ptrdiff_t(std::min(radius / spacing[axis] + 1, double(n - 1))); };
        const std::ptrdiff_t far_z = flat ? 0 : steps(0, to.at.nz), far_y = steps(1, to.at.ny);
        const auto gap = [&](int axis, std::ptrdiff_t n) { return square(double(std::max<std::ptrdiff_t>(std::abs(n) - 1, 0)) * spacing[axis]); };
        for (auto z = -far_z; z <= far_z; ++z)
            for (auto y = -far_y; y <= far_y; ++y)
                if (const double d2 = gap(0, z) + gap(1, y); d2 < radius2_) rows_.push_back({d2, z, y});
        std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.least2 != b.least2 ? a.least2 < b.least2 : std::abs(a.z) + std::abs(a.y) < std::abs(b.z) + std::abs(b.y); });
    }

    // The square of the distance from a point in the cell (z, y, x) to the nearest triangle. Points are best asked for
    // in the order of their cells.
    double distance2(std::size_t z, std::size_t y, std::size_t x, const Vec& p) {
        p_ = p;
        best_ = to_.triangle[last_].distance2(p);
        if (to_.at.at(z, y, x)) {
            const std::size_t cell = rank(z, y, x);
            for (auto i = to_.start[cell]; i < to_.start[cell + 1]; ++i) try_triangle(i);
            if (best_ < snap2_) return best_;
        }
        narrow();
        const Vec way = p - at_;
        const double least = distance_ - std::sqrt(dot(way, way));
        if (least < 0 || least * least < radius2_) search(z, y, x);
        if (!(best_ < radius2_)) climb();
        at_ = p;
        distance_ = std::sqrt(best_);
        return best_;
    }

   private:
    struct Row {
        double least2;
        std::ptrdiff_t z, y;
    };
    static constexpr std::size_t most = 600, wide = 8;  // rows around a point; discs at once
    static constexpr float inf = std::numeric_limits<float>::infinity();

    static double square(double x) { return x * x; }
    static double least(const Vec& s, bool flat) { return flat ? std::min(s[1], s[2]) : std::min({s[0], s[1], s[2]}); }

    // The number of cells before this one.
    std::size_t rank(std::size_t z, std::size_t y, std::size_t x) const {
        const std::size_t w = (z * to_.at.ny + y) * to_.at.words + x / 64;
        return rank_[w] + std::size_t(std::popcount(to_.at.row(z, y)[x / 64] & ((BitVolume::Word(1) << x % 64) - 1)));
    }

    void try_triangle(std::size_t i) {
        if (const double d2 = to_.triangle[i].distance2(p_); d2 < best_) best_ = d2, last_ = i;
    }

    // The least disc around each triangle: on its longest side, or through its corners where they make no blunt angle.
    void discs(bool flat) {
        const std::size_t n = to_.triangle.size();
        for (auto& x : disc_) x.resize(n + wide, 0);
        double scale = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const auto& v = to_.triangle[i].v;
            Vec side[3] = {v[1] - v[0], v[2] - v[1], v[0] - v[2]};
            double length2[3];
            for (int k = 0; k < 3; ++k) length2[k] = dot(side[k], side[k]);
            const int longest = int(std::max_element(length2, length2 + 3) - length2);
            const Vec &a = v[longest], &b = v[(longest + 1) % 3], &c = v[(longest + 2) % 3];
            Vec normal{}, centre{};
            for (int k = 0; k < 3; ++k) centre[k] = (a[k] + b[k]) / 2;
            const Vec ab = b - a, ac = c - a;
            if (flat) {
                normal = {0, -ab[2], ab[1]};
            } else {
                for (int k = 0; k < 3; ++k) normal[k] = ab[(k + 1) % 3] * ac[(k + 2) % 3] - ab[(k + 2) % 3] * ac[(k + 1) % 3];
                const double area2 = dot(normal, normal), blunt = dot(c - a, c - b);
                if (blunt > 0 && area2 > 0) {  // the centre lies above the middle of ab, towards c
                    const double up = blunt * dot(ab, ab) / (2 * area2);
                    for (int k = 0; k < 3; ++k) centre[k] += up * (dot(ab, ab) * ac[k] - dot(ab, ac) * ab[k]) / dot(ab, ab);
                }
            }
            const double length = std::sqrt(dot(normal, normal)), radius = std::sqrt(std::max({dot(a - centre, a - centre), dot(b - centre, b - centre), dot(c - centre, c - centre)}));
            for (int k = 0; k < 3; ++k) {
                disc_[std::size_t(k)][i] = float(centre[k]);
                disc_[std::size_t(3 + k)][i] = length > 0 ? float(normal[k] / length) : 0.0f;
                scale = std::max(scale, std::abs(centre[k]));
            }
            disc_[6][i] = float(radius);
        }
        for (int k = 0; k < 3; ++k) scale = std::max(scale, spacing_[k] * double(k == 0 ? to_.at.nz : k == 1 ? to_.at.ny : to_.at.nx));
        margin_ = float(32 * scale * std::numeric_limits<float>::epsilon());
        for (std::size_t i = 0; i < n; ++i) disc_[6][i] += margin_;
    }

    void narrow() { limit2_ = float(square(std::sqrt(best_) + margin_)); }

    void search(std::size_t z, std::size_t y, std::size_t x) {
        const auto& at = to_.at;
        for (const Row& r : rows_) {
            if (r.least2 >= best_) break;
            const std::size_t row_z = std::size_t(std::ptrdiff_t(z) + r.z), row_y = std::size_t(std::ptrdiff_t(y) + r.y);
            if (row_z >= at.nz || row_y >= at.ny) continue;
            const double room = best_ - square(gap(0, row_z)) - square(gap(1, row_y));
            if (room <= 0) continue;
            const double reach = std::sqrt(room), middle = p_[2] / spacing_[2] - to_.corner, half = reach / spacing_[2] + 1e-6;
            const double from = std::max(middle - half, 0.0), to = std::min(middle + half, double(at.nx - 1));
            if (!(from <= to)) continue;
            stretch(rank(row_z, row_y, std::size_t(from)), rank(row_z, row_y, std::size_t(to) + 1));
        }
        (void)x;
    }

    // How far the point lies from a slab of cells.
    double gap(int axis, std::size_t cell) const {
        const double low = (double(cell) + to_.corner) * spacing_[axis] - p_[axis];
        return std::max({low, -low - spacing_[axis], 0.0});
    }

    // The triangles of a stretch of cells.
    void stretch(std::size_t first, std::size_t end) {
        if (first == end) return;
        const std::size_t stop = to_.start[end];
        const float pz = float(p_[0]), py = float(p_[1]), px = float(p_[2]);
        for (std::size_t i = to_.start[first]; i < stop; i += wide) {
            std::int32_t near[wide];
            const float *cz = &disc_[0][i], *cy = &disc_[1][i], *cx = &disc_[2][i], *nz = &disc_[3][i], *ny = &disc_[4][i], *nx = &disc_[5][i], *radius = &disc_[6][i];
            for (std::size_t k = 0; k < wide; ++k) {
                const float z = pz - cz[k], y = py - cy[k], x = px - cx[k], r2 = radius[k] * radius[k];
                const float above = std::max(std::abs(z * nz[k] + y * ny[k] + x * nx[k]) - margin_, 0.0f);
                const float room = limit2_ - above * above;           // for what lies in the plane: (distance - radius)^2
                const float beyond = z * z + y * y + x * x - r2 - limit2_;  // (distance^2 - radius^2 - room) in the plane
                near[k] = (room >= 0) & ((beyond <= 0) | (beyond * beyond <= 4 * r2 * room));
            }
            for (std::size_t k = 0; k < std::min(wide, stop - i); ++k)
                if (near[k]) {
                    const double before = best_;
                    try_triangle(i + k);
                    if (best_ < before) narrow();
                }
        }
    }

    void climb() {
        if (!tree_) {
            std::vector<std::array<std::int32_t, 3>> cell;
            for (const auto& t : to_.triangle) {
                const Vec c = t.centre();
                cell.push_back({std::int32_t(c[0] / spacing_[0] + 1), std::int32_t(c[1] / spacing_[1] + 1), std::int32_t(c[2] / spacing_[2] + 1)});
            }
            order_ = curve_order(cell);
            mesh_ = std::make_unique<Mesh>();
            for (const auto i : order_) mesh_->triangle.push_back(to_.triangle[i]);
            tree_ = std::make_unique<Nearest<Mesh>>(*mesh_);
        }
        best_ = tree_->distance2(p_);
        last_ = order_[tree_->nearest()];
    }

    const surface::Elements& to_;
    const Vec spacing_;
    const double snap2_;  // a point lies on its own triangle up to rounding
    std::vector<std::uint32_t> rank_;
    std::array<std::vector<float>, 7> disc_;  // of each triangle: centre, normal, radius
    float margin_ = 0;                        // more than single precision errs
    std::vector<Row> rows_;
    double radius2_;
    std::vector<std::uint32_t> order_;
    std::unique_ptr<Mesh> mesh_;
    std::unique_ptr<Nearest<Mesh>> tree_;
    // Of the point before: where it was, how far from all triangles, and the nearest.
    Vec at_{};
    double distance_ = 0;
    std::size_t last_ = 0;
    // Of the point at hand:
    Vec p_{};
    double best_ = 0;
    float limit2_ = inf;
};

}  // namespace maskmeter
