// Joint counts of two label maps: how many pixels carry each pair (a, b) of labels.
//
// The whole of a confusion matrix, of an instance overlap table and of a contingency table is in these
// counts, so this is the loop that every pixel of an evaluation goes through once. They are exact:
// 64-bit throughout. With a mask, only pixels where it is nonzero are counted.
//
// The maps are taken in chunks of 2048 pixels, each in the way that suits it:
//   runs    few changes: the ends of the runs are marked (runs.hpp) and each run is counted at once;
//   dense   many changes: each pixel is counted, in four tables in turn, so that equal neighbours do
//           not wait for one another's store.
// Pairs of labels in 0..255 are counted in arrays of 256 x 256, any others in a hash table
// (pair_table.hpp), always by runs. Scratch memory is kept by each thread and cleared only where it was
// touched: a fresh 512 KB per call would cost more than counting a small image.
//
// Floor, per pixel: the labels are read once from memory (2 bytes for 8-bit maps, 8 for 32-bit ones).
// Runs, AVX2, 8-bit: 4 loads, 2 comparisons and 2 mask moves per 32 pixels, and about 25 instructions per
// run: for runs of 80 pixels about 0.7 instructions, 0.1 to 0.2 ns. Dense: 2 loads and 1 store per pixel.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "pair_table.hpp"
#include "runs.hpp"

namespace maskmeter {

// The counts of pairs of labels in 0..255.
//
// Four tables, for adding to in turn. Each row is turned by 24 cells (three cache lines) against the one
// before: rows lie 2 KB apart, and unturned, the few labels in use would share a few sets of the
// first-level cache and evict one another (measured: 2.2 ns per pixel against 0.45).
class ByteTable {
   public:
    static constexpr std::size_t side = 256, cells = side * side, ways = 4;
    static constexpr unsigned turn = 24;

    ByteTable() : counts_(static_cast<std::int64_t*>(std::calloc(ways * cells, sizeof(std::int64_t)))) {
        if (!counts_) throw std::bad_alloc();
    }

    static std::uint16_t cell(std::uint8_t a, std::uint8_t b) {
        return static_cast<std::uint16_t>(a << 8 | static_cast<std::uint8_t>(b + turn * a));
    }

    void add(std::uint16_t cell, std::int64_t n) { add_to(counts_.get(), cell, n); }

    // One pixel in each cell.
    void add_each(const std::uint16_t* cell, std::size_t n) {
        std::int64_t* const counts = counts_.get();
        std::size_t k = 0;
        for (; k + ways <= n; k += ways)
            for (std::size_t way = 0; way < ways; ++way) add_to(counts + way * cells, cell[k + way], 1);
        for (; k < n; ++k) add_to(counts, cell[k], 1);
    }

    // Appends the pairs that occur to `out`, in ascending order, and clears what was touched: calloc gives
    // pages that cost nothing until then, and so the tables take as much memory as the labels that were met.
    void drain(std::vector<PairCount>& out) {
        std::array<std::uint8_t, side> columns;
        std::size_t width = 0, height = 0;
        for (std::size_t b = 0; b < side; ++b)
            if (seen_b_[b]) columns[width++] = static_cast<std::uint8_t>(b);
        for (const auto seen : seen_a_) height += seen;
        out.reserve(width * height);
        for (std::size_t a = 0; a < side; ++a) {
            if (!seen_a_[a]) continue;
            for (std::size_t k = 0; k < width; ++k)
                if (const auto n = take(cell(static_cast<std::uint8_t>(a), columns[k]))) out.push_back({static_cast<std::int64_t>(a), columns[k], n});
        }
        seen_a_.fill(0);
        seen_b_.fill(0);
    }

   private:
    void add_to(std::int64_t* counts, std::uint16_t cell, std::int64_t n) {
        if (counts[cell] == 0) [[unlikely]] see(cell);
        counts[cell] += n;
    }

    void see(std::uint16_t cell) {
        const auto a = static_cast<std::uint8_t>(cell >> 8);
        seen_a_[a] = seen_b_[static_cast<std::uint8_t>(cell - turn * a)] = 1;
    }

    std::int64_t take(std::size_t cell) {
        std::int64_t n = 0;
        for (std::size_t way = 0; way < ways; ++way) n += std::exchange(counts_[way * cells + cell], 0);
        return n;
    }

