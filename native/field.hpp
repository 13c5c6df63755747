// The field whose zero is the surface of the mesh: the signed distance of the voxels, smoothed by less than a voxel.
//
// The signed distance of a voxel is that to the nearest centre on the other side, and no more than the coarsest step.
// It is averaged along each axis with the weights (q, 1 - 2q, q), whose variance is half the square of the finest
// step. A voxel keeps its side: the field there is at least a tenth of the finest step away from zero. So every voxel
// of the mask lies inside the mesh and no other does, a flat face stays where it is, and steps of a staircase become
// the slope that they stand for.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "bit_volume.hpp"

namespace maskmeter {

class Field {
   public:
    using Cell = std::array<std::int32_t, 3>;
    using Steps = std::array<double, 3>;

    // `ends` says which sides of the volume are the end of the image; with `open` the mask goes on beyond it.
    Field(const BitVolume& mask, const Steps& spacing, bool flat, bool open, const std::array<std::array<bool, 2>, 3>& ends)
        : m_(mask), first_(flat ? 1 : 0) {
        const std::ptrdiff_t n[3] = {std::ptrdiff_t(m_.nz), std::ptrdiff_t(m_.ny), std::ptrdiff_t(m_.nx)};
        for (int k = first_; k < 3; ++k) {
            if (open && ends[k][0]) low_[k] = 1;
            if (open && ends[k][1]) high_[k] = n[k] - 2;
        }
        least_ = *std::min_element(spacing.begin() + first_, spacing.end());
        most_ = *std::max_element(spacing.begin() + first_, spacing.end());
        for (int k = first_; k < 3; ++k) ends_[k] = (least_ / spacing[k]) * (least_ / spacing[k]) / 4;
        steps(spacing);
        for (auto& s : distance_) s.values.assign(near_.empty() ? 0 : m_.ny * m_.nx, 0);
        for (auto& s : smooth_) s.values.assign(m_.ny * m_.nx, 0);
    }

    // How far the field of a voxel on this side is from zero. Voxels are asked for slice by slice.
    double at(const Cell& c, bool inside) {
        double& kept = slice(smooth_, c[0])[std::size_t(c[1]) * m_.nx + std::size_t(c[2])];
        if (kept == 0) kept = std::max(smoothed(c, inside), least_ * MARGIN);
        return kept;
    }

   private:
    static constexpr double MARGIN = 0.1;

    struct Step {
        double length;
        std::array<std::ptrdiff_t, 3> by;
    };

    // What was found of the voxels of a slice; 0 where nothing was asked yet.
    struct Slice {
        std::ptrdiff_t z = std::numeric_limits<std::ptrdiff_t>::min();
        std::vector<double> values;
    };

    template <std::size_t N>
    static std::vector<double>& slice(std::array<Slice, N>& slices, std::ptrdiff_t z) {
        Slice& s = slices[std::size_t(z + std::ptrdiff_t(N)) % N];
        if (s.z != z) {
            s.z = z;
            std::fill(s.values.begin(), s.values.end(), 0.0);
        }
        return s.values;
    }

    // Positive on the side of the voxel. Both neighbours are added first, so that mirrored masks have one field.
    double smoothed(const Cell& c, bool inside) {
        const auto line = [&](std::ptrdiff_t z, std::ptrdiff_t y) {
            const auto d = [&](std::ptrdiff_t x) { return signed_distance(z, y, x, inside); };
            return ends_[2] * (d(c[2] - 1) + d(c[2] + 1)) + (1 - 2 * ends_[2]) * d(c[2]);
        };
        const auto plane = [&](std::ptrdiff_t z) {
            return ends_[1] * (line(z, c[1] - 1) + line(z, c[1] + 1)) + (1 - 2 * ends_[1]) * line(z, c[1]);
        };
        if (first_) return plane(c[0]);
        return ends_[0] * (plane(c[0] - 1) + plane(c[0] + 1)) + (1 - 2 * ends_[0]) * plane(c[0]);
    }

    double signed_distance(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x, bool side) {
        const bool here = mask(z, y, x);
        return here == side ? to_other_side(z, y, x, here) : -to_other_side(z, y, x, here);
    }

    double to_other_side(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x, bool here) {
        if (near_.empty()) return most_;
        const bool kept_here = z >= -1 && y >= 0 && x >= 0 && y < std::ptrdiff_t(m_.ny) && x < std::ptrdiff_t(m_.nx);
        if (!kept_here) return search(z, y, x, here);
        double& kept = slice(distance_, z)[std::size_t(y) * m_.nx + std::size_t(x)];
        if (kept == 0) kept = search(z, y, x, here);
        return kept;
    }

    bool mask(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x) const {
        return m_.at(std::clamp(z, low_[0], high_[0]), std::clamp(y, low_[1], high_[1]), std::clamp(x, low_[2], high_[2]));
    }

    double search(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x, bool here) const {
        for (const auto& s : near_)
            if (mask(z + s.by[0], y + s.by[1], x + s.by[2]) != here) return s.length;
        return most_;
    }

    // The steps that are shorter than the coarsest one, the shortest first.
    void steps(const Steps& spacing) {
        const double limit = most_ * (1 - 1e-9);
        std::array<std::ptrdiff_t, 3> r{};
        for (int k = first_; k < 3; ++k) r[k] = std::ptrdiff_t(std::min(limit / spacing[k], FAR));
        for (auto z = -r[0]; z <= r[0]; ++z)
            for (auto y = -r[1]; y <= r[1]; ++y)
                for (auto x = -r[2]; x <= r[2]; ++x) {
                    const Steps d = {double(z) * spacing[0], double(y) * spacing[1], double(x) * spacing[2]};
                    const double length = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                    if (length > 0 && length < limit) near_.push_back({length, {z, y, x}});
                }
        std::stable_sort(near_.begin(), near_.end(), [](const Step& a, const Step& b) { return a.length < b.length; });
    }

    static constexpr double FAR = 64;  // steps

    static constexpr std::ptrdiff_t NOWHERE = std::numeric_limits<std::ptrdiff_t>::max();

    const BitVolume& m_;
    const int first_;
    std::array<std::ptrdiff_t, 3> low_{-NOWHERE, -NOWHERE, -NOWHERE}, high_{NOWHERE, NOWHERE, NOWHERE};
    double least_, most_;
    std::array<double, 3> ends_{};  // the weight of each neighbour along an axis
    std::vector<Step> near_;
    std::array<Slice, 4> distance_;  // voxels of two slices are asked for, and their neighbours
    std::array<Slice, 2> smooth_;
};

}  // namespace maskmeter
