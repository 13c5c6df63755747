// Detections against ground truth, in the order of their scores: which pairs may meet, which match, what the curves are.
//
// Everything is grouped in cells, the objects of one class in one image: `begin` arrays say where each cell's
// detections (in the order of their scores) and ground truths lie. A detection meets few ground truths, so what is
// handed from step to step are pairs; a pair below the least threshold can never match and is not among them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace maskmeter::detections {

struct Cells {
    const std::int64_t *detections, *truths;  // (count + 1) each
    std::size_t count;
};

struct Pairs {
    std::vector<std::int64_t> detection, truth;
    std::vector<double> iou;
};

// The pairs of a cell whose boxes (x, y, width, height) meet, with the IoU of the boxes; of a crowd, the share of the
// detection. With areas of masks, pairs whose masks cannot reach `least` are left out; else those below `least`.
inline Pairs boxes_that_meet(const Cells& cells, const double* a, const double* b, const std::uint8_t* crowd, const double* area_a,
                             const double* area_b, double least) {
    Pairs out;
    const double floor = least * (1 - 1e-9);
    for (std::size_t c = 0; c < cells.count; ++c)
        for (auto d = cells.detections[c]; d < cells.detections[c + 1]; ++d) {
            const double* p = a + 4 * d;
            for (auto g = cells.truths[c]; g < cells.truths[c + 1]; ++g) {
                const double* q = b + 4 * g;
                const double w = std::min(p[2] + p[0], q[2] + q[0]) - std::max(p[0], q[0]);
                const double h = std::min(p[3] + p[1], q[3] + q[1]) - std::max(p[1], q[1]);
                double iou = 0;
                if (w > 0 && h > 0) {
                    const double inside = w * h, own = p[2] * p[3];
                    iou = inside / (crowd[g] ? own : own + q[2] * q[3] - inside);
                    if (area_a) {
                        const double most = std::min(inside, std::min(area_a[d], area_b[g]));
                        const double bound = most / (crowd[g] ? area_a[d] : area_a[d] + area_b[g] - most);
                        if (bound < floor) continue;
                    }
                }
                if (area_a ? iou > 0 || least <= 0 : iou >= least) {
                    out.detection.push_back(d);
                    out.truth.push_back(g);
                    out.iou.push_back(iou);
                }
            }
        }
    return out;
}

struct Matching {
    Cells cells;
    const std::int64_t* pair_begin;  // (detections + 1): where the pairs of each detection lie, truths ascending
    const std::int64_t* pair_truth;
    const double* pair_iou;
    const double *area, *truth_area;
    const std::uint8_t *ignore, *crowd;
    const std::uint8_t* unmarked;  // truths whose match leaves no mark (the id 0 of pycocotools)
    const std::uint8_t* excused;   // detections that are ignored where they match nothing
    const double* thresholds;
    std::size_t steps;  // at most 64
    const double* ranges;  // (areas, 2), both ends inside
    std::size_t areas;
};

