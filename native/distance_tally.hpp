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

// Room is made for the rows that there are, and no more: of a large surface they are kept by the million.
inline Tally tally(std::vector<detail::Plain> a) {
    detail::sort_by_distance(a);
    const auto begins = [&](std::size_t i) { return i == 0 || a[i].distance != a[i - 1].distance; };
    std::size_t rows = 0;
    for (std::size_t i = 0; i < a.size(); ++i) rows += begins(i);
    Tally out;
    out.distance.reserve(rows), out.count.reserve(rows);
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (begins(i)) out.distance.push_back(a[i].distance), out.count.push_back(0);
        ++out.count.back();
    }
    return out;
}

inline Tally tally(std::vector<detail::Weighted> a) {
    detail::sort_by_distance(a);
    const auto lighter = [](const auto& x, const auto& y) { return x.weight < y.weight; };
    for (auto i = a.begin(); i != a.end();) {
        auto end = i;
        while (end != a.end() && end->distance == i->distance) ++end;
        if (!std::is_sorted(i, end, lighter)) std::sort(i, end, lighter);
        i = end;
    }
    const auto begins = [&](std::size_t i) { return i == 0 || a[i].distance != a[i - 1].distance || a[i].weight != a[i - 1].weight; };
    std::size_t rows = 0;
    for (std::size_t i = 0; i < a.size(); ++i) rows += begins(i);
    Tally out;
    out.distance.reserve(rows), out.weight.reserve(rows), out.count.reserve(rows);
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (begins(i)) out.distance.push_back(a[i].distance), out.weight.push_back(a[i].weight), out.count.push_back(0);
        ++out.count.back();
    }
    return out;
}

}  // namespace maskmeter
