// The field whose zero is the surface of the mesh: the signed distance of the voxels, smoothed by less than a voxel.
//
// The signed distance of a voxel is that to the nearest centre on the other side, and no more than the coarsest step.
// It is averaged along each axis with the weights (q, 1 - 2q, q), whose variance is half the square of the finest
// step. A voxel keeps its side: the field there is at least a tenth of the finest step away from zero. So every voxel
// of the mask lies inside the mesh and no other does, a flat face stays where it is, and steps of a staircase become
// the slope that they stand for.
//
// The field is made slice by slice, and only for voxels with a neighbour on the other side. Which voxels have one at
// a certain step is asked of 64 at once.
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
    using Word = BitVolume::Word;
    using Steps = std::array<double, 3>;

    // `ends` says which sides of the volume are the end of the image; with `open` the mask goes on beyond it.
    Field(const BitVolume& mask, const Steps& spacing, bool flat, bool open, const std::array<std::array<bool, 2>, 3>& ends)
        : nz_(std::ptrdiff_t(mask.nz)), ny_(std::ptrdiff_t(mask.ny)), nx_(std::ptrdiff_t(mask.nx)), words_((mask.nx + 127) / 64 + 2), first_(flat ? 1 : 0) {
        const std::ptrdiff_t n[3] = {nz_, ny_, nx_};
        for (int k = first_; k < 3; ++k) {
            if (open && ends[k][0]) low_[k] = 1;
            if (open && ends[k][1]) high_[k] = n[k] - 2;
        }
        least_ = *std::min_element(spacing.begin() + first_, spacing.end());
        most_ = *std::max_element(spacing.begin() + first_, spacing.end());
        for (int k = first_; k < 3; ++k) side_[k] = (least_ / spacing[k]) * (least_ / spacing[k]) / 4;
        steps(spacing);
        widen(mask);
        for (auto& plane : beside_) plane.assign(std::size_t(ny_) * words_, 0);
        const std::size_t size = std::size_t(ny_ + 2) * words_ * 64;
        distance_.assign(size, 0);
        for (auto& plane : smooth_) plane.assign(size, 0);
        for (auto& plane : field_) plane.assign(size, 0);
    }

    // Makes the field of a slice; slices come in their order from the first.
    void make(std::ptrdiff_t z) {
        if (z == 0) {
            for (std::ptrdiff_t k = -1; k <= 1; ++k) find_beside(k);
            if (!first_) smooth(-1), smooth(0);
        }
        if (first_) {
            smooth(0);
        } else {
            find_beside(z + 2);
            smooth(z + 1);
        }
        each(beside(z), [&](std::ptrdiff_t y, std::ptrdiff_t x) {
            const std::size_t i = place(y, x);
            const double mid = plane(smooth_, z)[i];
            const double value = first_ ? mid : side_[0] * (plane(smooth_, z - 1)[i] + plane(smooth_, z + 1)[i]) + (1 - 2 * side_[0]) * mid;
            plane(field_, z)[i] = std::max(inside(z, y, x) ? value : -value, least_ * MARGIN);
        });
    }

    // How far the field of a voxel is from zero, in the slice made last or the one before. Only voxels with a
    // neighbour on the other side have one.
    double at(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x) const { return field_[index<2>(z)][place(y, x)]; }

    // The voxels of a row with a one bit that continue beyond the end of an open image; bit 64 + x is voxel x.
    const Word* row(std::ptrdiff_t z, std::ptrdiff_t y) const {
        z = std::clamp(z, low_[0], high_[0]), y = std::clamp(y, low_[1], high_[1]);
        if (z < 0 || z >= nz_ || y < 0 || y >= ny_) return none_.data();
        return wide_.data() + std::size_t(z * ny_ + y) * words_;
    }

    // Calls f(x) for each voxel of a row that differs from its neighbour in another row, or by a step along x.
    template <class F>
    void each_difference(const Word* here, const Word* there, F&& f) const {
        for (std::size_t w = 0; w < words_; ++w) each_bit((here[w] ^ there[w]) & image_[w], 64 * w, [&](std::size_t bit) { f(bit - 64); });
    }
    template <class F>
    void each_difference(const Word* here, F&& f) const {
        for (std::size_t w = 0; w + 1 < words_; ++w)
            each_bit((here[w] ^ (here[w] >> 1 | here[w + 1] << 63)) & image_[w], 64 * w, [&](std::size_t bit) { f(bit - 64); });
    }

   private:
    static constexpr double MARGIN = 0.1;
    static constexpr double FAR = 63;  // steps
    static constexpr std::ptrdiff_t NOWHERE = std::numeric_limits<std::ptrdiff_t>::max();

    struct Step {
        double length;
        std::array<std::ptrdiff_t, 3> by;
    };

    template <std::size_t N>
    static std::size_t index(std::ptrdiff_t z) { return std::size_t(z + std::ptrdiff_t(N)) % N; }
    template <class T, std::size_t N>
    static T& plane(std::array<T, N>& planes, std::ptrdiff_t z) { return planes[index<N>(z)]; }

    std::size_t place(std::ptrdiff_t y, std::ptrdiff_t x) const { return std::size_t(y + 1) * words_ * 64 + std::size_t(x + 64); }
    bool inside(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x) const { return row(z, y)[(x + 64) / 64] >> ((x + 64) % 64) & 1; }
    const std::vector<Word>& beside(std::ptrdiff_t z) const { return beside_[index<4>(z)]; }

    template <class F>
    void each(const std::vector<Word>& bits, F&& f) const {
        for (std::ptrdiff_t y = 0; y < ny_; ++y)
            for (std::size_t w = 0; w < words_; ++w)
                each_bit(bits[std::size_t(y) * words_ + w], 64 * w, [&](std::size_t bit) { f(y, std::ptrdiff_t(bit) - 64); });
    }

    // The mask with room on both sides of each row, where an open image goes on.
    void widen(const BitVolume& mask) {
        none_.assign(words_, 0);
        image_.assign(words_, 0);
        for (std::size_t bit = 64; bit < mask.nx + 64; ++bit) image_[bit / 64] |= Word(1) << bit % 64;
        wide_.assign(mask.nz * mask.ny * words_, 0);
        for (std::size_t i = 0; i < mask.nz * mask.ny; ++i) {
            Word* to = wide_.data() + i * words_;
            std::copy_n(mask.row(0, 0) + i * mask.words, mask.words, to + 1);
            const auto fill = [&](std::size_t from, std::size_t end) {
                for (auto bit = from; bit < end; ++bit) to[bit / 64] |= Word(1) << bit % 64;
            };
            if (low_[2] == 1 && to[1] >> 1 & 1) fill(0, 65);
            if (const auto last = std::size_t(high_[2] + 64); high_[2] != NOWHERE && to[last / 64] >> last % 64 & 1) fill(last + 1, 64 * words_);
        }
    }

    // The voxels of a slice with a neighbour on the other side.
    void find_beside(std::ptrdiff_t z) {
        auto& out = plane(beside_, z);
        if (z < 0 || z >= nz_) return void(std::fill(out.begin(), out.end(), 0));
        for (std::ptrdiff_t y = 0; y < ny_; ++y) {
            const Word *here = row(z, y), *before = row(z, y - 1), *behind = row(z, y + 1), *below = first_ ? here : row(z - 1, y), *above = first_ ? here : row(z + 1, y);
            Word* to = out.data() + std::size_t(y) * words_;
            for (std::size_t w = 0; w < words_; ++w) {
                const Word left = here[w] << 1 | (w ? here[w - 1] >> 63 : here[w] & 1), right = here[w] >> 1 | (w + 1 < words_ ? here[w + 1] << 63 : here[w] >> 63 << 63);
                to[w] = ((here[w] ^ left) | (here[w] ^ right) | (here[w] ^ before[w]) | (here[w] ^ behind[w]) | (here[w] ^ below[w]) | (here[w] ^ above[w])) & image_[w];
            }
        }
    }

    // The signed distance of a slice, averaged along x and y, where the field here or in the next slices asks for it.
    // Both neighbours are added first, so that mirrored masks have one field.
    void smooth(std::ptrdiff_t z) {
        asked_.assign(std::size_t(ny_) * words_, 0);
        bool any = false;
        for (std::ptrdiff_t k = first_ ? z : z - 1; k <= (first_ ? z : z + 1); ++k)
            for (std::size_t i = 0; i < asked_.size(); ++i) any |= (asked_[i] |= beside(k)[i]) != 0;
        if (!any) return;
        for (std::ptrdiff_t y = -1; y <= ny_; ++y) measure(z, y);
        auto& to = plane(smooth_, z);
        const std::size_t stride = words_ * 64;
        each(asked_, [&](std::ptrdiff_t y, std::ptrdiff_t x) {
            const std::size_t i = place(y, x);
            const auto line = [&](std::size_t k) { return side_[2] * (distance_[k - 1] + distance_[k + 1]) + (1 - 2 * side_[2]) * distance_[k]; };
            to[i] = side_[1] * (line(i - stride) + line(i + stride)) + (1 - 2 * side_[1]) * line(i);
        });
    }

    // The signed distance in a row, beside the voxels that are asked for.
    void measure(std::ptrdiff_t z, std::ptrdiff_t y) {
        const Word* here = row(z, y);
        double* to = distance_.data() + std::size_t(y + 1) * words_ * 64;
        const auto asked = [&](std::size_t w) {
            Word all = 0;
            for (auto k = std::max<std::ptrdiff_t>(y - 1, 0); k <= std::min(y + 1, ny_ - 1); ++k) all |= asked_[std::size_t(k) * words_ + w];
            return all;
        };
        Word before = 0, now = asked(0);
        for (std::size_t w = 0; w < words_; ++w) {
            const Word next = w + 1 < words_ ? asked(w + 1) : 0;
            Word left = now | now << 1 | now >> 1 | before >> 63 | next << 63;
            before = now, now = next;
            const auto set = [&](Word bits, double length) {
                each_bit(bits, 64 * w, [&](std::size_t bit) { to[bit] = here[w] >> bit % 64 & 1 ? length : -length; });
            };
            for (const Step& s : near_) {
                if (!left) break;
                const Word* other = row(z + s.by[0], y + s.by[1]);
                const auto from = std::ptrdiff_t(64 * w) + s.by[2];
                const Word low = from < 0 ? 0 : other[from >> 6], high = (from >> 6) + 1 < std::ptrdiff_t(words_) ? other[(from >> 6) + 1] : 0;
                const Word found = ((low >> (from & 63) | high << 1 << (63 - (from & 63))) ^ here[w]) & left;
                set(found, s.length);
                left &= ~found;
            }
            set(left, most_);
        }
    }

    // The steps that are shorter than the coarsest one, the shortest first.
    void steps(const Steps& spacing) {
        const double limit = most_ * (1 - 1e-9);
        std::array<std::ptrdiff_t, 3> r{};
        for (int k = first_; k < 3; ++k) r[std::size_t(k)] = std::ptrdiff_t(std::min(limit / spacing[std::size_t(k)], FAR));
        for (auto z = -r[0]; z <= r[0]; ++z)
            for (auto y = -r[1]; y <= r[1]; ++y)
                for (auto x = -r[2]; x <= r[2]; ++x) {
                    const Steps d = {double(z) * spacing[0], double(y) * spacing[1], double(x) * spacing[2]};
                    const double length = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                    if (length > 0 && length < limit) near_.push_back({length, {z, y, x}});
                }
        std::stable_sort(near_.begin(), near_.end(), [](const Step& a, const Step& b) { return a.length < b.length; });
    }

    const std::ptrdiff_t nz_, ny_, nx_;
    const std::size_t words_;
    const int first_;
    std::array<std::ptrdiff_t, 3> low_{-NOWHERE, -NOWHERE, -NOWHERE}, high_{NOWHERE, NOWHERE, NOWHERE};
    double least_, most_;
    std::array<double, 3> side_{};  // the weight of each neighbour along an axis
    std::vector<Step> near_;
    std::vector<Word> wide_, none_, image_, asked_;  // image_: the bits of a row that are voxels
    std::array<std::vector<Word>, 4> beside_;
    // Rows of 64 * words_ from y = -1 on: the signed distance of one slice; averaged in its slice; the field.
    std::vector<double> distance_;
    std::array<std::vector<double>, 3> smooth_;
    std::array<std::vector<double>, 2> field_;
};

}  // namespace maskmeter