// For each area range and detection a word of bits, one for each threshold: matched, and left out of the count.
// `partner` (areas, steps, detections) and `found` (areas, steps, truths), where asked for, hold the other's index or -1.
inline void match(const Matching& m, std::uint64_t* hits, std::uint64_t* ignored, std::int64_t* partner, std::int64_t* found) {
    const auto n = static_cast<std::size_t>(m.cells.detections[m.cells.count]), truths = static_cast<std::size_t>(m.cells.truths[m.cells.count]);
    const std::uint64_t all = m.steps == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << m.steps) - 1;
    std::vector<std::uint64_t> taken(truths);
    std::vector<std::uint8_t> aside(truths);
    for (std::size_t a = 0; a < m.areas; ++a) {
        const double low = m.ranges[2 * a], high = m.ranges[2 * a + 1];
        std::fill(taken.begin(), taken.end(), 0);
        for (std::size_t g = 0; g < truths; ++g) aside[g] = m.ignore[g] || m.truth_area[g] < low || m.truth_area[g] > high;
        for (std::size_t d = 0; d < n; ++d) {
            std::uint64_t hit = 0, out = 0;
            const auto first = m.pair_begin[d], last = m.pair_begin[d + 1];
            for (std::size_t t = 0; first < last && t < m.steps; ++t) {
                const std::uint64_t bit = std::uint64_t{1} << t;
                double best = std::min(m.thresholds[t], 1 - 1e-10);
                std::int64_t at = -1;
                // Those that are ignored are looked at only where no other matches.
                for (std::uint8_t side = 0; side < 2 && at < 0; ++side)
                    for (auto k = first; k < last; ++k) {
                        const auto g = m.pair_truth[k];
                        if (aside[g] != side || (taken[g] & bit && !m.crowd[g]) || m.pair_iou[k] < best) continue;
                        best = m.pair_iou[k];
                        at = g;
                    }
                if (at < 0) continue;
                taken[at] |= bit;
                if (!m.unmarked[at]) hit |= bit;
                if (aside[at]) out |= bit;
                if (partner) partner[(a * m.steps + t) * n + d] = at;
                if (found) found[(a * m.steps + t) * truths + at] = static_cast<std::int64_t>(d);
            }
            if (m.excused[d] || m.area[d] < low || m.area[d] > high) out |= all & ~hit;
            hits[a * n + d] = hit;
            ignored[a * n + d] = out;
        }
    }
}

// The detections of each group (all of one class, or of one class in one image), their bits in one area range.
struct Ranked {
    const std::int64_t* begin;  // (groups + 1)
    std::size_t groups;
    const double* score;
    const std::int64_t* rank;  // place in image and class
    const std::uint64_t *hits, *ignored;
    const double* recalls;
    std::size_t levels, steps;
    bool at_changes;  // precision is read only where the score changes
};

// The order of a group by score, equal ones as they come.
inline void by_score(const double* score, std::int64_t first, std::int64_t last, std::vector<std::int64_t>& order) {
    order.resize(static_cast<std::size_t>(last - first));
    std::iota(order.begin(), order.end(), first);
    const auto before = [&](auto i, auto j) { return score[i] > score[j]; };
    if (!std::is_sorted(order.begin(), order.end(), before)) std::stable_sort(order.begin(), order.end(), before);
}

// A curve at one threshold: at each step up, how much is right, how precise that is, and the score.
struct Curve {
    double right = 0, wrong = 0;
    std::vector<double> upto, precision, score;

    void clear() {
        right = wrong = 0;
        upto.clear(), precision.clear(), score.clear();
    }
    void step(double s) {
        if (!upto.empty() && upto.back() == right) return;
        upto.push_back(right);
        precision.push_back(right / (wrong + right + std::numeric_limits<double>::epsilon()));
        score.push_back(s);
    }
    void envelope() {
        for (std::size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
    }
    // f(level, precision, score) at each recall that is reached, in their order, until one is not.
    template <class F>
    void read(double objects, const double* recalls, std::size_t levels, double top, bool any, F&& f) const {
        std::size_t i = 0;
        for (std::size_t r = 0; r < levels; ++r) {
            if (recalls[r] <= 0) {  // the very first place, which may be a miss
                if (!any) return;
                f(r, precision.empty() ? 0.0 : precision.front(), top);
                continue;
            }
            if (r && recalls[r] < recalls[r - 1]) i = 0;
            while (i < upto.size() && upto[i] / objects < recalls[r]) ++i;
            if (i == upto.size()) return;
            f(r, precision[i], score[i]);
        }
    }
};

// Runs through a group in order and fills a curve for each threshold; `weight(d)` says how often d is there.
template <class Weight>
void curves(const Ranked& x, const std::int64_t* order, std::size_t size, std::int64_t cap, Weight&& weight, std::vector<Curve>& out, double& top, bool& any) {
    for (auto& c : out) c.clear();
    const std::uint64_t all = x.steps == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << x.steps) - 1;
    double common = 0;  // wrong at every threshold: added to each curve when it is read
    any = false;
    std::uint64_t moved = 0;
    for (std::size_t i = 0; i < size; ++i) {
        const auto d = order[i];
        const double w = x.rank[d] < cap ? weight(d) : 0;
        if (w != 0) {
            if (!any) top = x.score[d], any = true;
            const auto kept = all & ~x.ignored[d], right = kept & x.hits[d], wrong = kept & ~x.hits[d];
            if (wrong == all) common += w;
            else
                for (auto left = wrong; left; left &= left - 1) out[static_cast<std::size_t>(__builtin_ctzll(left))].wrong += w;
            for (auto left = right; left; left &= left - 1) out[static_cast<std::size_t>(__builtin_ctzll(left))].right += w;
            moved |= right;
        }
        if (moved && (!x.at_changes || i + 1 == size || x.score[order[i + 1]] != x.score[d])) {
            for (auto left = moved; left; left &= left - 1) {
                auto& c = out[static_cast<std::size_t>(__builtin_ctzll(left))];
                c.wrong += common;
                c.step(x.score[d]);
                c.wrong -= common;
            }
            moved = 0;
        }
    }
    for (auto& c : out) c.envelope();
}

