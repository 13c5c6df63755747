// Pairs of labels as a sparse table: its rows and columns, what each holds, and where in it each pair is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pair_table.hpp"

namespace maskmeter {

// The labels of rows and columns, ascending, with their totals; of each pair its row, its column and its count.
struct JointTable {
    std::vector<std::int64_t> rows, row_totals, columns, column_totals, row, column, count;
};

// Of pairs in ascending order.
inline JointTable joint_table(const std::vector<PairCount>& pairs) {
    JointTable t;
    t.row.reserve(pairs.size());
    t.column.reserve(pairs.size());
    t.count.reserve(pairs.size());
    for (const PairCount& pair : pairs) t.columns.push_back(pair.b);
    std::sort(t.columns.begin(), t.columns.end());
    t.columns.erase(std::unique(t.columns.begin(), t.columns.end()), t.columns.end());
    t.column_totals.assign(t.columns.size(), 0);
    for (const PairCount& pair : pairs) {
        if (t.rows.empty() || t.rows.back() != pair.a) {
            t.rows.push_back(pair.a);
            t.row_totals.push_back(0);
        }
        const auto column = std::lower_bound(t.columns.begin(), t.columns.end(), pair.b) - t.columns.begin();
        t.row.push_back(static_cast<std::int64_t>(t.rows.size()) - 1);
        t.column.push_back(column);
        t.count.push_back(pair.n);
        t.row_totals.back() += pair.n;
        t.column_totals[static_cast<std::size_t>(column)] += pair.n;
    }
    return t;
}

}  // namespace maskmeter
