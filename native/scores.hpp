// Score histograms: how many positives and negatives have each distinct score.
//
// A score comes as the unsigned bits that hold it. Between 0 and 1 the bits of a float order as its value
// does, so the bits themselves are the key, negative zero taken as zero; an 8- or 16-bit integer is its own
// key. `greatest` is the largest key that may occur; any other (a negative number, more than 1, NaN, an
// infinity) is counted as outside.
//
//   8, 16   a table of all keys
//   32, 64  key and ground truth are packed into one word (2 key + positive) and scattered by their upper
//           bits into slots, about 128 for each power of two; then each slot is put in order while it lies in
//           cache, by the bits that are left: counted in a table where these are few and the scores many, else
//           sorted by digits. The keys that were met are written over the packed words.
//
// The counts of a key are two bytes, and what does not fit into them is listed aside: a map of n float32
// scores needs 4 n bytes for the words and at most 2 n for the counts, whatever the scores are.
//
// Floor, float32: two reads and one scattered write of each word, about 3 ns, and two passes in cache, 3 ns.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace maskmeter::scores {

// Memory that is met for the first time costs 1 to 3 ns for each score by pages of 4 KB. Advice, not more.
inline void prefer_large_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
    const auto begin = (reinterpret_cast<std::uintptr_t>(data) + page - 1) & ~(page - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(data) + bytes) & ~(page - 1);
    if (bytes >= 4 * page && begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

// An array that is not cleared before use (pages cost nothing until then) and gives back what it did not use.
template <class T>
class Buffer {
   public:
    explicit Buffer(std::size_t n) : data_(static_cast<T*>(std::malloc(std::max<std::size_t>(n, 1) * sizeof(T)))) {
        if (!data_) throw std::bad_alloc();
        prefer_large_pages(data_, n * sizeof(T));
    }
    Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        return *this;
    }
    ~Buffer() { std::free(data_); }

    T* get() const { return data_; }
    T& operator[](std::size_t i) const { return data_[i]; }
    T* release() { return std::exchange(data_, nullptr); }
    void shrink(std::size_t n) {
        if (void* p = std::realloc(data_, std::max<std::size_t>(n, 1) * sizeof(T))) data_ = static_cast<T*>(p);
    }

   private:
    T* data_;
};

// Counts of key number `index` beyond the bytes that `low` has for it: multiples of 256.
struct High {
    std::int64_t index, pos, neg;
};

// Keys in ascending order; low[2 i] positives and low[2 i + 1] negatives of key i, modulo 256.
template <class Key>
struct View {
    const Key* keys;
    const std::uint8_t* low;
    std::size_t size;
    const High* high;
    std::size_t highs;
};

template <class Key>
struct Histogram {
    Buffer<Key> keys;
    Buffer<std::uint8_t> low;
    std::vector<High> high{};
    std::size_t size = 0;
    std::int64_t outside = 0;

    explicit Histogram(std::size_t room) : keys(room), low(2 * room) {}
    Histogram(Buffer<Key>&& words, std::size_t room) : keys(std::move(words)), low(2 * room) {}

    // Key number `at`, the last with counts above 255, has these.
    void exceed(std::size_t at, std::uint64_t pos, std::uint64_t neg) {
        if (high.empty() || high.back().index != static_cast<std::int64_t>(at)) high.push_back({static_cast<std::int64_t>(at), 0, 0});
        high.back().pos = static_cast<std::int64_t>(pos & ~std::uint64_t{255});
        high.back().neg = static_cast<std::int64_t>(neg & ~std::uint64_t{255});
    }
    void push(Key key, std::int64_t pos, std::int64_t neg) {
        keys[size] = key;
        low[2 * size] = static_cast<std::uint8_t>(pos);
        low[2 * size + 1] = static_cast<std::uint8_t>(neg);
        if ((pos | neg) > 255) [[unlikely]] exceed(size, static_cast<std::uint64_t>(pos), static_cast<std::uint64_t>(neg));
        ++size;
    }
    void shrink() {
        keys.shrink(size);
        low.shrink(2 * size);
    }
    View<Key> view() const { return {keys.get(), low.get(), size, high.data(), high.size()}; }
};

