// Joint counts, components, floods, graphs and orders.
#include "components.hpp"
#include "flood.hpp"
#include "joint_counts.hpp"
#include "joint_table.hpp"
#include "label_runs.hpp"
#include "memory.hpp"
#include "object_order.hpp"
#include "order.hpp"
#include "python.hpp"
#include "resample.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace maskmeter::python {

namespace {

// One row each for a, b and the counts.
Table table(const std::vector<maskmeter::PairCount>& pairs) {
    const std::size_t n = pairs.size();
    auto rows = std::make_unique<std::int64_t[]>(3 * n);
    for (std::size_t i = 0; i < n; ++i) {
        rows[i] = pairs[i].a;
        rows[n + i] = pairs[i].b;
        rows[2 * n + i] = pairs[i].n;
    }
    auto* data = rows.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    return Table(data, {3, n}, owner);
}

std::vector<maskmeter::PairCount> counted(const In& a, const In& b, const std::optional<Mask>& mask, const std::optional<std::string>& path) {
    if (a.size() != b.size() || (mask && mask->size() != a.size()))
        throw std::invalid_argument("the arrays must have the same size");
    const auto left = labels(a), right = labels(b);
    const auto& chosen = path ? maskmeter::path_named(*path) : maskmeter::paths().front();
    nb::gil_scoped_release free;
    return maskmeter::joint_counts(left, right, mask ? mask->data() : nullptr, a.size(), chosen);
}

std::vector<maskmeter::PairCount> counted_runs(const Longs& ends_a, const Longs& labels_a, const Longs& ends_b, const Longs& labels_b) {
    const std::size_t n = ends_a.size(), m = ends_b.size();
    if (labels_a.size() != n || labels_b.size() != m) throw std::invalid_argument("each run has one end and one label");
    if ((n ? ends_a.data()[n - 1] : 0) != (m ? ends_b.data()[m - 1] : 0)) throw std::invalid_argument("the maps must have the same size");
    nb::gil_scoped_release free;
    return maskmeter::joint_runs(ends_a.data(), labels_a.data(), n, ends_b.data(), labels_b.data(), m);
}

Table joint_counts(const In& a, const In& b, std::optional<Mask> mask, const std::optional<std::string>& path) {
    return table(counted(a, b, mask, path));
}

Table joint_runs(const Longs& ends_a, const Longs& labels_a, const Longs& ends_b, const Longs& labels_b) {
    return table(counted_runs(ends_a, labels_a, ends_b, labels_b));
}

nb::tuple as_table(const std::vector<maskmeter::PairCount>& pairs) {
    auto t = maskmeter::joint_table(pairs);
    return nb::make_tuple(handed_over(std::move(t.rows)), handed_over(std::move(t.row_totals)), handed_over(std::move(t.columns)),
                          handed_over(std::move(t.column_totals)), handed_over(std::move(t.row)), handed_over(std::move(t.column)),
                          handed_over(std::move(t.count)));
}

nb::tuple joint_table(const In& a, const In& b, std::optional<Mask> mask) { return as_table(counted(a, b, mask, {})); }

nb::tuple joint_table_of_runs(const Longs& ends_a, const Longs& labels_a, const Longs& ends_b, const Longs& labels_b) {
    return as_table(counted_runs(ends_a, labels_a, ends_b, labels_b));
}

// The order of the objects of one image. Columns of the ground truth: sizes, classes, boundaries, crowds; of the prediction:
// sizes, classes, boundaries, pixels on void, and scores; of the pairs: both places, pixels, boundaries, centred.
nb::tuple object_order(const std::array<Longs, 4>& gt, const std::array<Longs, 4>& pred, const Column<double>& score,
                       const std::array<Longs, 5>& pairs, unsigned rounds) {
    const std::size_t n = gt[0].size(), m = pred[0].size(), k = pairs[0].size();
    const auto all_of = [](const auto& columns, std::size_t size) { return std::all_of(columns.begin(), columns.end(), [=](const auto& x) { return x.size() == size; }); };
    if (!all_of(gt, n) || !all_of(pred, m) || score.size() != m || !all_of(pairs, k)) throw std::invalid_argument("columns of one side have one length");
    for (std::size_t e = 0; e < k; ++e)
        if (static_cast<std::uint64_t>(pairs[0].data()[e]) >= n || static_cast<std::uint64_t>(pairs[1].data()[e]) >= m)
            throw std::invalid_argument("a pair has an object that is not there");
    maskmeter::ObjectOrder found;
    {
        nb::gil_scoped_release free;
        const maskmeter::ObjectFacts left{n, gt[0].data(), gt[1].data(), gt[2].data(), gt[3].data(), nullptr, nullptr};
        const maskmeter::ObjectFacts right{m, pred[0].data(), pred[1].data(), pred[2].data(), nullptr, pred[3].data(), score.data()};
        const maskmeter::ObjectPairs both{k, pairs[0].data(), pairs[1].data(), pairs[2].data(), pairs[3].data(), pairs[4].data()};
        found = maskmeter::ObjectOrdering(left, right, both).in(rounds);
    }
    return nb::make_tuple(handed_over(std::move(found.gt)), handed_over(std::move(found.pred)), handed_over(std::move(found.pair)),
                          handed_over(std::move(found.pair_gt)), handed_over(std::move(found.pair_pred)));
}

// The instruction sets of this machine that joint_counts has a path for, the best first.
std::vector<std::string> paths() {
    std::vector<std::string> names;
    for (const auto& path : maskmeter::paths()) names.emplace_back(path.name);
    return names;
}

// The number of each pixel's connected component, 0 for background.
nb::ndarray<nb::numpy, std::int32_t> components(const In& x, unsigned connectivity, std::int64_t background) {
    const auto type = labels(x);
    std::vector<std::size_t> shape(x.ndim());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = x.shape(axis);
    if (shape.empty() || shape.size() > 8) throw std::invalid_argument("a map of components has 1 to 8 axes");
    if (shape.back() > 0xfffffffe) throw std::invalid_argument("a row is too long");
    std::unique_ptr<std::int32_t[]> out(new std::int32_t[x.size()]);
    if (x.size() > 0) {
        nb::gil_scoped_release free;
        maskmeter::Components found(shape, connectivity);
        type.visit([&](const auto* p) {
            using T = std::remove_cvref_t<decltype(*p)>;
            found.label(p, static_cast<T>(background), out.get());
        });
    }
    auto* data = out.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int32_t*>(p); });
    return {data, shape.size(), shape.data(), owner};
}

