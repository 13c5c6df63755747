// The order of the objects of one image, made of what they are and never of their ids: by fingerprints (fingerprints.hpp)
// of their sizes, shared pixels and other facts. Objects with equal fingerprints stay as they come.
//
// What is counted for some metrics alone, boundaries and centres, makes fingerprints of its own that decide last, so
// that it moves no other metric.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "fingerprints.hpp"

namespace maskmeter {

// What is known of the objects of one side, a column each.
struct ObjectFacts {
    std::size_t count;
    const std::int64_t *size, *class_, *boundary;
    const std::int64_t* crowd;    // of the ground truth: not 0 for crowds
    const std::int64_t* void_;    // of the prediction: pixels on void
    const double* score;          // of the prediction: NaN where there is none
};

// Two objects of each pair, by their places, and what they share.
struct ObjectPairs {
    std::size_t count;
    const std::int64_t *gt, *pred, *pixels, *boundary, *centred;
};

// Places in order: those of the objects of each side and of the pairs; of the pairs also where their objects are then.
struct ObjectOrder {
    std::vector<std::int64_t> gt, pred, pair, pair_gt, pair_pred;
};

class ObjectOrdering {
   public:
    ObjectOrdering(const ObjectFacts& gt, const ObjectFacts& pred, const ObjectPairs& pairs) : gt_(gt), pred_(pred), pairs_(pairs) {}

    ObjectOrder in(unsigned rounds) const {
        const std::size_t n = gt_.count;
        const auto own = prints(rounds, false), last = anything_more() ? prints(rounds, true) : own;
        ObjectOrder out{by(own.data(), last.data(), n), by(own.data() + n, last.data() + n, pred_.count), {}, {}, {}};
        const auto g = inverse(out.gt), p = inverse(out.pred);
        struct Pair {
            std::int64_t gt, pred, at;
        };
        std::vector<Pair> pairs(pairs_.count);
        for (std::size_t e = 0; e < pairs.size(); ++e) pairs[e] = {g[pairs_.gt[e]], p[pairs_.pred[e]], static_cast<std::int64_t>(e)};
        std::sort(pairs.begin(), pairs.end(), [](const Pair& x, const Pair& y) { return x.gt != y.gt ? x.gt < y.gt : x.pred < y.pred; });
        for (auto* column : {&out.pair, &out.pair_gt, &out.pair_pred}) column->reserve(pairs.size());
        for (const Pair& x : pairs) {
            out.pair.push_back(x.at);
            out.pair_gt.push_back(x.gt);
            out.pair_pred.push_back(x.pred);
        }
        return out;
    }

   private:
    using Words = std::vector<std::uint64_t>;

    static std::uint64_t word(std::int64_t x) { return static_cast<std::uint64_t>(x); }

    bool anything_more() const {
        const auto any = [](const std::int64_t* x, std::size_t n) { return std::any_of(x, x + n, [](auto v) { return v != 0; }); };
        return any(gt_.boundary, gt_.count) || any(pred_.boundary, pred_.count) || any(pairs_.centred, pairs_.count);
    }

    Words prints(unsigned rounds, bool more) const {
        const std::size_t n = gt_.count;
        Words own(n + pred_.count);
        std::vector<std::int64_t> there(pairs_.count), fact(pairs_.count);
        for (std::size_t i = 0; i < n; ++i) own[i] = mixed(word(gt_.size[i])) + (gt_.crowd[i] > 0);
        for (std::size_t i = 0; i < pred_.count; ++i) {  // not the size alone: the sides are not exchangeable
            const double score = std::isnan(pred_.score[i]) ? -1.0 : pred_.score[i];
            own[n + i] = mixed(mixed(word(~pred_.size[i])) + word(pred_.void_[i])) + std::bit_cast<std::uint64_t>(score);
        }
        for (std::size_t e = 0; e < pairs_.count; ++e) {  // classes only by whether they are equal
            there[e] = pairs_.pred[e] + static_cast<std::int64_t>(n);
            fact[e] = 2 * pairs_.pixels[e] + (gt_.class_[pairs_.gt[e]] == pred_.class_[pairs_.pred[e]]);
        }
        if (more) {
            for (std::size_t i = 0; i < own.size(); ++i) own[i] = mixed(own[i]) + word(i < n ? gt_.boundary[i] : pred_.boundary[i - n]);
            for (std::size_t e = 0; e < pairs_.count; ++e)
                fact[e] = static_cast<std::int64_t>(mixed(word(fact[e])) + word(2 * pairs_.boundary[e] + pairs_.centred[e]));
        }
        fingerprints(own.data(), own.size(), pairs_.gt, there.data(), fact.data(), pairs_.count, rounds);
        return own;
    }

    static std::vector<std::int64_t> by(const std::uint64_t* own, const std::uint64_t* last, std::size_t n) {
        std::vector<std::int64_t> order(n);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](auto i, auto j) { return own[i] != own[j] ? own[i] < own[j] : last[i] < last[j]; });
        return order;
    }

    static std::vector<std::int64_t> inverse(const std::vector<std::int64_t>& order) {
        std::vector<std::int64_t> out(order.size());
        for (std::size_t i = 0; i < order.size(); ++i) out[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
        return out;
    }

    ObjectFacts gt_, pred_;
    ObjectPairs pairs_;
};

}  // namespace maskmeter