// Reads a histogram from one end to the other, with the full counts.
template <class Key>
class Cursor {
   public:
    explicit Cursor(const View<Key>& view, bool descending = false)
        : v_(view), left_(view.size), next_high_(descending ? view.highs : 0), descending_(descending) {}

    bool next() {
        if (!left_) return false;
        const std::size_t i = descending_ ? left_ - 1 : v_.size - left_;
        --left_;
        key = v_.keys[i];
        pos = v_.low[2 * i];
        neg = v_.low[2 * i + 1];
        if (descending_) {
            if (next_high_ > 0 && v_.high[next_high_ - 1].index == static_cast<std::int64_t>(i)) [[unlikely]] add(v_.high[--next_high_]);
        } else if (next_high_ < v_.highs && v_.high[next_high_].index == static_cast<std::int64_t>(i)) [[unlikely]] {
            add(v_.high[next_high_++]);
        }
        return true;
    }

    Key key{};
    std::int64_t pos = 0, neg = 0;

   private:
    void add(const High& more) {
        pos += more.pos;
        neg += more.neg;
    }
    View<Key> v_;
    std::size_t left_, next_high_;
    bool descending_;
};

// Both histograms added, on the grid whose cells hold 2^level keys: a key stands for its cell by its least.
template <class Key>
Histogram<Key> merge(const View<Key>& a, const View<Key>& b, unsigned level) {
    Histogram<Key> out(a.size + b.size);
    const Key grid = static_cast<Key>(~Key{0} << level);
    Cursor<Key> x(a), y(b);
    bool more_x = x.next(), more_y = y.next();
    while (more_x || more_y) {
        const Key cell = grid & (!more_y || (more_x && x.key <= y.key) ? x.key : y.key);
        std::int64_t pos = 0, neg = 0;
        for (; more_x && (x.key & grid) == cell; more_x = x.next()) pos += x.pos, neg += x.neg;
        for (; more_y && (y.key & grid) == cell; more_y = y.next()) pos += y.pos, neg += y.neg;
        out.push(cell, pos, neg);
    }
    out.shrink();
    return out;
}

// How many cells are occupied on the grid of each level 0 to 64: neighbours share a cell from the level on
// that has all bits in which they differ below it.
template <class Key>
std::array<std::int64_t, 65> occupied(const Key* keys, std::size_t n) {
    std::array<std::int64_t, 65> cells{};
    for (std::size_t i = 1; i < n; ++i) ++cells[static_cast<std::size_t>(std::bit_width(static_cast<Key>(keys[i] ^ keys[i - 1]))) - 1];
    std::int64_t apart = n ? 1 : 0;
    for (std::size_t level = cells.size(); level-- > 0;) cells[level] = apart += cells[level];
    return cells;
}

