// A binary mask as rows of bits: 64 voxels a word, with a margin of one voxel outside the mask all around.
//
// A volume is cut from a map of labels: the voxels of one label inside a box. Axes are z, y, x, the last the
// fastest; a plane (`flat`) has no margin along z and no neighbours there. Everything that asks about neighbours is
// then a few word operations for 64 voxels at once.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace maskmeter {

// A box of voxels in an image, upper ends excluded.
struct Box {
    std::array<std::size_t, 3> lo, hi;
};

class BitVolume {
   public:
    using Word = std::uint64_t;
    static constexpr std::size_t bits = 64;

    BitVolume(std::size_t nz, std::size_t ny, std::size_t nx)
        : nz(nz), ny(ny), nx(nx), words((nx + bits - 1) / bits + 1), data_(nz * ny * words + 1, 0) {}

    // The voxels of `label` in a map of labels of this shape.
    template <class T>
    static BitVolume of(const T* labels, const std::array<std::size_t, 3>& shape, const Box& box, bool flat, T label) {
        const std::size_t margin = flat ? 0 : 1, width = box.hi[2] - box.lo[2];
        BitVolume out(box.hi[0] - box.lo[0] + 2 * margin, box.hi[1] - box.lo[1] + 2, width + 2);
        for (std::size_t z = box.lo[0]; z < box.hi[0]; ++z)
            for (std::size_t y = box.lo[1]; y < box.hi[1]; ++y)
                pack(labels + (z * shape[1] + y) * shape[2] + box.lo[2], width, label, out.row(z - box.lo[0] + margin, y - box.lo[1] + 1));
        return out;
    }

    // One word more than the voxels need, which is 0, and one before the first row: row[-1] and row[w + 1] can always
    // be read.
    Word* row(std::size_t z, std::size_t y) { return data_.data() + 1 + (z * ny + y) * words; }
    const Word* row(std::size_t z, std::size_t y) const { return data_.data() + 1 + (z * ny + y) * words; }

    bool at(std::size_t z, std::size_t y, std::size_t x) const { return row(z, y)[x / bits] >> (x % bits) & 1; }

    // The voxel at an offset; beyond the volume nothing is inside.
    bool at(std::ptrdiff_t z, std::ptrdiff_t y, std::ptrdiff_t x) const {
        return z >= 0 && y >= 0 && x >= 0 && z < std::ptrdiff_t(nz) && y < std::ptrdiff_t(ny) && x < std::ptrdiff_t(nx) &&
               at(std::size_t(z), std::size_t(y), std::size_t(x));
    }

    std::size_t count() const {
        std::size_t n = 0;
        for (const auto w : data_) n += std::size_t(std::popcount(w));
        return n;
    }

    const std::size_t nz, ny, nx, words;

   private:
    // Voxel x becomes bit x + 1.
    template <class T>
    static void pack(const T* labels, std::size_t width, T label, Word* out) {
        Word before = 0;
        std::size_t x = 0;
        for (; x + bits <= width; x += bits) {
            const Word here = word(labels + x, bits, label);
            *out++ = here << 1 | before >> 63;
            before = here;
        }
        const Word here = x < width ? word(labels + x, width - x, label) : 0;
        *out++ = here << 1 | before >> 63;
    }

    template <class T>
    static Word word(const T* labels, std::size_t n, T label) {
        alignas(16) std::uint8_t same[bits] = {};
        for (std::size_t k = 0; k < n; ++k) same[k] = labels[k] == label;
        Word out = 0;
        if constexpr (std::endian::native == std::endian::little) {
            for (std::size_t k = 0; k < 8; ++k) {
                Word eight;
                std::memcpy(&eight, same + 8 * k, 8);
                out |= (eight * 0x0102040810204080ull >> 56) << 8 * k;  // the low bits of eight bytes, side by side
            }
        } else {
            for (std::size_t k = 0; k < bits; ++k) out |= Word(same[k]) << k;
        }
        return out;
    }

    std::vector<Word> data_;
};

// Calls f(x) for each set bit of a word that begins at voxel `from`.
template <class F>
inline void each_bit(BitVolume::Word word, std::size_t from, F&& f) {
    for (; word; word &= word - 1) f(from + std::size_t(std::countr_zero(word)));
}

// The 64 voxels of a row around x, from x - 32 on; those beyond the row are 0.
inline BitVolume::Word window(const BitVolume::Word* row, std::size_t x) {
    const std::ptrdiff_t w = (std::ptrdiff_t(x) - 32) >> 6;
    const unsigned shift = unsigned(x - 32) & 63;
    return row[w] >> shift | row[w + 1] << 1 << (63 - shift);
}

// How many steps along a row from x to the nearest set bit, to either side, if that is below `limit`; else `limit` or
// more. With `flip` all ones the nearest bit that is not set.
inline std::size_t steps_to_bit(const BitVolume::Word* row, std::size_t words, std::size_t x, std::size_t limit, BitVolume::Word flip = 0) {
    constexpr std::size_t half = BitVolume::bits / 2;
    const auto near = window(row, x) ^ flip;
    const auto steps = std::size_t(std::min(std::countr_zero(std::uint32_t(near >> half)), std::countl_zero(std::uint32_t(near)) + 1));
    if (steps < half || limit <= half) return steps;
    std::size_t found = limit;
    for (std::size_t at = (x + half) / 64, skip = (x + half) % 64; at < words && 64 * at < x + found; ++at, skip = 0)
        if (const auto w = (row[at] ^ flip) >> skip << skip) found = std::min(found, 64 * at + std::size_t(std::countr_zero(w)) - x);
    for (std::size_t at = x / 64 + 1; at-- > 0 && x < 64 * at + 63 + found;)
        if (const auto w = 64 * at + 63 <= x ? row[at] ^ flip : (row[at] ^ flip) << (63 - x % 64) >> (63 - x % 64))
            found = std::min(found, x - (64 * at + 63 - std::size_t(std::countl_zero(w))));
    return found;
}

}  // namespace maskmeter
