// Distances with weights, sorted and counted: one row for each distinct pair, with how often it occurs.
//
// What occurs does not depend on the order in which it was met, so rows of parts can be merged by adding counts, and
// a sum over rows in their order has the same bits however they came about.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace maskmeter {

struct Tally {
    std::vector<double> distance, weight;  // ascending by distance, then weight; no weights: each counts one
    std::vector<std::int64_t> count;
};

namespace detail {

// Sorts by the bits of distances, which are not negative, so that their bits are in the order of their values.
template <class Item>
void sort_by_distance(std::vector<Item>& a) {
    constexpr unsigned width = 11, digits = 6, size = 1u << width;
    std::vector<std::array<std::uint32_t, size>> start(digits);
    for (const Item& x : a)
        for (unsigned d = 0; d < digits; ++d) ++start[d][x.bits() >> width * d & (size - 1)];
    std::vector<Item> b(a.size());
    for (unsigned d = 0; d < digits; ++d) {
        auto& from = start[d];
        std::uint32_t sum = 0;
        bool one = false;  // all have this digit in common
        for (auto& n : from) one |= n == a.size(), sum += n, n = sum - n;
        if (one) continue;
        for (const Item& x : a) b[from[x.bits() >> width * d & (size - 1)]++] = x;
        a.swap(b);
    }
}

struct Plain {
    double distance;
    std::uint64_t bits() const { return std::bit_cast<std::uint64_t>(distance); }
};

struct Weighted {
    double distance, weight;
    std::uint64_t bits() const { return std::bit_cast<std::uint64_t>(distance); }
};

}  // namespace detail

inline Tally tally(std::vector<detail::Plain> a) {
    detail::sort_by_distance(a);
    Tally out;
    for (const auto& x : a) {
        if (out.distance.empty() || out.distance.back() != x.distance) out.distance.push_back(x.distance), out.count.push_back(0);
        ++out.count.back();
    }
    return out;
}

inline Tally tally(std::vector<detail::Weighted> a) {
    detail::sort_by_distance(a);
    Tally out;
    const auto lighter = [](const auto& x, const auto& y) { return x.weight < y.weight; };
    for (auto i = a.begin(); i != a.end();) {
        auto end = i;
        while (end != a.end() && end->distance == i->distance) ++end;
        if (!std::is_sorted(i, end, lighter)) std::sort(i, end, lighter);
        for (auto from = i; i != end; ++i) {
            if (i == from || i->weight != out.weight.back()) {
                out.distance.push_back(i->distance), out.weight.push_back(i->weight), out.count.push_back(0);
            }
            ++out.count.back();
        }
    }
    return out;
}

}  // namespace maskmeter