namespace detail {

inline constexpr unsigned digit_bits = 8, digits = 1u << digit_bits;

// Sorts words 2 key + positive by their key, of which they share all but the lowest `bits`; answers where the
// result is, `data` or `room`.
template <class Key>
Key* sort_by_low_bits(Key* data, Key* room, std::size_t n, unsigned bits) {
    if (n <= 40) {
        for (std::size_t i = 1; i < n; ++i) {
            const Key word = data[i];
            std::size_t k = i;
            for (; k > 0 && data[k - 1] > word; --k) data[k] = data[k - 1];
            data[k] = word;
        }
        return data;
    }
    constexpr unsigned most = sizeof(Key);
    const unsigned passes = (bits + digit_bits - 1) / digit_bits;
    std::uint32_t at[most][digits] = {};
    const auto digit = [](Key word, unsigned pass) { return static_cast<std::size_t>(word >> (1 + pass * digit_bits) & (digits - 1)); };
    for (std::size_t i = 0; i < n; ++i)
        for (unsigned p = 0; p < passes; ++p) ++at[p][digit(data[i], p)];
    for (unsigned p = 0; p < passes; ++p) {
        if (at[p][digit(data[0], p)] == n) continue;  // all alike in this digit
        std::uint32_t start = 0;
        for (auto& count : at[p]) start += std::exchange(count, start);
        for (std::size_t i = 0; i < n; ++i) room[at[p][digit(data[i], p)]++] = data[i];
        std::swap(data, room);
    }
    return data;
}

// The words of one slot, sorted by key, as counts. Where one key ends and the next begins is noise, so each
// word writes the counts of its key so far, without a branch.
template <class Key>
void push_sorted(const Key* words, std::size_t n, Histogram<Key>& out) {
    std::size_t at = out.size - 1;
    Key last = static_cast<Key>(~words[0] >> 1);  // another key than the first
    std::uint64_t counts = 0;                     // positives, and negatives in the upper half
    for (std::size_t i = 0; i < n; ++i) {
        const Key key = words[i] >> 1;
        const std::uint64_t one = words[i] & 1 ? 1 : std::uint64_t{1} << 32;
        counts = key == last ? counts + one : one;
        at += key != last;
        last = key;
        out.keys[at] = key;
        out.low[2 * at] = static_cast<std::uint8_t>(counts);
        out.low[2 * at + 1] = static_cast<std::uint8_t>(counts >> 32);
        if (counts & 0xffffff00ffffff00) [[unlikely]] out.exceed(at, counts & 0xffffffff, counts >> 32);
    }
    out.size = at + 1;
}

// The same for words in any order, of which all but the lowest 16 bits of the key are alike: counted in a
// table that fits the second-level cache, with a bit for each key that was met. All zero between slots.
class SlotTable {
   public:
    void push(const std::uint32_t* words, std::size_t n, Histogram<std::uint32_t>& out) {
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint32_t cell = (words[i] & 0x1ffff) ^ 1;  // positives first
            seen_[cell >> 7] |= std::uint64_t{1} << (cell >> 1 & 63);
            if (++low_[cell] == 0) [[unlikely]] carries_.push_back(cell);
        }
        std::sort(carries_.begin(), carries_.end());
        auto carry = carries_.begin();
        const std::uint32_t top = words[0] >> 17 << 16;
        std::size_t size = out.size;
        for (std::size_t block = 0; block < seen_.size(); ++block) {
            for (auto bits = std::exchange(seen_[block], 0); bits; bits &= bits - 1) {
                const auto key = static_cast<std::uint32_t>(64 * block) + static_cast<std::uint32_t>(std::countr_zero(bits));
                out.keys[size] = top | key;
                out.low[2 * size] = std::exchange(low_[2 * key], 0);
                out.low[2 * size + 1] = std::exchange(low_[2 * key + 1], 0);
                if (carry != carries_.end() && *carry >> 1 == key) [[unlikely]] {
                    std::uint64_t counts[2] = {0, 0};
                    for (; carry != carries_.end() && *carry >> 1 == key; ++carry) counts[*carry & 1] += 256;
                    out.exceed(size, counts[0], counts[1]);
                }
                ++size;
            }
        }
        carries_.clear();
        out.size = size;
    }

   private:
    std::array<std::uint8_t, 2 << 16> low_{};
    std::array<std::uint64_t, (1 << 16) / 64> seen_{};
    std::vector<std::uint32_t> carries_;
};

template <class Key>
struct Scan {
    const Key* scores;
    const std::uint8_t* positive;
    const std::uint8_t* mask;
    std::size_t size;
    Key greatest;

    static constexpr Key sign = Key{1} << (8 * sizeof(Key) - 1);