// precision, scores (steps, levels, groups) and recall (steps, groups) of all detections below `cap`;
// -1 in a group without objects.
inline void accumulate(const Ranked& x, const std::int64_t* objects, std::int64_t cap, double* precision, double* scores, double* recall) {
    std::vector<std::int64_t> order;
    std::vector<Curve> curve(x.steps);
    for (std::size_t k = 0; k < x.groups; ++k) {
        const bool none = objects[k] == 0;
        for (std::size_t t = 0; t < x.steps; ++t) {
            recall[t * x.groups + k] = none ? -1 : 0;
            for (std::size_t r = 0; r < x.levels; ++r)
                precision[(t * x.levels + r) * x.groups + k] = scores[(t * x.levels + r) * x.groups + k] = none ? -1 : 0;
        }
        if (none) continue;
        by_score(x.score, x.begin[k], x.begin[k + 1], order);
        double top = 0;
        bool any = false;
        curves(x, order.data(), order.size(), cap, [](auto) { return 1.0; }, curve, top, any);
        for (std::size_t t = 0; t < x.steps; ++t) {
            recall[t * x.groups + k] = curve[t].right / static_cast<double>(objects[k]);
            curve[t].read(static_cast<double>(objects[k]), x.recalls, x.levels, top, any, [&](auto r, double p, double s) {
                precision[(t * x.levels + r) * x.groups + k] = p;
                scores[(t * x.levels + r) * x.groups + k] = s;
            });
        }
    }
}

// For each resample, group and threshold the mean precision over the recalls, and the recall; NaN without objects.
// Detection d counts weights[b][unit[d]] times, a group has objects[b][k]; both outputs are (resamples, groups, steps).
inline void resampled(const Ranked& x, const double* weights, std::size_t resamples, std::size_t units, const std::int64_t* unit,
                      const double* objects, std::int64_t cap, double* mean, double* recall) {
    std::vector<std::int64_t> order;
    std::vector<Curve> curve(x.steps);
    for (std::size_t k = 0; k < x.groups; ++k) {
        by_score(x.score, x.begin[k], x.begin[k + 1], order);
        for (std::size_t b = 0; b < resamples; ++b) {
            double* to = mean + (b * x.groups + k) * x.steps;
            double* reached = recall + (b * x.groups + k) * x.steps;
            const double n = objects[b * x.groups + k];
            if (n == 0) {
                std::fill(to, to + x.steps, std::numeric_limits<double>::quiet_NaN());
                std::fill(reached, reached + x.steps, std::numeric_limits<double>::quiet_NaN());
                continue;
            }
            double top = 0;
            bool any = false;
            const double* w = weights + b * units;
            curves(x, order.data(), order.size(), cap, [&](auto d) { return w[unit[d]]; }, curve, top, any);
            for (std::size_t t = 0; t < x.steps; ++t) {
                double total = 0;
                curve[t].read(n, x.recalls, x.levels, top, any, [&](auto, double p, double) { total += p; });
                to[t] = total / static_cast<double>(x.levels);
                reached[t] = curve[t].right / n;
            }
        }
    }
}

}  // namespace maskmeter::detections
