// A table of counts keyed by a pair of labels of any size, for labels too large to index an array.
//
// Open addressing with linear probing, at most half full: a look-up is one multiplication chain and
// usually one cache line. Memory follows the number of distinct pairs, never the value of a label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace maskmeter {

struct PairCount {
    std::int64_t a, b, n;  // n == 0: an empty slot
};

class PairTable {
   public:
    void add(std::int64_t a, std::int64_t b, std::int64_t n) {
        PairCount& slot = find(a, b);
        if (slot.n == 0) {
            insert(slot, {a, b, n});
            return;
        }
        slot.n += n;
    }

    bool empty() const { return used_ == 0; }

    // Appends every pair to `out`, in no order, and leaves the table empty and small.
    void drain(std::vector<PairCount>& out) {
        if (empty()) return;
        out.reserve(out.size() + used_);
        for (PairCount& slot : slots_)
            if (slot.n != 0) out.push_back(std::exchange(slot, PairCount{}));
        used_ = 0;
        if (slots_.size() > kept) resize(first);
    }

   private:
    static constexpr std::size_t first = 1024, kept = 16384;  // slots to begin with; slots worth keeping between calls

    PairCount& find(std::int64_t a, std::int64_t b) {
        std::size_t i = hash(a, b) >> shift_;
        while (slots_[i].n != 0 && (slots_[i].a != a || slots_[i].b != b)) i = (i + 1) & (slots_.size() - 1);
        return slots_[i];
    }

    static std::uint64_t hash(std::int64_t a, std::int64_t b) {
        std::uint64_t h = static_cast<std::uint64_t>(a) * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(b);
        h ^= h >> 32;
        return h * 0xd6e8feb86659fd93u;
    }

    void insert(PairCount& slot, const PairCount& pair) {
        slot = pair;
        if (2 * ++used_ > slots_.size()) grow();
    }

    void grow() {
        std::vector<PairCount> pairs;
        pairs.reserve(used_);
        for (const PairCount& slot : slots_)
            if (slot.n != 0) pairs.push_back(slot);
        resize(4 * slots_.size());
        for (const PairCount& pair : pairs) find(pair.a, pair.b) = pair;
    }

    void resize(std::size_t slots) {
        slots_ = std::vector<PairCount>(slots);
        shift_ = 64;
        for (; slots > 1; slots /= 2) --shift_;
    }

    std::vector<PairCount> slots_ = std::vector<PairCount>(first);
    std::size_t used_ = 0;
    unsigned shift_ = 64 - 10;
};

}  // namespace maskmeter