    // Calls use(key, positive) for every score that counts.
    template <class Use>
    void each(Use&& use) const {
        const Key zero = greatest < sign ? sign : 0;  // negative zero; an integer has none
        auto key = [&](std::size_t i) { return scores[i] == zero ? Key{0} : scores[i]; };
        if (mask) {
            for (std::size_t i = 0; i < size; ++i)
                if (mask[i]) use(key(i), positive[i] != 0);
        } else {
            for (std::size_t i = 0; i < size; ++i) use(key(i), positive[i] != 0);
        }
    }
};

// The histogram of 32- or 64-bit scores.
template <class Key>
Histogram<Key> by_slots(const Scan<Key>& scan) {
    constexpr unsigned low_bits = sizeof(Key) == 4 ? 16 : 45;  // of a key; the others number its slot
    constexpr std::size_t table_pays = sizeof(Key) == 4 ? 512 : ~std::size_t{0};
    const std::size_t slots = static_cast<std::size_t>(scan.greatest >> low_bits) + 1;
    std::vector<std::uint32_t> at(slots + 1);
    Histogram<Key> none(0);
    scan.each([&](Key key, bool) {
        none.outside += key > scan.greatest;
        ++at[static_cast<std::size_t>(std::min(key, scan.greatest) >> low_bits) + 1];
    });
    if (none.outside) return none;
    std::size_t largest = 0;
    for (std::size_t s = 1; s <= slots; ++s) {
        if (at[s] < table_pays) largest = std::max<std::size_t>(largest, at[s]);
        at[s] += at[s - 1];
    }
    const std::size_t n = at[slots];
    Buffer<Key> words(n);
    scan.each([&](Key key, bool positive) { words[at[static_cast<std::size_t>(key >> low_bits)]++] = static_cast<Key>(key << 1 | positive); });

    // Now at[s] is the end of slot s. Fewer keys are written than words were read, so they may take their place.
    Histogram<Key> out(std::move(words), n);
    Buffer<Key> room(largest);
    std::unique_ptr<SlotTable> table;
    for (std::size_t s = 0, start = 0; s < slots; ++s) {
        const std::size_t count = at[s] - start;
        Key* const slot = out.keys.get() + std::exchange(start, at[s]);
        if (count == 0) continue;
        if constexpr (sizeof(Key) == 4) {
            if (count >= table_pays) {
                if (!table) table = std::make_unique<SlotTable>();
                table->push(slot, count, out);
                continue;
            }
        }
        push_sorted(sort_by_low_bits(slot, room.get(), count, low_bits), count, out);
    }
    out.shrink();
    return out;
}

// The histogram of 16-bit scores.
inline Histogram<std::uint16_t> by_table(const Scan<std::uint16_t>& scan) {
    std::vector<std::uint32_t> table(2u << 16);
    scan.each([&](std::uint16_t key, bool positive) { ++table[2u * key + positive]; });
    Histogram<std::uint16_t> out(std::size_t{1} << 16);
    for (std::size_t key = 0; key <= scan.greatest; ++key)
        if (const auto neg = table[2 * key], pos = table[2 * key + 1]; pos | neg) out.push(static_cast<std::uint16_t>(key), pos, neg);
    for (std::size_t k = 2 * (std::size_t{scan.greatest} + 1); k < table.size(); ++k) out.outside += table[k];
    out.shrink();
    return out;
}

