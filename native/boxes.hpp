// The box of each label of a map, in one pass over its runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace maskmeter {

struct LabelBox {
    std::int64_t label;
    std::array<std::int64_t, 3> lo, hi;  // first and last
};

// In the order in which the labels are met. Runs of one value cost little; a label is looked up once a run.
template <class T>
std::vector<LabelBox> label_boxes(const T* labels, const std::array<std::size_t, 3>& shape) {
    std::vector<LabelBox> found;
    std::unordered_map<T, std::size_t> place;
    constexpr bool dense = sizeof(T) <= 2;
    std::vector<std::uint32_t> table(dense ? std::size_t(1) << 8 * sizeof(T) : 0, 0);
    const auto at = [&](T label, std::int64_t z, std::int64_t y, std::int64_t x) -> LabelBox& {
        std::size_t k;
        if constexpr (dense) {
            auto& slot = table[static_cast<std::make_unsigned_t<T>>(label)];
            if (!slot) slot = static_cast<std::uint32_t>(found.size() + 1);
            k = slot - 1;
        } else {
            k = place.try_emplace(label, found.size()).first->second;
        }
        if (k == found.size()) found.push_back({static_cast<std::int64_t>(label), {z, y, x}, {z, y, x}});
        return found[k];
    };
    for (std::size_t z = 0; z < shape[0]; ++z)
        for (std::size_t y = 0; y < shape[1]; ++y) {
            const T* row = labels + (z * shape[1] + y) * shape[2];
            for (std::size_t x = 0; x < shape[2];) {
                const T label = row[x];
                std::size_t end = x + 1;
                while (end + 16 <= shape[2]) {
                    unsigned same = 1;
                    for (std::size_t k = 0; k < 16; ++k) same &= row[end + k] == label;
                    if (!same) break;
                    end += 16;
                }
                while (end < shape[2] && row[end] == label) ++end;
                auto& b = at(label, std::int64_t(z), std::int64_t(y), std::int64_t(x));
                b.hi[0] = std::int64_t(z);
                b.lo[1] = std::min(b.lo[1], std::int64_t(y)), b.hi[1] = std::max(b.hi[1], std::int64_t(y));
                b.lo[2] = std::min(b.lo[2], std::int64_t(x)), b.hi[2] = std::max(b.hi[2], std::int64_t(end - 1));
                x = end;
            }
        }
    return found;
}

}  // namespace maskmeter
