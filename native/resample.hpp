// Weighted sums of rows: out[b][j] = sum over i of weights[b][i] * rows[i][j], what a bootstrap adds up.
//
// A matrix product, and yet not one for the linear algebra library: its threads would spin for longer than the
// product takes, and the order in which it adds is its own. Here each sum goes over i in order, so the bits
// are the same everywhere; weights are small counts, a third of them 0, which are passed over.
#pragma once

#include <cstddef>

namespace maskmeter {

inline void weighted_sums(const double* weights, const double* rows, double* out, std::size_t b, std::size_t n, std::size_t k) {
    for (std::size_t r = 0; r < b; ++r, weights += n, out += k)
        for (std::size_t i = 0; i < n; ++i) {
            const double w = weights[i];
            if (w == 0) continue;
            const double* row = rows + i * k;
            for (std::size_t j = 0; j < k; ++j) out[j] += w * row[j];
        }
}

}  // namespace maskmeter
