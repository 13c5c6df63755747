// Maps as lists of runs: where in the flat order each run of equal labels ends, and its label.
//
// A PNG of colours becomes its runs without being unfiltered. A filter says how a pixel follows from its neighbours
// left (a), above (b) and above left (c), and the file holds the difference. Where that is zero and the row above does
// not change, a pixel is what its left neighbour is (Sub, Paeth, and Average once it has settled), what the one above
// is (Up), or black (None). So only pixels with a difference, and those where a run above begins, are worked out; all
// others are counted. A row with many differences is unfiltered byte by byte (png.hpp) instead.
//
// Floor: looking for the bytes that are not zero, 3 per pixel, which takes about as long as reading them from memory;
// inflating the file, which comes before, takes more.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "pair_table.hpp"
#include "png.hpp"

namespace maskmeter {

struct LabelRuns {
    std::vector<std::int64_t> ends, labels;
};

namespace png {

constexpr std::size_t stretch = 64;  // bytes that are looked at together

// Whether a stretch is zero, and which of its bytes are not, the first in the lowest bit.
#ifdef MASKMETER_SSE2
inline __m128i sixteen(const Byte* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }

inline std::uint64_t zero_bytes(__m128i x) {
    return static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_setzero_si128())));
}

inline bool is_zero(const Byte* p) {
    const auto any = _mm_or_si128(_mm_or_si128(sixteen(p), sixteen(p + 16)), _mm_or_si128(sixteen(p + 32), sixteen(p + 48)));
    return zero_bytes(any) == 0xffff;
}

inline std::uint64_t not_zero(const Byte* p) {
    return ~(zero_bytes(sixteen(p)) | zero_bytes(sixteen(p + 16)) << 16 | zero_bytes(sixteen(p + 32)) << 32 | zero_bytes(sixteen(p + 48)) << 48);
}
#else
inline bool is_zero(const Byte* p) {
    std::uint64_t any = 0;
    for (std::size_t k = 0; k < stretch; k += 8) any |= load(p + k);
    return any == 0;
}

inline std::uint64_t not_zero(const Byte* p) {
    std::uint64_t bytes = 0;
    for (std::size_t k = 0; k < stretch; ++k) bytes |= static_cast<std::uint64_t>(p[k] != 0) << k;
    return bytes;
}
#endif

// Three bytes as a number, red lowest: the id, and something to reckon with byte by byte.
using Color = std::uint32_t;

inline Color color_at(const Byte* p) { return static_cast<Color>(p[0] | p[1] << 8 | p[2] << 16); }

inline Color added(Color x, Color y) { return (((x & 0xff00ff) + (y & 0xff00ff)) & 0xff00ff) | (((x & 0xff00) + (y & 0xff00)) & 0xff00); }

template <class Rule>
Color by_byte(Rule rule, Color a, Color b, Color c) {
    Color out = 0;
    for (unsigned k = 0; k < 24; k += 8)
        out |= static_cast<Color>(rule(static_cast<int>(a >> k & 255), static_cast<int>(b >> k & 255), static_cast<int>(c >> k & 255))) << k;
    return out;
}

// What the filter foretells of a pixel.
inline Color foretold(Byte filter, Color a, Color b, Color c) {
    switch (filter) {
        case 0: return 0;
        case 1: return a;
        case 2: return b;
        case 3: return by_byte(Average{}, a, b, c);
        case 4: return a == c ? b : b == c ? a : by_byte(Paeth{}, a, b, c);
        default: throw std::invalid_argument("a row names a filter that does not exist");
    }
}

// The runs of the ids R + 256 G + 65536 B of an RGB image of 8 bits that is not interlaced. A row ends its last run.
class IdRuns {
   public:
    explicit IdRuns(std::size_t width) : width_(width), differs_(width / few + stretch + 1) {}

    LabelRuns of(const Byte* raw, std::size_t height) {
        const std::size_t n = 3 * width_;
        const Run beyond{static_cast<std::size_t>(-1), 0};  // behind the last run of a row
        std::vector<Run> black{{width_, 0}, beyond};
        const Run* above = black.data();
        std::vector<Run> now(width_ + 2), before(width_ + 2);
        LabelRuns all;
        for (std::size_t j = 0; j < height; ++j, raw += n + 1) {
            Row row(now.data());
            if (find_differences(raw + 1, n)) follow(*raw, raw + 1, above, row);
            else unfilter(*raw, raw + 1, above, row);
            *row.end() = beyond;
            const std::size_t first = all.ends.size(), runs = static_cast<std::size_t>(row.end() - now.data());
            all.ends.resize(first + runs);
            all.labels.resize(first + runs);
            for (std::size_t k = 0; k < runs; ++k) {
                all.ends[first + k] = static_cast<std::int64_t>(j * width_ + now[k].end);
                all.labels[first + k] = now[k].color;
            }
            std::swap(now, before);
            above = before.data();
        }
        return all;
    }

   private:
    static constexpr std::size_t few = 8;  // at most one pixel in eight with a difference

    struct Run {
        std::size_t end;
        Color color;
    };

    // Runs one after the other; one of the colour before it is the same run. No branch: half of them are.
    class Row {
       public:
        explicit Row(Run* first) : first_(first), next_(first) {}
        void add(std::size_t end, Color color) {
            next_ -= next_ != first_ && next_[-1].color == color;
            *next_++ = {end, color};
        }
        Run* end() const { return next_; }

