// The exact distance from a point of a grid to the nearest of many others, which are the bits of a volume.
//
// Rows around the point are searched in the order of their distance from it; within a row the nearest bit is found in
// a window of 64 voxels, by counting zeros. No row beyond the nearest point found so far is looked at, so that two
// surfaces close together cost a few rows a point. Where they lie far apart there are too many rows: a tree over the
// points, built when it is first needed, goes on with what was found.
//
// A distance is the root of the sum of (steps x spacing)^2, so that equal steps have equal distances to the last bit.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "bit_volume.hpp"
#include "nearest.hpp"

namespace maskmeter {

class GridSearch {
   public:
    GridSearch(const BitVolume& to, const Vec& spacing, bool flat) : to_(to), spacing_(spacing) {
        for (std::size_t n = 0; n <= half; ++n) along_[n] = square(double(n) * spacing[2]);
        const double radius = flat ? most / 2 * spacing[1] : std::sqrt(most / 3.14159 * spacing[0] * spacing[1]);
        radius2_ = radius * radius;
        const auto steps = [&](int axis, std::size_t n) { return std::ptrdiff_t(std::min(radius / spacing[axis], double(n - 1))); };
        const std::ptrdiff_t far_z = flat ? 0 : steps(0, to.nz), far_y = steps(1, to.ny);
        for (auto z = -far_z; z <= far_z; ++z)
            for (auto y = -far_y; y <= far_y; ++y) {
                const double d2 = square(double(z) * spacing[0]) + square(double(y) * spacing[1]);
                if (d2 < radius2_) rows_.push_back({d2, (z * std::ptrdiff_t(to.ny) + y) * std::ptrdiff_t(to.words), z, y});
            }
        std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.d2 < b.d2; });
    }

    // The square of the distance from a voxel to the nearest point. Voxels are best asked for in their order: how far
    // the one before was, less and more the way from there, says between which distances the answer lies.
    double distance2(std::size_t z, std::size_t y, std::size_t x) {
        const Vec at = {double(z) * spacing_[0], double(y) * spacing_[1], double(x) * spacing_[2]}, way = at - last_;
        const double step = std::sqrt(dot(way, way)), least = distance_ - step;
        last_ = at;
        double best = inf;
        if (!known_ || least < 0 || least * least < radius2_) best = search(z, y, x, known_ ? square((distance_ + step) * (1 + 1e-9)) : inf);
        if (!(best < radius2_)) best = climb(z, y, x);
        distance_ = std::sqrt(best);
        known_ = true;
        return best;
    }

   private:
    using Word = BitVolume::Word;
    struct Row {
        double d2;
        std::ptrdiff_t words, z, y;
    };
    static constexpr std::size_t most = 800, half = 32;  // rows around a point; voxels of a window on either side
    static constexpr double inf = std::numeric_limits<double>::infinity();

    static double square(double x) { return x * x; }

    // `limit` is not less than what is sought.
    double search(std::size_t z, std::size_t y, std::size_t x, double limit) const {
        const Word* here = to_.row(z, y);
        double best = limit;
        for (const Row& r : rows_) {
            if (r.d2 >= best) break;
            if (std::size_t(std::ptrdiff_t(z) + r.z) >= to_.nz || std::size_t(std::ptrdiff_t(y) + r.y) >= to_.ny) continue;
            std::size_t limit_x = half;
            if (r.d2 + along_[half] < best) limit_x = best < inf ? std::size_t(std::sqrt(best - r.d2) / spacing_[2]) + 2 : to_.nx;
            const std::size_t n = steps_to_bit(here + r.words, to_.words, x, limit_x);
            if (n < limit_x) best = std::min(best, r.d2 + (n < half ? along_[n] : square(double(n) * spacing_[2])));
        }
        return best;
    }

    double climb(std::size_t z, std::size_t y, std::size_t x) {
        if (!tree_) {
            std::vector<Points::Query> point;
            for (std::size_t k = 0; k < to_.nz; ++k)
                for (std::size_t j = 0; j < to_.ny; ++j)
                    for (std::size_t w = 0; w + 1 < to_.words; ++w)
                        each_bit(to_.row(k, j)[w], 64 * w, [&](std::size_t i) { point.push_back({std::int32_t(k), std::int32_t(j), std::int32_t(i)}); });
            const auto order = curve_order(point);
            points_ = std::make_unique<Points>();
            points_->spacing = spacing_;
            for (const auto i : order) points_->point.push_back(point[i]);
            tree_ = std::make_unique<Nearest<Points>>(*points_);
        }
        return tree_->distance2({std::int32_t(z), std::int32_t(y), std::int32_t(x)});
    }

    const BitVolume& to_;
    const Vec spacing_;
    std::vector<Row> rows_;
    double along_[half + 1], radius2_;
    std::unique_ptr<Points> points_;
    std::unique_ptr<Nearest<Points>> tree_;
    // Of the voxel before: where it was and how far from all points.
    Vec last_{};
    double distance_ = 0;
    bool known_ = false;
};

}  // namespace maskmeter