    struct Free {
        void operator()(std::int64_t* p) const { std::free(p); }
    };
    std::unique_ptr<std::int64_t[], Free> counts_;
    std::array<std::uint8_t, side> seen_a_{}, seen_b_{};
};

class JointCounter {
   public:
    void add(const Path& path, const Labels& a, const Labels& b, const std::uint8_t* mask, std::size_t n) {
        const std::size_t blocks = (n + block - 1) / block;
        Bits bits{};
        mark_ends(path, a, n, bits);
        mark_ends(path, b, n, bits);
        if (mask) mark_ends(path, {mask, 1, false}, n, bits);
        bits[(n - 1) / block] |= std::uint64_t{1} << ((n - 1) % block);  // a chunk ends its last run

        if (path.count(bits) > n / 8 && add_dense(a, b, mask, n)) return;
        add_runs(path, a, b, mask, bits, blocks);
    }

    std::vector<PairCount> drain() {
        std::vector<PairCount> out;
        table_.drain(out);
        if (!wide_.empty()) {
            wide_.drain(out);
            std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.a != y.a ? x.a < y.a : x.b < y.b; });
        }
        return out;
    }

   private:
    void add_runs(const Path& path, const Labels& a, const Labels& b, const std::uint8_t* mask, const Bits& bits, std::size_t blocks) {
        const std::size_t runs = path.list(bits, blocks, ends_.data());
        a.visit([&](const auto* labels) { gather(labels, ends_.data(), runs, label_a_.data()); });
        b.visit([&](const auto* labels) { gather(labels, ends_.data(), runs, label_b_.data()); });
        std::size_t start = 0;
        for (std::size_t r = 0; r < runs; ++r) {
            const std::size_t end = ends_[r];
            const auto n = static_cast<std::int64_t>(end - std::exchange(start, end));
            if (mask && !mask[end - 1]) continue;
            const std::int64_t x = label_a_[r], y = label_b_[r];
            if ((static_cast<std::uint64_t>(x | y)) < ByteTable::side)
                table_.add(ByteTable::cell(static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y)), n);
            else
                wide_.add(x, y, n);
        }
    }

    // The label of each run.
    template <class T>
    static void gather(const T* labels, const std::uint16_t* ends, std::size_t runs, std::int64_t* out) {
        for (std::size_t r = 0; r < runs; ++r) out[r] = static_cast<std::int64_t>(labels[ends[r] - 1]);
    }

    // Counts each pixel; does nothing and says false where a label is outside 0..255.
    bool add_dense(const Labels& a, const Labels& b, const std::uint8_t* mask, std::size_t n) {
        const std::uint8_t* const x = a.visit([&](const auto* labels) { return as_bytes(labels, n, bytes_a_.data()); });
        const std::uint8_t* const y = b.visit([&](const auto* labels) { return as_bytes(labels, n, bytes_b_.data()); });
        if (!x || !y) return false;
        for (std::size_t k = 0; k < n; ++k) cells_[k] = ByteTable::cell(x[k], y[k]);
        std::size_t kept = n;
        if (mask) {
            kept = 0;
            for (std::size_t k = 0; k < n; ++k) {
                cells_[kept] = cells_[k];
                kept += mask[k] != 0;
            }
        }
        table_.add_each(cells_.data(), kept);
        return true;
    }

    // The labels as bytes, in `room` where they are not bytes already; null where one is outside 0..255.
    template <class T>
    static const std::uint8_t* as_bytes(const T* labels, std::size_t n, std::uint8_t* room) {
        if constexpr (std::is_same_v<T, std::uint8_t>) {
            return labels;
        } else {
            using U = std::make_unsigned_t<T>;
            constexpr U outside = sizeof(T) == 1 ? U{0x80} : static_cast<U>(~std::uint64_t{0xff});
            U any = 0;
            for (std::size_t k = 0; k < n; ++k) any |= static_cast<U>(labels[k]) & outside;
            for (std::size_t k = 0; k < n; ++k) room[k] = static_cast<std::uint8_t>(labels[k]);
            return any ? nullptr : room;
        }
    }

    ByteTable table_;
    PairTable wide_;
    std::array<std::uint16_t, chunk + 4> ends_;
    std::array<std::int64_t, chunk> label_a_, label_b_;
    std::array<std::uint8_t, chunk> bytes_a_, bytes_b_;
    std::array<std::uint16_t, chunk> cells_;
};

// The pairs that occur, in ascending order.
inline std::vector<PairCount> joint_counts(const Labels& a, const Labels& b, const std::uint8_t* mask, std::size_t size,
                                           const Path& path = paths().front()) {
    // Taken from the thread while in use: should anything throw, a half-filled counter is not met again.
    thread_local std::unique_ptr<JointCounter> idle;
    auto counter = idle ? std::move(idle) : std::make_unique<JointCounter>();
    for (std::size_t at = 0; at < size; at += chunk)
        counter->add(path, a.from(at), b.from(at), mask ? mask + at : nullptr, std::min(chunk, size - at));
    auto out = counter->drain();
    idle = std::move(counter);
    return out;
}

}  // namespace maskmeter