using Steps = nb::ndarray<const std::int32_t, nb::c_contig, nb::device::cpu>;

// Rows components, touching, found, by step; and the pairs: step, component, object, shared, size.
nb::tuple flood(const Steps& step, const Steps& object, std::int32_t steps, std::int32_t objects, unsigned connectivity, bool pairs) {
    std::vector<std::size_t> shape(step.ndim());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = step.shape(axis);
    if (shape.empty() || shape.size() > 8 || object.size() != step.size() || steps < 0 || objects < 0)
        throw std::invalid_argument("a map has 1 to 8 axes and an object at each pixel");
    const auto* o = object.data();
    for (std::size_t i = 0; i < object.size(); ++i)
        if (o[i] < 0 || o[i] > objects) throw std::invalid_argument("a pixel belongs to an object that there is not");
    std::vector<maskmeter::FloodCounts> counts;
    std::vector<maskmeter::FloodPair> found;
    {
        nb::gil_scoped_release free;
        counts.reserve(static_cast<std::size_t>(steps));
        if (step.size() == 0) counts.resize(static_cast<std::size_t>(steps), {0, 0, 0});
        else
            maskmeter::Flood(shape, connectivity)
                .run(step.data(), o, steps, objects, pairs, [&](const auto& c) { counts.push_back(c); }, [&](const auto& p) { found.push_back(p); });
    }
    return nb::make_tuple(rows_of(std::move(counts)), rows_of(std::move(found)));
}

