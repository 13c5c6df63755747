// Topology of binary figures in two and three dimensions: Euler numbers, and thinning that keeps it.
//
// The Euler number is added up over the corners of the grid: the 2x2(x2) pixels round a corner say how many
// vertices, edges, faces and cells of the figure lie there, in units of 1/4 (1/8). For a figure whose pixels hang
// together by their corners (8, 26 neighbours) the pixels are closed cells, for 4 and 6 they are open ones.
//
// Thinning deletes simple points: those without which figure and background hang together as before (8 and 26
// neighbours for the figure, 4 and 6 for the background). It peels a layer from each side in turn; within a layer
// one point after the other, in the order of their indices, each looked at again when its turn comes. So the result
// is homotopic to the figure whatever its width, and the same on every machine. The ends of curves are kept.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace maskmeter::topology {

// Contributions to 8 times (in a plane 4 times) the Euler number; bit z*4 + y*2 + x is a pixel.
inline std::array<std::int8_t, 256> euler_table(bool plane, bool diagonal) {
    std::array<std::int8_t, 256> table{};
    const int bits = plane ? 4 : 8, axes = plane ? 2 : 3;
    for (int code = 0; code < (1 << bits); ++code) {
        int sum = 0;
        for (int free = 0; free < (1 << axes); ++free) {  // the axes along which the cell extends
            const int sign = std::popcount(static_cast<unsigned>(free)) % 2 ? -1 : 1;
            const int weight = 1 << (axes - std::popcount(static_cast<unsigned>(free)));
            for (int at = 0; at < (1 << axes); ++at) {  // on which side, for those axes
                if (at & ~free) continue;
                bool any = false, all = true;
                for (int rest = 0; rest < (1 << axes); ++rest) {  // the pixels round this cell
                    if (rest & free) continue;
                    const bool on = code >> (at | rest) & 1;
                    any |= on;
                    all &= on;
                }
                sum += sign * weight * (diagonal ? any : all);
            }
        }
        if (!diagonal && axes == 3) sum = -sum;  // cells of the figure count as points, pixels first
        table[static_cast<std::size_t>(code)] = static_cast<std::int8_t>(sum);
    }
    return table;
}

// `mask` has `depth` x `height` x `width` bytes of 0 and 1; beyond it is background.
inline std::int64_t euler(const std::uint8_t* mask, std::size_t depth, std::size_t height, std::size_t width, bool plane, bool diagonal) {
    const auto table = euler_table(plane, diagonal);
    const std::vector<std::uint8_t> nothing(width, 0);
    std::int64_t sum = 0;
    const auto row = [&](std::size_t z, std::size_t y) {  // counted from 1
        return z < 1 || z > depth || y < 1 || y > height ? nothing.data() : mask + ((z - 1) * height + y - 1) * width;
    };
    for (std::size_t z = plane ? 1 : 0; z <= depth; ++z)
        for (std::size_t y = 0; y <= height; ++y) {
            const std::uint8_t *a = row(z, y), *b = row(z, y + 1);
            const std::uint8_t *c = plane ? nothing.data() : row(z + 1, y), *d = plane ? nothing.data() : row(z + 1, y + 1);
            unsigned before = 0;
            for (std::size_t x = 0; x < width; ++x) {
                const unsigned now = (a[x] | b[x] << 2 | c[x] << 4 | d[x] << 6) << 1;
                sum += table[before | now];
                before = now >> 1;
            }
            sum += table[before];
        }
    return sum / (plane ? 4 : 8);
}

class Thinning {
   public:
    Thinning(std::size_t depth, std::size_t height, std::size_t width, bool plane)
        : depth_(depth), height_(height), width_(width), plane_(plane), dy_(width + 2), dz_((width + 2) * (height + 2)) {
        for (int k = 0; k < 27; ++k) {
            const int z = k / 9 - 1, y = k / 3 % 3 - 1, x = k % 3 - 1;
            offset_[k] = z * dz_ + y * dy_ + x;
            const int steps = (z != 0) + (y != 0) + (x != 0);
            if (steps == 0 || (plane && z != 0)) continue;
            around_ |= 1u << k;
            if (steps == 1) faces_ |= 1u << k;
            if (steps <= 2) near_ |= 1u << k;
            for (int j = 0; j < 27; ++j) {
                const int v = j / 9 - 1, u = j / 3 % 3 - 1, t = j % 3 - 1;
                const int far = std::max({std::abs(v - z), std::abs(u - y), std::abs(t - x)});
                const int sum = std::abs(v - z) + std::abs(u - y) + std::abs(t - x);
                if (j == 13 || (plane && v != 0) || sum == 0) continue;
                if (far == 1) touch_[k] |= 1u << j;
                if (sum == 1) beside_[k] |= 1u << j;
            }
        }
        if (!plane) return;
        near_ = around_;
        for (unsigned code = 0; code < 512; ++code) in_plane_[code] = judged(code << 9 & around_);
    }