// The histogram of 8-bit scores. Four tables in turn, so that equal neighbours do not wait for one another.
inline Histogram<std::uint8_t> by_bytes(const Scan<std::uint8_t>& scan) {
    std::array<std::array<std::uint32_t, 512>, 4> tables{};
    const auto add = [&](std::size_t way, std::size_t i, std::uint32_t n) { tables[way][2u * scan.scores[i] + (scan.positive[i] != 0)] += n; };
    const std::size_t whole = scan.size & ~std::size_t{3};
    if (scan.mask) {
        for (std::size_t i = 0; i < whole; i += 4)
            for (std::size_t way = 0; way < 4; ++way) add(way, i + way, scan.mask[i + way] != 0);
    } else {
        for (std::size_t i = 0; i < whole; i += 4)
            for (std::size_t way = 0; way < 4; ++way) add(way, i + way, 1);
    }
    for (std::size_t i = whole; i < scan.size; ++i) add(0, i, !scan.mask || scan.mask[i]);

    Histogram<std::uint8_t> out(256);
    for (std::size_t key = 0; key < 256; ++key) {
        std::int64_t neg = 0, pos = 0;
        for (const auto& table : tables) neg += table[2 * key], pos += table[2 * key + 1];
        if (!(pos | neg)) continue;
        if (key > scan.greatest) out.outside += pos + neg;
        else out.push(static_cast<std::uint8_t>(key), pos, neg);
    }
    out.shrink();
    return out;
}

}  // namespace detail

// The histogram of n scores where `mask` is nonzero (null: everywhere); positives are where `positive` is.
// Where scores are outside it holds only how many these are.
template <class Key>
Histogram<Key> count(const Key* scores, const std::uint8_t* positive, const std::uint8_t* mask, std::size_t n, Key greatest) {
    constexpr std::size_t most = std::size_t{1} << 31;  // what 32-bit counters take
    if (n > most) {
        const auto a = count(scores, positive, mask, most, greatest);
        const auto b = count(scores + most, positive + most, mask ? mask + most : nullptr, n - most, greatest);
        auto out = merge(a.view(), b.view(), 0);
        out.outside = a.outside + b.outside;
        return out;
    }
    const detail::Scan<Key> scan{scores, positive, mask, n, greatest};
    if constexpr (sizeof(Key) == 1) return detail::by_bytes(scan);
    else if constexpr (sizeof(Key) == 2) return detail::by_table(scan);
    else return detail::by_slots(scan);
}

// An unsigned number of 128 bits, for sums of products of counts.
struct Wide {
    std::uint64_t high = 0, low = 0;

    void add_product(std::uint64_t a, std::uint64_t b) {
        if ((a | b) >> 32 == 0) return add(0, a * b);
        const std::uint64_t half = 0xffffffff, al = a & half, ah = a >> 32, bl = b & half, bh = b >> 32;
        const std::uint64_t cross = (al * bl >> 32) + (ah * bl & half) + al * bh;
        add(ah * bh + (ah * bl >> 32) + (cross >> 32), cross << 32 | (al * bl & half));
    }

   private:
    void add(std::uint64_t h, std::uint64_t l) {
        low += l;
        high += h + (low < l);
    }
};

// ordered   twice the number of pairs (positive, negative) in which the positive has the higher score, ties
//           counting half: exact
// precision the sum over positives of the precision at the threshold that is their score, with compensation
struct Areas {
    Wide ordered;
    double precision = 0;
};

template <class Key>
Areas areas(const View<Key>& view) {
    Areas out;
    std::int64_t negatives = 0;
    for (Cursor<Key> c(view); c.next();) {
        if (c.pos) out.ordered.add_product(static_cast<std::uint64_t>(c.pos), static_cast<std::uint64_t>(2 * negatives + c.neg));
        negatives += c.neg;
    }
    std::int64_t tp = 0, fp = 0;
    double sum = 0, lost = 0;
    for (Cursor<Key> c(view, true); c.next();) {
        tp += c.pos;
        fp += c.neg;
        if (!c.pos) continue;
        const double term = static_cast<double>(c.pos) * (static_cast<double>(tp) / static_cast<double>(tp + fp));
        const double next = sum + term;
        lost += (sum >= term ? sum - next + term : term - next + sum);
        sum = next;
    }
    out.precision = sum + lost;
    return out;
}

}  // namespace maskmeter::scores