nb::ndarray<nb::numpy, double, nb::ndim<2>> weighted_sums(const Floats& weights, const Floats& rows) {
    if (weights.shape(1) != rows.shape(0)) throw std::invalid_argument("one weight for each row is needed");
    const std::size_t b = weights.shape(0), n = rows.shape(0), k = rows.shape(1);
    auto out = std::make_unique<double[]>(b * k);  // zeros
    {
        nb::gil_scoped_release free;
        maskmeter::weighted_sums(weights.data(), rows.data(), out.get(), b, n, k);
    }
    double* data = out.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    return nb::ndarray<nb::numpy, double, nb::ndim<2>>(data, {b, k}, owner);
}

// The order of rows by keys of which the last is the most important: int64, uint64, double, or bytes of 8 bits.
nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>> lexsort(const std::vector<In>& keys) {
    const std::size_t n = keys.empty() ? 0 : keys.front().size();
    if (n > 0xffffffff) throw std::invalid_argument("there are too many rows to order");
    for (const auto& key : keys) {
        if (key.ndim() != 1 || key.size() != n) throw std::invalid_argument("keys are of one axis and of one length");
        if (key.dtype() != nb::dtype<std::int64_t>() && key.dtype() != nb::dtype<std::uint64_t>() && key.dtype() != nb::dtype<double>() && key.dtype() != nb::dtype<std::uint8_t>())
            throw nb::type_error("keys are int64, uint64, float64 or uint8");
    }
    std::unique_ptr<std::int64_t[]> out(new std::int64_t[n + 1]);
    {
        nb::gil_scoped_release free;
        maskmeter::order::Rows rows(n);
        for (const auto& key : keys) {
            if (key.dtype() == nb::dtype<double>()) rows.by(static_cast<const double*>(key.data()));
            else if (key.dtype() == nb::dtype<std::int64_t>()) rows.by(static_cast<const std::int64_t*>(key.data()));
            else if (key.dtype() == nb::dtype<std::uint64_t>()) rows.by(static_cast<const std::uint64_t*>(key.data()));
            else rows.by(static_cast<const std::uint8_t*>(key.data()));
        }
        std::copy(rows.at().begin(), rows.at().end(), out.get());
    }
    auto* data = out.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    return {data, {n}, owner};
}

}  // namespace

void bind_counts(nb::module_& m) {
    m.def("components", &components, "labels"_a, "connectivity"_a, "background"_a,
          "The connected components of equal label, numbered from 1 in the order of their first pixels; 0 is background.");
    m.def("flood", &flood, "step"_a, "object"_a, "steps"_a, "objects"_a, "connectivity"_a, "pairs"_a,
          "Components as pixels appear: rows (components, touching, found) by step, and what components and objects share.");
    m.def("object_order", &object_order, "gt"_a, "pred"_a, "score"_a, "pairs"_a, "rounds"_a,
          "The order of the objects of one image and of their pairs, made of what they are and never of their ids.");
    m.def("joint_runs", &joint_runs, "ends_a"_a, "labels_a"_a, "ends_b"_a, "labels_b"_a,
          "The joint counts of two maps that are given as runs.");
    m.def("joint_counts", &joint_counts, "a"_a, "b"_a, "mask"_a.none() = nb::none(), "path"_a.none() = nb::none(),
          "The pairs (a, b) that occur, in ascending order, and how many pixels carry each: rows a, b, counts.");
    m.def("joint_table", &joint_table, "a"_a, "b"_a, "mask"_a.none() = nb::none(),
          "The joint counts as a sparse table: rows, their totals, columns, theirs; of each pair its row, its column and its count.");
    m.def("joint_table_of_runs", &joint_table_of_runs, "ends_a"_a, "labels_a"_a, "ends_b"_a, "labels_b"_a,
          "The same of two maps that are given as runs.");
    m.def("lexsort", &lexsort, "keys"_a, "The order of rows by several keys, the last first; equal rows as they come.");
    m.def("keep_freed_memory", &maskmeter::keep_freed_memory, "Let this process use freed memory again for large blocks.");
    m.def("weighted_sums", &weighted_sums, "weights"_a, "rows"_a, "weights @ rows, added in the order of the rows.");
    m.def("paths", &paths, "The instruction sets that joint_counts can be told to use on this machine, the best first.");
}

}  // namespace maskmeter::python