    // Leaves in `mask` (bytes of 0 and 1) the skeleton.
    void thin(std::uint8_t* mask) {
        grid_.assign(static_cast<std::size_t>(dz_) * (depth_ + 2), 0);
        for (std::size_t z = 0; z < depth_; ++z)
            for (std::size_t y = 0; y < height_; ++y)
                std::copy_n(mask + (z * height_ + y) * width_, width_, grid_.data() + (z + 1) * dz_ + (y + 1) * dy_ + 1);
        for (std::size_t i = 0; i < grid_.size(); ++i)
            if (grid_[i] && border(i)) waiting_.push_back(i), grid_[i] |= queued;
        const int directions[] = {4, 22, 10, 16, 12, 14};  // from both sides of each axis
        std::vector<std::size_t> layer, kept;
        for (bool changed = true; changed;) {
            changed = false;
            std::vector<std::size_t> before;  // whoever no deletion touches from here on is done
            std::swap(before, waiting_);
            std::sort(before.begin(), before.end());
            for (auto i : before) grid_[i] &= figure;
            for (int direction : directions) {
                if (plane_ && (direction == 4 || direction == 22)) continue;
                layer.clear();
                for (auto i : before)
                    if (grid_[i] && !(grid_[i + offset_[direction]] & figure) && (grid_[i - offset_[direction]] & figure) && deletable(i))
                        layer.push_back(i);
                for (auto i : layer) {
                    if (!deletable(i)) continue;
                    grid_[i] = 0;
                    changed = true;
                    for (unsigned left = around_; left; left &= left - 1) {
                        const std::size_t j = i + offset_[std::countr_zero(left)];
                        if (grid_[j] == figure) waiting_.push_back(j), grid_[j] |= queued;
                    }
                }
            }
        }
        for (std::size_t i = 0; i < grid_.size(); ++i) {
            if (!(grid_[i] & figure) || !deletable(i)) continue;
            bool alone = true;
            for (unsigned left = around_; left; left &= left - 1) alone &= grid_[i + offset_[std::countr_zero(left)]] != gone;
            if (alone) grid_[i] = gone;
        }
        for (std::size_t z = 0; z < depth_; ++z)
            for (std::size_t y = 0; y < height_; ++y)
                for (std::size_t x = 0; x < width_; ++x)
                    mask[(z * height_ + y) * width_ + x] = grid_[(z + 1) * dz_ + (y + 1) * dy_ + x + 1] & figure;
    }

   private:
    static constexpr std::uint8_t figure = 1, queued = 2, gone = 4;

    bool border(std::size_t i) const {
        for (unsigned left = faces_; left; left &= left - 1)
            if (!(grid_[i + offset_[std::countr_zero(left)]] & figure)) return true;
        return false;
    }

    bool deletable(std::size_t i) const {
        unsigned on = 0;
        if (plane_) {
            for (int k = 9; k < 18; ++k) on |= static_cast<unsigned>(grid_[i + offset_[k]] & figure) << (k - 9);
            return in_plane_[on];
        }
        for (int k = 0; k < 27; ++k) on |= static_cast<unsigned>(grid_[i + offset_[k]] & figure) << k;
        return judged(on & around_);
    }

    // Whether a point with these neighbours is simple and not the end of a curve.
    bool judged(unsigned on) const {
        if (std::popcount(on) < 2) return false;  // the end of a curve, or a single point
        const unsigned off = around_ & ~on & near_;
        return connected(on, on, touch_) && connected(off & faces_, off, beside_);
    }

    // Whether all of `wanted` (at least one) hang together within `among`.
    bool connected(unsigned wanted, unsigned among, const std::array<unsigned, 27>& neighbours) const {
        if (!wanted) return false;
        unsigned found = wanted & (0u - wanted), fresh = found;
        while (fresh) {
            unsigned next = 0;
            for (; fresh; fresh &= fresh - 1) next |= neighbours[static_cast<std::size_t>(std::countr_zero(fresh))];
            fresh = next & among & ~found;
            found |= fresh;
        }
        return !(wanted & ~found);
    }

    std::size_t depth_, height_, width_;
    bool plane_;
    std::ptrdiff_t dy_, dz_;
    std::ptrdiff_t offset_[27];
    unsigned around_ = 0, faces_ = 0, near_ = 0;
    std::array<unsigned, 27> touch_{}, beside_{};
    std::array<bool, 512> in_plane_{};
    std::vector<std::uint8_t> grid_;  // one background pixel wider on every side
    std::vector<std::size_t> waiting_;
};

}  // namespace maskmeter::topology
