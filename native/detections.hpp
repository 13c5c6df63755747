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

// Resamples of one group. Detections that are wrong at every threshold are only added up; the others are walked once
// for each threshold, many resamples side by side. A step at which a resample has nothing new is harmless: its
// precision is at most that of the step before, which is where the recall is first reached.
class Resamples {
   public:
    static constexpr std::size_t lanes = 16;  // resamples side by side

    // `times` (units, lanes) says how often each unit is there.
    Resamples(const Ranked& x, const std::int64_t* unit, std::int64_t cap) : x_(x), unit_(unit), cap_(cap) {}

    void group(std::size_t k) {
        by_score(x_.score, x_.begin[k], x_.begin[k + 1], order_);
        const std::uint64_t all = x_.steps == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << x_.steps) - 1;
        item_.clear();
        bool open = false;  // whether something was right since the last step
        for (std::size_t i = 0; i < order_.size(); ++i) {
            const auto d = order_[i];
            if (x_.rank[d] < cap_) {
                const auto kept = all & ~x_.ignored[d];
                const Item now{static_cast<std::size_t>(unit_[d]), kept & x_.hits[d], kept & ~x_.hits[d], false};
                if (now.right || now.wrong) item_.push_back(now);
                open |= now.right != 0;
            }
            if (open && (!x_.at_changes || i + 1 == order_.size() || x_.score[order_[i + 1]] != x_.score[d])) {
                item_.back().step = true;
                open = false;
            }
        }
        all_ = all;
    }

    // mean and recall (lanes, steps) of the resamples whose units are there `times` and that have `objects`.
    void read(const double* times, const double* objects, double* mean, double* recall) {
        gather(times);
        for (std::size_t t = 0; t < x_.steps; ++t) {
            const std::size_t n = walk(t, objects);
            for (std::size_t b = 0; b < lanes; ++b) recall[b * x_.steps + t] = right_[b] / objects[b];
            if (x_.levels == 0) continue;
            for (std::size_t s = n; s-- > 1;)
                for (std::size_t b = 0; b < lanes; ++b)
                    precision_[(s - 1) * lanes + b] = std::max(precision_[(s - 1) * lanes + b], precision_[s * lanes + b]);
            for (std::size_t b = 0; b < lanes; ++b) mean[b * x_.steps + t] = total(n, b) / static_cast<double>(x_.levels);
        }
    }

   private:
    struct Item {
        std::size_t unit;
        std::uint64_t right, wrong;
        bool step;  // a curve may have a step after this one
    };

    // Weights of those that are not wrong everywhere, and at each of their steps how much is.
    void gather(const double* times) {
        weight_.clear(), wrong_.clear(), mixed_.clear();
        double sum[lanes] = {};
        for (const auto& item : item_) {
            const double* w = times + item.unit * lanes;
            if (item.wrong == all_)
                for (std::size_t b = 0; b < lanes; ++b) sum[b] += w[b];
            else {
                mixed_.push_back(item);
                weight_.insert(weight_.end(), w, w + lanes);
            }
            if (!item.step) continue;
            if (item.wrong == all_) mixed_.push_back({0, 0, 0, true}), weight_.insert(weight_.end(), lanes, 0.0);
            wrong_.insert(wrong_.end(), sum, sum + lanes);
        }
        precision_.resize(wrong_.size()), reached_.resize(wrong_.size());
    }

    // The curve at a threshold: how many steps it has.
    std::size_t walk(std::size_t t, const double* objects) {
        const std::uint64_t bit = std::uint64_t{1} << t;
        double wrong[lanes] = {};
        std::fill(right_, right_ + lanes, 0.0);
        const double *w = weight_.data(), *common = wrong_.data();
        double *precision = precision_.data(), *reached = reached_.data();
        std::size_t n = 0;
        bool moved = false;
        for (const auto& item : mixed_) {
            if (item.right & bit) {
                for (std::size_t b = 0; b < lanes; ++b) right_[b] += w[b];
                moved = true;
            } else if (item.wrong & bit) {
                for (std::size_t b = 0; b < lanes; ++b) wrong[b] += w[b];
            }
            w += lanes;
            if (!item.step) continue;
            if (moved && x_.levels) {
                for (std::size_t b = 0; b < lanes; ++b) {
                    precision[b] = right_[b] / (wrong[b] + common[b] + right_[b] + std::numeric_limits<double>::epsilon());
                    reached[b] = right_[b] / objects[b];
                }
                precision += lanes, reached += lanes, ++n;
            }
            moved = false;
            common += lanes;
        }
        return n;
    }

    double total(std::size_t n, std::size_t b) const {
        const double *precision = precision_.data() + b, *reached = reached_.data() + b;
        double sum = 0;
        for (std::size_t i = 0, r = 0; r < x_.levels; ++r) {
            if (r && x_.recalls[r] < x_.recalls[r - 1]) i = 0;
            while (i < n && reached[i * lanes] < x_.recalls[r]) ++i;
            if (i == n) break;
            sum += precision[i * lanes];
        }
        return sum;
    }

    const Ranked& x_;
    const std::int64_t* unit_;
    std::int64_t cap_;
    std::uint64_t all_ = 0;
    std::vector<std::int64_t> order_;
    std::vector<Item> item_, mixed_;
    std::vector<double> weight_, wrong_, precision_, reached_;
    double right_[lanes] = {};
};

// For each resample, group and threshold the mean precision over the recalls, and the recall; NaN without objects.
// Detection d counts weights[b][unit[d]] times, a group has objects[b][k]; both outputs are (resamples, groups, steps).
// Where precision is read nowhere there are recalls alone.
inline void resampled(const Ranked& x, const double* weights, std::size_t resamples, std::size_t units, const std::int64_t* unit,
                      const double* objects, std::int64_t cap, double* mean, double* recall) {
    constexpr auto lanes = Resamples::lanes;
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const std::size_t blocks = (resamples + lanes - 1) / lanes;
    std::vector<double> times(blocks * units * lanes);  // blocks, units, lanes
    for (std::size_t b = 0; b < resamples; ++b)
        for (std::size_t u = 0; u < units; ++u) times[((b / lanes) * units + u) * lanes + b % lanes] = weights[b * units + u];
    Resamples one(x, unit, cap);
    std::vector<double> means(lanes * x.steps), recalls(lanes * x.steps);
    for (std::size_t k = 0; k < x.groups; ++k) {
        one.group(k);
        for (std::size_t block = 0; block < blocks; ++block) {
            double there[lanes];
            bool any = false;
            const std::size_t first = block * lanes, here = std::min(lanes, resamples - first);
            for (std::size_t b = 0; b < lanes; ++b) {
                const double n = b < here ? objects[(first + b) * x.groups + k] : 0;
                any |= n != 0;
                there[b] = n != 0 ? n : 1;
            }
            if (any) one.read(times.data() + block * units * lanes, there, means.data(), recalls.data());
            for (std::size_t b = 0; b < here; ++b) {
                const std::size_t to = ((first + b) * x.groups + k) * x.steps;
                const bool known = objects[(first + b) * x.groups + k] != 0;
                for (std::size_t t = 0; t < x.steps; ++t) {
                    mean[to + t] = known && x.levels ? means[b * x.steps + t] : nan;
                    recall[to + t] = known ? recalls[b * x.steps + t] : nan;
                }
            }
        }
    }
}

}  // namespace maskmeter::detections
