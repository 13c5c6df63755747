// From the inflated bytes of a PNG to its samples: unfilter, de-interlace, unpack. No Python here.
//
// The bytes are rows, each behind one byte that names its filter; an interlaced image is seven small
// images of such rows. A filter predicts a byte from its neighbours left (a), above (b) and above left
// (c) at the distance of one pixel, and the file holds the difference. Undoing Sub, Average and Paeth
// is a chain from byte to byte, but label maps are mostly runs, and in a run it can be foretold:
//
//   - where a == c, Paeth predicts b; while the differences are zero, a == c holds for the next pixel
//     as well, so the bytes are a copy of the row above;
//   - where b == c, Paeth predicts a; where a == b, so does Average: the pixel repeats.
//
// The result is exact; only the speed depends on the data.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define MASKMETER_SSE2 1
#endif

namespace maskmeter::png {

using Byte = std::uint8_t;

struct Layout {
    std::size_t width, height, bits, channels;
    bool interlaced;
    std::size_t row_bytes(std::size_t pixels) const { return (pixels * bits * channels + 7) / 8; }
    std::size_t pixel_bytes() const { return std::max<std::size_t>(1, bits * channels / 8); }
};

// One of the images a PNG is made of: the pixels (x0 + i * dx, y0 + j * dy). Not interlaced: one with step 1.
struct Pass {
    std::size_t x0, y0, dx, dy;
    std::size_t columns(const Layout& l) const { return x0 < l.width ? (l.width - x0 + dx - 1) / dx : 0; }
    std::size_t rows(const Layout& l) const { return y0 < l.height ? (l.height - y0 + dy - 1) / dy : 0; }
};

inline const std::vector<Pass>& passes(bool interlaced) {
    static const std::vector<Pass> whole{{0, 0, 1, 1}};
    static const std::vector<Pass> adam7{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    return interlaced ? adam7 : whole;
}

// How many bytes the rows of all passes take, filter bytes included.
inline std::size_t inflated_size(const Layout& l) {
    std::size_t size = 0;
    for (const Pass& p : passes(l.interlaced))
        if (const auto columns = p.columns(l)) size += p.rows(l) * (1 + l.row_bytes(columns));
    return size;
}

inline std::uint64_t load(const Byte* x) {
    std::uint64_t word;
    std::memcpy(&word, x, 8);
    return word;
}

// The pixel at `a` over and over.
template <std::size_t bpp>
std::uint64_t repeat(const Byte* a) {
    if constexpr (bpp == 1) return *a * 0x0101010101010101u;
    Byte bytes[8];
    for (std::size_t k = 0; k < 8; ++k) bytes[k] = a[k % bpp];
    return load(bytes);
}

// How many bytes, in the order of memory, are zero before the first that is not.
inline std::size_t leading_zero_bytes(std::uint64_t word) {
    return static_cast<std::size_t>(std::endian::native == std::endian::little ? std::countr_zero(word) : std::countl_zero(word)) / 8;
}

inline void add_up(const Byte* in, const Byte* up, Byte* out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<Byte>(in[i] + up[i]);
}

// out[i] = in[i] + out[i - bpp]: a running sum for each byte of the pixel.
template <std::size_t bpp>
void undo_sub(const Byte* in, Byte* out, std::size_t n) {
    std::size_t i = 0;
#ifdef MASKMETER_SSE2
    if constexpr (bpp == 1) {  // sixteen running sums in four additions
        auto carry = _mm_setzero_si128();
        for (; i + 16 <= n; i += 16) {
            auto x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
            x = _mm_add_epi8(x, _mm_slli_si128(x, 1));
            x = _mm_add_epi8(x, _mm_slli_si128(x, 2));
            x = _mm_add_epi8(x, _mm_slli_si128(x, 4));
            x = _mm_add_epi8(x, _mm_slli_si128(x, 8));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm_add_epi8(x, carry));
            auto last = _mm_srli_si128(x, 15);  // the block's total, spread over all bytes
            last = _mm_unpacklo_epi8(last, last);
            last = _mm_shuffle_epi32(_mm_unpacklo_epi16(last, last), 0);
            carry = _mm_add_epi8(carry, last);
        }
    }
#endif
    Byte a[bpp];
    for (std::size_t k = 0; k < bpp; ++k) a[k] = i >= bpp ? out[i - bpp + k] : Byte{0};
    for (; i + bpp <= n; i += bpp)
        for (std::size_t k = 0; k < bpp; ++k) out[i + k] = a[k] = static_cast<Byte>(a[k] + in[i + k]);
    for (std::size_t k = 0; i < n; ++i, ++k) out[i] = static_cast<Byte>(a[k] + in[i]);
}

// Whichever of a, b, c is nearest to a + b - c, the earlier one where two are. The same with comparisons
// that compile to moves instead of branches: with c far above or below, it is the smaller or larger of a, b.
struct Paeth {
    Byte operator()(int a, int b, int c) const {
        const int turn = 3 * c - a - b, low = std::min(a, b), high = std::max(a, b);
        const int upper = high <= turn ? low : c;
        return static_cast<Byte>(turn <= low ? high : upper);
    }
};

struct Average {
    Byte operator()(int a, int b, int) const { return static_cast<Byte>((a + b) / 2); }
};

// Bytes [begin, end) of a row by a rule of the neighbours a, b, c, which are kept in registers.
template <std::size_t bpp, class Rule>
void undo_by(Rule rule, const Byte* in, const Byte* up, Byte* out, std::size_t begin, std::size_t end) {
    Byte a[bpp], c[bpp];
    for (std::size_t k = 0; k < bpp; ++k) {
        a[k] = begin >= bpp ? out[begin - bpp + k] : Byte{0};
        c[k] = begin >= bpp ? up[begin - bpp + k] : Byte{0};
    }
    std::size_t i = begin;
    for (; i + bpp <= end; i += bpp)
        for (std::size_t k = 0; k < bpp; ++k) {
            const Byte b = up[i + k];
            out[i + k] = a[k] = static_cast<Byte>(in[i + k] + rule(a[k], b, c[k]));
            c[k] = b;
        }
    for (std::size_t k = 0; i < end; ++i, ++k) out[i] = static_cast<Byte>(in[i] + rule(a[k], up[i], c[k]));
}

// Eight bytes at a time where `guess(i, a, word)` can foretell them: it writes the bytes that follow at i
// if all is a run, and returns a word whose first byte that is not zero marks where that stops being
// proven. From there one pixel goes by the rule, and the longer it stays without a run, the more.
template <std::size_t bpp, class Guess, class Rule>
void undo_runs(Guess guess, Rule rule, const Byte* in, const Byte* up, Byte* out, std::size_t n) {
    constexpr std::size_t most = 64;
    undo_by<bpp>(rule, in, up, out, 0, std::min(n, bpp));
    std::size_t i = bpp, burst = 1;
    while (i + 8 <= n) {
        std::uint64_t word;
        const std::uint64_t doubt = guess(i, out + i - bpp, word);
        std::memcpy(out + i, &word, 8);  // what is not proven is written again
        const std::size_t proven = leading_zero_bytes(doubt) / bpp * bpp;
        i += proven;
        if (doubt == 0) {
            burst = 1;
            continue;
        }
        burst = proven ? 1 : std::min(2 * burst, most);
        const std::size_t end = std::min(n, i + burst * bpp);
        undo_by<bpp>(rule, in, up, out, i, end);
        i = end;
    }
    if (i < n) undo_by<bpp>(rule, in, up, out, i, n);
}

template <std::size_t bpp>
void undo_paeth(const Byte* in, const Byte* up, Byte* out, std::size_t n) {
    const auto guess = [=](std::size_t i, const Byte* a, std::uint64_t& word) {
        // A branch, not a selection: foretold, it cuts the chain from one word to the next.
        if (std::memcmp(a, up + i - bpp, bpp) == 0) {  // a == c: b is predicted, and a == c holds for the next pixel
            word = load(up + i);
            return load(in + i);
        }
        word = repeat<bpp>(a);  // b == c: a is predicted
        return load(in + i) | (load(up + i) ^ load(up + i - bpp));
    };
    undo_runs<bpp>(guess, Paeth{}, in, up, out, n);
}

template <std::size_t bpp>
void undo_average(const Byte* in, const Byte* up, Byte* out, std::size_t n) {
    const auto guess = [=](std::size_t i, const Byte* a, std::uint64_t& word) {
        word = repeat<bpp>(a);  // a == b: both are their average
        return load(in + i) | (load(up + i) ^ word);
    };
    undo_runs<bpp>(guess, Average{}, in, up, out, n);
}

template <std::size_t bpp>
void undo(Byte filter, const Byte* in, const Byte* up, Byte* out, std::size_t n) {
    switch (filter) {
        case 0: std::memcpy(out, in, n); return;
        case 1: undo_sub<bpp>(in, out, n); return;
        case 2: add_up(in, up, out, n); return;
        case 3: undo_average<bpp>(in, up, out, n); return;
        case 4: undo_paeth<bpp>(in, up, out, n); return;
        default: throw std::invalid_argument("a row names a filter that does not exist");
    }
}

inline auto undo_for(std::size_t pixel_bytes) {
    switch (pixel_bytes) {
        case 1: return undo<1>;
        case 2: return undo<2>;
        case 3: return undo<3>;
        case 4: return undo<4>;
        case 6: return undo<6>;
        case 8: return undo<8>;
        default: throw std::invalid_argument("no PNG has pixels of this size");
    }
}

// Samples of 1, 2 or 4 bits, the first in the high bits, to one byte each: what a byte holds is looked up.
template <std::size_t bits>
void unpack(const Byte* row, std::size_t samples, Byte* out) {
    constexpr std::size_t per_byte = 8 / bits;
    static const auto held = [] {
        std::array<std::array<Byte, per_byte>, 256> table{};
        for (std::size_t x = 0; x < 256; ++x)
            for (std::size_t k = 0; k < per_byte; ++k) table[x][k] = static_cast<Byte>(x >> (8 - bits * (k + 1)) & ((1u << bits) - 1));
        return table;
    }();
    std::size_t i = 0;
    for (; i + per_byte <= samples; i += per_byte) std::memcpy(out + i, held[*row++].data(), per_byte);
    if (i < samples) std::memcpy(out + i, held[*row].data(), samples - i);
}

// Samples of 16 bits, stored high byte first, to the machine's order.
inline void to_native(const Byte* row, std::size_t samples, Byte* out) {
    for (std::size_t i = 0; i < samples; ++i) {
        const auto value = static_cast<std::uint16_t>(row[2 * i] << 8 | row[2 * i + 1]);
        std::memcpy(out + 2 * i, &value, 2);
    }
}

// A row without its filter, as the samples of `columns` pixels.
inline void to_samples(const Layout& l, const Byte* row, std::size_t columns, Byte* out) {
    const std::size_t samples = columns * l.channels;
    switch (l.bits) {
        case 1: return unpack<1>(row, samples, out);
        case 2: return unpack<2>(row, samples, out);
        case 4: return unpack<4>(row, samples, out);
        case 16: return to_native(row, samples, out);
        default: std::memcpy(out, row, samples);
    }
}

// `raw` must hold inflated_size(l) bytes and `out` height * width * channels samples of 1 or 2 bytes.
inline void decode(const Byte* raw, const Layout& l, Byte* out) {
    const auto unfilter = undo_for(l.pixel_bytes());
    const std::size_t pixel = l.channels * (l.bits == 16 ? 2 : 1);
    std::vector<Byte> above(l.row_bytes(l.width)), current(above.size()), line(l.interlaced ? l.width * pixel : 0);
    for (const Pass& p : passes(l.interlaced)) {
        const auto columns = p.columns(l), n = l.row_bytes(columns);
        if (columns == 0) continue;
        std::fill(above.begin(), above.end(), Byte{0});
        const Byte* up = above.data();
        for (std::size_t j = 0, rows = p.rows(l); j < rows; ++j, raw += n + 1) {
            Byte* target = out + (p.y0 + j * p.dy) * l.width * pixel;
            if (l.bits == 8 && !l.interlaced) {  // the rows are the samples: no second copy
                unfilter(*raw, raw + 1, up, target, n);
                up = target;
                continue;
            }
            unfilter(*raw, raw + 1, up, current.data(), n);
            if (l.interlaced) {
                to_samples(l, current.data(), columns, line.data());
                for (std::size_t i = 0; i < columns; ++i)
                    std::memcpy(target + (p.x0 + i * p.dx) * pixel, line.data() + i * pixel, pixel);
            } else {
                to_samples(l, current.data(), columns, target);
            }
            std::swap(above, current);
            up = above.data();
        }
    }
}

}  // namespace maskmeter::png