       private:
        Run *first_, *next_;
    };

    // Lists the pixels whose difference is not zero; says false where there are too many to be worth it.
    bool find_differences(const Byte* in, std::size_t n) {
        found_ = 0;
        std::size_t i = 0;
        for (; i + stretch <= n; i += stretch) {
            if (is_zero(in + i)) continue;
            for (std::uint64_t bytes = not_zero(in + i); bytes; bytes &= bytes - 1)
                note((i + static_cast<std::size_t>(std::countr_zero(bytes))) / 3);
            if (few * found_ > width_) return false;
        }
        for (; i < n; ++i)
            if (in[i]) note(i / 3);
        differs_[found_] = width_;
        return true;
    }

    void note(std::size_t pixel) {
        found_ -= found_ > 0 && differs_[found_ - 1] == pixel;
        differs_[found_++] = pixel;
    }

    // The row from pixel to pixel where something happens.
    void follow(Byte filter, const Byte* in, const Run* above, Row& row) const {
        switch (filter) {
            case 0: return follow_left<false>(in, row);
            case 1: return follow_left<true>(in, row);
            case 2: return follow_up(in, above, row);
            default: return follow_both(filter, in, above, row);
        }
    }

    // None and Sub: from difference to difference the pixels are black, or what the last one is.
    template <bool sub>
    void follow_left(const Byte* in, Row& row) const {
        Color a = 0;
        std::size_t x = 0;
        for (const std::size_t* difference = differs_.data();; ++difference) {
            if (!sub) a = 0;
            if (x < *difference) row.add(*difference, a);
            if (*difference == width_) return;
            x = *difference + 1;
            row.add(x, a = added(a, color_at(in + 3 * *difference)));
        }
    }

    // Up: from difference to difference the runs are those above.
    void follow_up(const Byte* in, const Run* above, Row& row) const {
        std::size_t x = 0;
        for (const std::size_t* difference = differs_.data();; ++difference) {
            copy(x, *difference, above, row);
            if (*difference == width_) return;
            x = *difference + 1;
            row.add(x, added(above->color, color_at(in + 3 * *difference)));
            above += above->end == x;
        }
    }

    // The runs above of the pixels from x on and before `end`; answers the last colour.
    static Color copy(std::size_t x, std::size_t end, const Run*& above, Row& row) {
        Color last = 0;
        for (; above->end <= end; ++above) row.add(x = above->end, last = above->color);
        if (x < end) row.add(end, last = above->color);
        return last;
    }

    // Average and Paeth.
    void follow_both(Byte filter, const Byte* in, const Run* above, Row& row) const {
        const std::size_t* difference = differs_.data();
        Color a = 0, c = 0;
        for (std::size_t x = 0; x < width_;) {
            const Color b = above->color;
            a = foretold(filter, a, b, c);
            if (*difference == x) {
                a = added(a, color_at(in + 3 * x));
                ++difference;
            }
            c = b;
            row.add(++x, a);
            if (filter == 4 && a == b) {  // so is the next pixel, and all others before the next difference
                above += above->end == x;
                if (x < *difference) a = c = copy(x, *difference, above, row);
                x = *difference;
                continue;
            }
            const std::size_t next = std::min(above->end, *difference);
            above += next == above->end;
            while (x < next) {
                const Color settled = foretold(filter, a, b, b);
                x = filter == 3 && settled != a ? x + 1 : next;
                row.add(x, a = settled);
            }
        }
    }

    void unfilter(Byte filter, const Byte* in, const Run* above, Row& row) {
        bytes_above_.resize(3 * width_);
        bytes_.resize(3 * width_);
        for (std::size_t x = 0; x < width_; ++x) {
            above += x == above->end;
            for (unsigned k = 0; k < 3; ++k) bytes_above_[3 * x + k] = static_cast<Byte>(above->color >> 8 * k);
        }
        undo<3>(filter, in, bytes_above_.data(), bytes_.data(), 3 * width_);
        for (std::size_t x = 0; x < width_; ++x) row.add(x + 1, color_at(bytes_.data() + 3 * x));
    }

    std::size_t width_, found_ = 0;
    std::vector<std::size_t> differs_;  // one more than were found: the width
    std::vector<Byte> bytes_above_, bytes_;
};

inline LabelRuns id_runs(const Byte* raw, std::size_t width, std::size_t height) { return IdRuns(width).of(raw, height); }

}  // namespace png

// How many pixels carry each pair of labels, ascending, of two lists of runs of the same length.
inline std::vector<PairCount> joint_runs(const std::int64_t* ends_a, const std::int64_t* labels_a, std::size_t runs_a, const std::int64_t* ends_b,
                                         const std::int64_t* labels_b, std::size_t runs_b) {
    PairTable table;
    std::int64_t at = 0;
    for (std::size_t i = 0, j = 0; i < runs_a && j < runs_b;) {
        const std::int64_t end = std::min(ends_a[i], ends_b[j]);
        table.add(labels_a[i], labels_b[j], end - at);
        at = end;
        i += ends_a[i] == at;
        j += ends_b[j] == at;
    }
    std::vector<PairCount> out;
    table.drain(out);
    std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.a != y.a ? x.a < y.a : x.b < y.b; });
    return out;
}

}  // namespace maskmeter
