// The one file that knows Python: the table of contents of the native side.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coco_records.hpp"
#include "bands.hpp"
#include "boxes.hpp"
#include "components.hpp"
#include "fingerprints.hpp"
#include "detections.hpp"
#include "flood.hpp"
#include "joint_counts.hpp"
#include "label_runs.hpp"
#include "memory.hpp"
#include "order.hpp"
#include "png.hpp"
#include "polygon.hpp"
#include "resample.hpp"
#include "rle.hpp"
#include "scores.hpp"
#include "topology.hpp"
#include "surface.hpp"
#include "threads.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using In = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<2>>;

maskmeter::Labels labels(const In& x) {
    const auto type = x.dtype();
    const bool is_signed = type.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Int);
    const bool is_unsigned = type.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::UInt);
    if ((!is_signed && !is_unsigned) || type.lanes != 1 || type.bits < 8 || type.bits > 64)
        throw nb::type_error("labels must be integers of 8, 16, 32 or 64 bits");
    return {x.data(), type.bits / 8u, is_signed};
}

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

Table joint_counts(const In& a, const In& b, std::optional<Mask> mask, const std::optional<std::string>& path) {
    if (a.size() != b.size() || (mask && mask->size() != a.size()))
        throw std::invalid_argument("the arrays must have the same size");
    const auto left = labels(a), right = labels(b);
    const auto& chosen = path ? maskmeter::path_named(*path) : maskmeter::paths().front();
    std::vector<maskmeter::PairCount> pairs;
    {
        nb::gil_scoped_release free;
        pairs = maskmeter::joint_counts(left, right, mask ? mask->data() : nullptr, a.size(), chosen);
    }
    return table(pairs);
}

using Longs = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using LongsOut = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>;

LongsOut handed_over(std::vector<std::int64_t>&& values) {
    auto* kept = new std::vector<std::int64_t>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<std::int64_t>*>(p); });
    return LongsOut(kept->data(), {kept->size()}, owner);
}

Table joint_runs(const Longs& ends_a, const Longs& labels_a, const Longs& ends_b, const Longs& labels_b) {
    const std::size_t n = ends_a.size(), m = ends_b.size();
    if (labels_a.size() != n || labels_b.size() != m) throw std::invalid_argument("each run has one end and one label");
    if ((n ? ends_a.data()[n - 1] : 0) != (m ? ends_b.data()[m - 1] : 0)) throw std::invalid_argument("the maps must have the same size");
    std::vector<maskmeter::PairCount> pairs;
    {
        nb::gil_scoped_release free;
        pairs = maskmeter::joint_runs(ends_a.data(), labels_a.data(), n, ends_b.data(), labels_b.data(), m);
    }
    return table(pairs);
}

using Prints = nb::ndarray<nb::numpy, std::uint64_t, nb::ndim<1>>;

// What the nodes begin with is their fact; edge e joins two of them, below `nodes`.
Prints fingerprints(const nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>& facts, const Longs& here, const Longs& there,
                   const Longs& edge_facts, unsigned rounds) {
    const std::size_t nodes = facts.size(), edges = edge_facts.size();
    if (here.size() != edges || there.size() != edges) throw std::invalid_argument("each edge has two ends and one fact");
    for (std::size_t e = 0; e < edges; ++e)
        if (static_cast<std::uint64_t>(here.data()[e]) >= nodes || static_cast<std::uint64_t>(there.data()[e]) >= nodes)
            throw std::invalid_argument("an edge ends at a node that is not there");
    std::unique_ptr<std::uint64_t[]> own(new std::uint64_t[nodes]);
    {
        nb::gil_scoped_release free;
        std::copy_n(facts.data(), nodes, own.get());
        maskmeter::fingerprints(own.get(), nodes, here.data(), there.data(), edge_facts.data(), edges, rounds);
    }
    auto* data = own.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint64_t*>(p); });
    return Prints(data, {nodes}, owner);
}

// The instruction sets of this machine that joint_counts has a path for, the best first.
std::vector<std::string> paths() {
    std::vector<std::string> names;
    for (const auto& path : maskmeter::paths()) names.emplace_back(path.name);
    return names;
}

using Raw = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

maskmeter::png::Layout png_layout(std::size_t width, std::size_t height, std::size_t bits, std::size_t channels, bool interlaced) {
    constexpr std::size_t most = 0x7fffffff, most_pixels = std::size_t{1} << 40;  // keeps every product below 2^48
    const bool packed = channels == 1 && (bits == 1 || bits == 2 || bits == 4);
    if (width < 1 || height < 1 || width > most || height > most || width > most_pixels / height)
        throw std::invalid_argument("no PNG of this size can be decoded");
    if (channels < 1 || channels > 4 || !(packed || bits == 8 || bits == 16))
        throw std::invalid_argument("no PNG has samples like these");
    return {width, height, bits, channels, interlaced};
}

std::size_t png_inflated_size(std::size_t width, std::size_t height, std::size_t bits, std::size_t channels, bool interlaced) {
    return maskmeter::png::inflated_size(png_layout(width, height, bits, channels, interlaced));
}

nb::ndarray<nb::numpy> png_samples(const Raw& raw, std::size_t width, std::size_t height, std::size_t bits, std::size_t channels, bool interlaced) {
    const auto layout = png_layout(width, height, bits, channels, interlaced);
    if (raw.size() != maskmeter::png::inflated_size(layout))
        throw std::invalid_argument("the data has another size than the header says");
    const std::size_t shape[] = {height, width, channels};
    const auto type = bits == 16 ? nb::dtype<std::uint16_t>() : nb::dtype<std::uint8_t>();
    std::unique_ptr<std::uint8_t[]> out;
    {
        nb::gil_scoped_release free;
        out.reset(new std::uint8_t[height * width * channels * (bits == 16 ? 2 : 1)]);
        maskmeter::png::decode(raw.data(), layout, out.get());
    }
    auto* data = out.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
    return nb::ndarray<nb::numpy>(data, channels == 1 ? 2 : 3, shape, owner, nullptr, type);
}

nb::tuple png_id_runs(const Raw& raw, std::size_t width, std::size_t height) {
    const auto layout = png_layout(width, height, 8, 3, false);
    if (raw.size() != maskmeter::png::inflated_size(layout))
        throw std::invalid_argument("the data has another size than the header says");
    maskmeter::LabelRuns runs;
    {
        nb::gil_scoped_release free;
        runs = maskmeter::png::id_runs(raw.data(), width, height);
    }
    return nb::make_tuple(handed_over(std::move(runs.ends)), handed_over(std::move(runs.labels)));
}

using Bytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using Rows3 = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Calls f with a value of the unsigned type that holds the keys of score histograms.
template <class F>
decltype(auto) visit_keys(const In& keys, F&& f) {
    const auto type = keys.dtype();
    if (type.code != static_cast<std::uint8_t>(nb::dlpack::dtype_code::UInt) || type.lanes != 1)
        throw nb::type_error("scores come as unsigned integers, or as the bits of floats");
    switch (type.bits) {
        case 8: return f(std::uint8_t{});
        case 16: return f(std::uint16_t{});
        case 32: return f(std::uint32_t{});
        case 64: return f(std::uint64_t{});
        default: throw nb::type_error("scores have 8, 16, 32 or 64 bits");
    }
}

template <class T>
nb::object owned(T* data, std::size_t rows, std::size_t columns) {  // from malloc; no columns: one axis
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    const std::size_t shape[] = {rows, columns};
    return nb::cast(nb::ndarray<nb::numpy, T>(data, columns ? 2 : 1, shape, owner));
}

template <class Key>
nb::tuple histogram(maskmeter::scores::Histogram<Key>&& h) {
    maskmeter::scores::Buffer<std::int64_t> high(3 * h.high.size());
    std::size_t k = 0;
    for (const auto& row : h.high) high[k++] = row.index, high[k++] = row.pos, high[k++] = row.neg;
    return nb::make_tuple(owned(h.keys.release(), h.size, 0), owned(h.low.release(), h.size, 2), owned(high.release(), h.high.size(), 3));
}

template <class Key>
maskmeter::scores::View<Key> view(const In& keys, const Bytes& low, const Rows3& high) {
    static_assert(sizeof(maskmeter::scores::High) == 3 * sizeof(std::int64_t));
    if (low.size() != 2 * keys.size() || high.shape(1) != 3) throw std::invalid_argument("the parts of a histogram do not fit together");
    return {static_cast<const Key*>(keys.data()), low.data(), keys.size(), reinterpret_cast<const maskmeter::scores::High*>(high.data()), high.shape(0)};
}

nb::tuple score_counts(const In& scores, const Bytes& positive, std::optional<Bytes> mask, std::uint64_t greatest) {
    if (positive.size() != scores.size() || (mask && mask->size() != scores.size()))
        throw std::invalid_argument("the arrays must have the same size");
    return visit_keys(scores, [&]<class Key>(Key) {
        // Words of 32 and 64 bits need a bit for the ground truth.
        if (greatest > (sizeof(Key) < 4 ? std::uint64_t{static_cast<Key>(~Key{0})} : std::uint64_t{static_cast<Key>(~Key{0})} / 2))
            throw std::invalid_argument("greatest does not fit the scores");
        std::optional<maskmeter::scores::Histogram<Key>> h;
        {
            nb::gil_scoped_release free;
            h.emplace(maskmeter::scores::count(static_cast<const Key*>(scores.data()), positive.data(), mask ? mask->data() : nullptr,
                                               scores.size(), static_cast<Key>(greatest)));
        }
        const auto outside = h->outside;
        return nb::make_tuple(histogram(std::move(*h)), outside);
    });
}

nb::tuple score_merge(const In& keys_a, const Bytes& low_a, const Rows3& high_a, const In& keys_b, const Bytes& low_b, const Rows3& high_b, unsigned level) {
    return visit_keys(keys_a, [&]<class Key>(Key) {
        if (keys_b.dtype() != keys_a.dtype() || level >= 8 * sizeof(Key)) throw std::invalid_argument("these histograms do not add up");
        const auto a = view<Key>(keys_a, low_a, high_a), b = view<Key>(keys_b, low_b, high_b);
        std::optional<maskmeter::scores::Histogram<Key>> h;
        {
            nb::gil_scoped_release free;
            h.emplace(maskmeter::scores::merge(a, b, level));
        }
        return histogram(std::move(*h));
    });
}

std::vector<std::int64_t> score_cells(const In& keys) {
    return visit_keys(keys, [&]<class Key>(Key) {
        nb::gil_scoped_release free;
        const auto cells = maskmeter::scores::occupied(static_cast<const Key*>(keys.data()), keys.size());
        return std::vector<std::int64_t>(cells.begin(), cells.end());
    });
}

nb::tuple score_areas(const In& keys, const Bytes& low, const Rows3& high) {
    return visit_keys(keys, [&]<class Key>(Key) {
        const auto h = view<Key>(keys, low, high);
        maskmeter::scores::Areas areas;
        {
            nb::gil_scoped_release free;
            areas = maskmeter::scores::areas(h);
        }
        return nb::make_tuple(areas.ordered.high, areas.ordered.low, areas.precision);
    });
}

template <class T>
nb::object kept(std::vector<T>&& values, std::size_t columns = 0) {  // no columns: one axis
    auto* held = new std::vector<T>(std::move(values));
    nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    const std::size_t shape[] = {columns ? held->size() / columns : held->size(), columns};
    return nb::cast(nb::ndarray<nb::numpy, T>(held->data(), columns ? 2 : 1, shape, owner));
}

// Rows of three numbers.
nb::object kept(std::vector<std::array<double, 3>>&& rows) {
    auto* held = new std::vector<std::array<double, 3>>(std::move(rows));
    nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<std::array<double, 3>>*>(p); });
    const std::size_t shape[] = {held->size(), 3};
    return nb::cast(nb::ndarray<nb::numpy, double>(held->data()->data(), 2, shape, owner));
}

nb::list columns_of(maskmeter::coco::Records&& r) {
    nb::list columns;
    columns.append(kept(std::move(r.has)));
    for (auto* ids : {&r.id, &r.image, &r.category}) columns.append(kept(std::move(*ids)));
    for (auto* numbers : {&r.score, &r.area}) columns.append(kept(std::move(*numbers)));
    for (auto* flags : {&r.crowd, &r.ignore}) columns.append(kept(std::move(*flags)));
    columns.append(kept(std::move(r.box), 4));
    columns.append(kept(std::move(r.kind)));
    for (auto* pairs : {&r.span, &r.size}) columns.append(kept(std::move(*pairs), 2));
    columns.append(kept(std::move(r.xy)));
    for (auto* flat : {&r.polygon_offsets, &r.mask_offsets, &r.counts, &r.count_offsets}) columns.append(kept(std::move(*flat)));
    return columns;
}

// The records of a COCO file by a scan of its text, which is changed; None where the text is unusual.
nb::object coco_records(nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> text) {
    maskmeter::coco::Document d;
    {
        nb::gil_scoped_release free;
        if (!maskmeter::coco::Scanner(reinterpret_cast<char*>(text.data()), text.size()).scan(d)) return nb::none();
    }
    nb::object images = nb::none();
    if (auto& i = d.image; i.whole) images = nb::make_tuple(kept(std::move(i.id)), kept(std::move(i.height)), kept(std::move(i.width)), kept(std::move(i.name), 2));
    return nb::make_tuple(d.is_list, nb::make_tuple(d.images.begin, d.images.end), nb::make_tuple(d.categories.begin, d.categories.end), columns_of(std::move(d.records)), images);
}

using CocoList = maskmeter::coco::List;
using Block = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

bool coco_list_add(CocoList& list, const std::vector<Block>& blocks) {
    std::vector<CocoList::Block> parts;
    for (const auto& b : blocks) parts.push_back({reinterpret_cast<char*>(b.data()), b.size()});
    nb::gil_scoped_release free;
    return list.add(parts);
}

nb::tuple coco_list_columns(CocoList& list) {
    auto text = kept(std::move(list.text));
    return nb::make_tuple(list.ended(), text, columns_of(std::move(list.records)));
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

// A row for each struct of 64-bit integers.
template <class T>
Table rows_of(std::vector<T>&& found) {
    auto* kept = new std::vector<T>(std::move(found));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return Table(reinterpret_cast<std::int64_t*>(kept->data()), {kept->size(), sizeof(T) / sizeof(std::int64_t)}, owner);
}

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

using Floats = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

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

namespace dets = maskmeter::detections;
template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void require(bool fits) {
    if (!fits) throw std::invalid_argument("the parts of the detections do not fit together");
}

// Where groups begin: ascending from 0 to `size`.
void require_begins(const Column<std::int64_t>& begin, std::size_t size) {
    require(begin.size() > 0 && begin.data()[0] == 0 && begin.data()[begin.size() - 1] == static_cast<std::int64_t>(size));
    for (std::size_t i = 1; i < begin.size(); ++i) require(begin.data()[i - 1] <= begin.data()[i]);
}

dets::Cells cells_of(const Column<std::int64_t>& detections, const Column<std::int64_t>& truths, std::size_t n, std::size_t m) {
    require(detections.size() == truths.size());
    require_begins(detections, n);
    require_begins(truths, m);
    return {detections.data(), truths.data(), detections.size() - 1};
}

template <class T>
T* filled(std::size_t n, T value) {
    auto* out = new T[n];
    std::fill(out, out + n, value);
    return out;
}

template <class T>
nb::object shaped(T* data, std::initializer_list<std::size_t> shape) {
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(data, shape, owner));
}

nb::tuple boxes_that_meet(const Column<std::int64_t>& detections, const Column<std::int64_t>& truths, const Floats& a, const Floats& b,
                          const Column<std::uint8_t>& crowd, std::optional<Column<double>> area_a, std::optional<Column<double>> area_b, double least) {
    const auto cells = cells_of(detections, truths, a.shape(0), b.shape(0));
    require(a.shape(1) == 4 && b.shape(1) == 4 && crowd.size() == b.shape(0) && area_a.has_value() == area_b.has_value());
    if (area_a) require(area_a->size() == a.shape(0) && area_b->size() == b.shape(0));
    dets::Pairs found;
    {
        nb::gil_scoped_release free;
        found = dets::boxes_that_meet(cells, a.data(), b.data(), crowd.data(), area_a ? area_a->data() : nullptr, area_b ? area_b->data() : nullptr, least);
    }
    return nb::make_tuple(kept(std::move(found.detection)), kept(std::move(found.truth)), kept(std::move(found.iou)));
}

nb::tuple match_detections(const Column<std::int64_t>& detections, const Column<std::int64_t>& truths, const Column<std::int64_t>& pair_begin,
                           const Column<std::int64_t>& pair_truth, const Column<double>& pair_iou, const Column<double>& area,
                           const Column<double>& truth_area, const Column<std::uint8_t>& ignore, const Column<std::uint8_t>& crowd,
                           const Column<std::uint8_t>& unmarked, const Column<std::uint8_t>& excused, const Column<double>& thresholds,
                           const Floats& ranges, bool partners) {
    const std::size_t n = area.size(), m = truth_area.size(), steps = thresholds.size(), areas = ranges.shape(0);
    const auto cells = cells_of(detections, truths, n, m);
    require_begins(pair_begin, pair_truth.size());
    require(pair_begin.size() == n + 1 && pair_iou.size() == pair_truth.size() && ignore.size() == m && crowd.size() == m && unmarked.size() == m);
    require(excused.size() == n && steps <= 64 && ranges.shape(1) == 2);
    for (std::size_t k = 0; k < pair_truth.size(); ++k) require(pair_truth.data()[k] >= 0 && pair_truth.data()[k] < static_cast<std::int64_t>(m));
    const dets::Matching job{cells, pair_begin.data(), pair_truth.data(), pair_iou.data(), area.data(), truth_area.data(), ignore.data(),
                             crowd.data(), unmarked.data(), excused.data(), thresholds.data(), steps, ranges.data(), areas};
    auto hits = std::make_unique<std::uint64_t[]>(areas * n), ignored = std::make_unique<std::uint64_t[]>(areas * n);
    std::unique_ptr<std::int64_t[]> partner(partners ? filled<std::int64_t>(areas * steps * n, -1) : nullptr);
    std::unique_ptr<std::int64_t[]> found(partners ? filled<std::int64_t>(areas * steps * m, -1) : nullptr);
    {
        nb::gil_scoped_release free;
        dets::match(job, hits.get(), ignored.get(), partner.get(), found.get());
    }
    auto first = shaped(hits.release(), {areas, n}), second = shaped(ignored.release(), {areas, n});
    if (!partners) return nb::make_tuple(first, second, nb::none(), nb::none());
    return nb::make_tuple(first, second, shaped(partner.release(), {areas, steps, n}), shaped(found.release(), {areas, steps, m}));
}

dets::Ranked ranked(const Column<std::int64_t>& begin, const Column<double>& score, const Column<std::int64_t>& rank,
                    const Column<std::uint64_t>& hits, const Column<std::uint64_t>& ignored, const Column<double>& recalls, std::size_t steps, bool at_changes) {
    require_begins(begin, score.size());
    require(rank.size() == score.size() && hits.size() == score.size() && ignored.size() == score.size() && steps <= 64);
    const std::uint64_t above = steps == 64 ? 0 : ~std::uint64_t{0} << steps;
    for (std::size_t i = 0; i < hits.size(); ++i) require(!(hits.data()[i] & above) && !(ignored.data()[i] & above));
    return {begin.data(), begin.size() - 1, score.data(), rank.data(), hits.data(), ignored.data(), recalls.data(), recalls.size(), steps, at_changes};
}

nb::tuple accumulate_detections(const Column<std::int64_t>& begin, const Column<double>& score, const Column<std::int64_t>& rank,
                                const Column<std::uint64_t>& hits, const Column<std::uint64_t>& ignored, const Column<double>& recalls, std::size_t steps,
                                bool at_changes, const Column<std::int64_t>& objects, std::int64_t cap) {
    const auto x = ranked(begin, score, rank, hits, ignored, recalls, steps, at_changes);
    require(objects.size() == x.groups);
    auto precision = std::make_unique<double[]>(steps * x.levels * x.groups), scores = std::make_unique<double[]>(steps * x.levels * x.groups);
    auto recall = std::make_unique<double[]>(steps * x.groups);
    {
        nb::gil_scoped_release free;
        dets::accumulate(x, objects.data(), cap, precision.get(), scores.get(), recall.get());
    }
    return nb::make_tuple(shaped(precision.release(), {steps, x.levels, x.groups}), shaped(scores.release(), {steps, x.levels, x.groups}),
                          shaped(recall.release(), {steps, x.groups}));
}

nb::tuple resampled_detections(const Column<std::int64_t>& begin, const Column<double>& score, const Column<std::int64_t>& rank,
                               const Column<std::uint64_t>& hits, const Column<std::uint64_t>& ignored, const Column<double>& recalls, std::size_t steps,
                               bool at_changes, const Floats& weights, const Column<std::int64_t>& unit, const Floats& objects, std::int64_t cap) {
    const auto x = ranked(begin, score, rank, hits, ignored, recalls, steps, at_changes);
    const std::size_t b = weights.shape(0);
    require(unit.size() == score.size() && objects.shape(0) == b && objects.shape(1) == x.groups);
    for (std::size_t i = 0; i < unit.size(); ++i) require(unit.data()[i] >= 0 && unit.data()[i] < static_cast<std::int64_t>(weights.shape(1)));
    auto mean = std::make_unique<double[]>(b * x.groups * steps), recall = std::make_unique<double[]>(b * x.groups * steps);
    {
        nb::gil_scoped_release free;
        dets::resampled(x, weights.data(), b, weights.shape(1), unit.data(), objects.data(), cap, mean.get(), recall.get());
    }
    return nb::make_tuple(shaped(mean.release(), {b, x.groups, steps}), shaped(recall.release(), {b, x.groups, steps}));
}

using Counts = nb::ndarray<const std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Longs = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Pairs = nb::ndarray<const std::int64_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Measures = nb::ndarray<const std::int64_t, nb::shape<-1, 5>, nb::c_contig, nb::device::cpu>;
using Packed = std::pair<nb::ndarray<nb::numpy, std::uint32_t, nb::ndim<1>>, nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>>;

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> handed(std::vector<T>&& values) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(kept->data(), {kept->size()}, owner);
}

Packed handed(maskmeter::rle::Masks&& masks) { return {handed(std::move(masks.counts)), handed(std::move(masks.offsets))}; }

// Where offsets lead outside of what they point into there is no telling what would be read.
std::size_t parts(const Longs& offsets, std::size_t size) {
    if (!offsets.size()) throw std::invalid_argument("offsets must not be empty");
    std::int64_t before = 0;
    for (std::size_t i = 0; i < offsets.size(); before = offsets.data()[i++])
        if (offsets.data()[i] < before || offsets.data()[i] > static_cast<std::int64_t>(size))
            throw std::invalid_argument("offsets must rise within what they point into");
    return offsets.size() - 1;
}

maskmeter::rle::Runs runs_of(const Counts& counts, const Longs& offsets, std::size_t i) {
    return {counts.data() + offsets.data()[i], counts.data() + offsets.data()[i + 1]};
}

void same_number(std::size_t a, std::size_t b) {
    if (a != b) throw std::invalid_argument("the arrays must speak of the same number of masks");
}

// A mask that is not one becomes a ValueError that begins with its number.
template <class Work>
Packed masks_of(Work&& work) {
    maskmeter::rle::Masks out;
    std::string wrong;
    {
        nb::gil_scoped_release free;
        try {
            work(out);
        } catch (const maskmeter::rle::Malformed& error) {
            wrong = std::to_string(error.index) + " " + error.what();
        }
    }
    if (!wrong.empty()) throw nb::value_error(wrong.c_str());
    return handed(std::move(out));
}

Packed rle_from_strings(const Raw& text, const Pairs& spans, const Pairs& sizes) {
    const std::size_t n = spans.shape(0);
    same_number(n, sizes.shape(0));
    return masks_of([&](maskmeter::rle::Masks& out) {
        for (std::size_t i = 0; i < n; ++i) {
            const auto begin = spans(i, 0), end = spans(i, 1);
            if (begin < 0 || end < begin || end > static_cast<std::int64_t>(text.size())) throw std::invalid_argument("spans must lie within the text");
            maskmeter::rle::Filler into(i, sizes(i, 0), sizes(i, 1), out);
            maskmeter::rle::read_string(reinterpret_cast<const char*>(text.data()) + begin, static_cast<std::size_t>(end - begin), into, i);
            into.close();
        }
    });
}

Packed rle_from_counts(const Longs& counts, const Longs& offsets, const Pairs& sizes) {
    const std::size_t n = parts(offsets, counts.size());
    same_number(n, sizes.shape(0));
    return masks_of([&](maskmeter::rle::Masks& out) {
        for (std::size_t i = 0; i < n; ++i) {
            maskmeter::rle::Filler into(i, sizes(i, 0), sizes(i, 1), out);
            for (auto at = offsets(i); at < offsets(i + 1); ++at) into.add(counts(static_cast<std::size_t>(at)));
            into.close();
        }
    });
}

Packed rle_from_polygons(const nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>& xy, const Longs& corners, const Longs& groups, const Pairs& sizes) {
    const std::size_t n = parts(groups, parts(corners, xy.size()));
    same_number(n, sizes.shape(0));
    return masks_of([&](maskmeter::rle::Masks& out) { maskmeter::rle::from_polygons(xy.data(), corners.data(), groups.data(), sizes.data(), n, out); });
}

std::pair<nb::bytes, nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>> rle_to_strings(const Counts& counts, const Longs& offsets) {
    const std::size_t n = parts(offsets, counts.size());
    std::string text;
    std::vector<std::int64_t> ends{0};
    {
        nb::gil_scoped_release free;
        for (std::size_t i = 0; i < n; ++i) {
            maskmeter::rle::write_string(runs_of(counts, offsets, i), text);
            ends.push_back(static_cast<std::int64_t>(text.size()));
        }
    }
    return {nb::bytes(text.data(), text.size()), handed(std::move(ends))};
}

// Masks of which some are still compressed counts: where a mask has no runs, its span in the text has them.
struct Held {
    const Raw& text;
    const Pairs& spans;  // none, or one for each
    const Counts& counts;
    const Longs& offsets;
    const Pairs& sizes;
    std::size_t n;

    Held(const Raw& t, const Pairs& s, const Counts& c, const Longs& o, const Pairs& z) : text(t), spans(s), counts(c), offsets(o), sizes(z), n(parts(o, c.size())) {
        same_number(n, sizes.shape(0));
        if (!spans.shape(0)) return;
        same_number(n, spans.shape(0));
    }
    std::string_view coded(std::size_t i) const {
        if (!spans.shape(0) || offsets(i) < offsets(i + 1)) return {};
        // Checked where it is read: of many masks few may be asked for.
        if (spans(i, 0) < 0 || spans(i, 1) < spans(i, 0) || spans(i, 1) > static_cast<std::int64_t>(text.size())) throw std::invalid_argument("spans must lie within the text");
        return {reinterpret_cast<const char*>(text.data()) + spans(i, 0), static_cast<std::size_t>(spans(i, 1) - spans(i, 0))};
    }
    template <bool Content>
    maskmeter::rle::Outline<Content> outline(std::size_t i) const {
        maskmeter::rle::Outline<Content> found(sizes(i, 0));
        if (offsets(i) < offsets(i + 1)) {
            const auto runs = runs_of(counts, offsets, i);
            for (auto* r = runs.begin; r < runs.end; ++r) found.add(*r);
            return found;
        }
        const auto from = coded(i);
        maskmeter::rle::Sum sum(i, sizes(i, 0), sizes(i, 1));
        maskmeter::rle::each_run(from.data(), from.size(), i, [&](std::int64_t run) {
            sum.add(run);
            found.add(run);
        });
        if (spans.shape(0)) sum.close();
        return found;
    }
    void stretches(std::size_t i, maskmeter::rle::Stretches& out) const {
        const auto from = coded(i);
        if (from.empty()) maskmeter::rle::stretches(runs_of(counts, offsets, i), out);
        else maskmeter::rle::stretches(from.data(), from.size(), sizes(i, 0), sizes(i, 1), i, out);
    }
};

template <bool Content>
void outline(const Held& masks, std::size_t first, std::size_t last, std::int64_t* rows, std::uint64_t* contents) {
    for (std::size_t i = first; i < last; ++i) {
        const auto found = masks.outline<Content>(i);
        const auto b = found.box();
        const std::int64_t row[] = {static_cast<std::int64_t>(found.area()), b.x0, b.y0, b.empty() ? 0 : b.x1 - b.x0 + 1, b.empty() ? 0 : b.y1 - b.y0 + 1};
        std::copy_n(row, 5, rows + 5 * i);
        if (contents) contents[i] = found.content();
    }
}

// Of each mask the area, and x, y, width and height of its box, all 0 for an empty one; where asked for a number made of its runs.
std::pair<Table, nb::ndarray<nb::numpy, std::uint64_t, nb::ndim<1>>> rle_outlines(const Raw& text, const Pairs& spans, const Counts& counts, const Longs& offsets, const Pairs& sizes, bool content, std::size_t threads) {
    const Held masks(text, spans, counts, offsets, sizes);
    std::unique_ptr<std::int64_t[]> rows(new std::int64_t[5 * masks.n + 1]);
    std::vector<std::uint64_t> contents(content ? masks.n : 0);
    std::string wrong;
    {
        nb::gil_scoped_release free;
        try {
            const std::size_t parts = std::clamp<std::size_t>(threads, 1, 64);
            maskmeter::in_threads(parts, [&](std::size_t k) {
                const std::size_t first = masks.n * k / parts, last = masks.n * (k + 1) / parts;
                if (content) outline<true>(masks, first, last, rows.get(), contents.data());
                else outline<false>(masks, first, last, rows.get(), nullptr);
            });
        } catch (const maskmeter::rle::Malformed& error) {
            wrong = std::to_string(error.index) + " " + error.what();
        }
    }
    if (!wrong.empty()) throw nb::value_error(wrong.c_str());
    auto* data = rows.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    return {Table(data, {masks.n, 5}, owner), handed(std::move(contents))};
}

// Of each pair (a mask of the first set, one of the second) the pixels that both have; only where their boxes meet are
// runs looked at. Pairs that follow one another share the work on their masks.
nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>> rle_intersections(const Raw& text_a, const Pairs& spans_a, const Counts& counts_a, const Longs& offsets_a, const Pairs& sizes_a, const Measures& measures_a,
                                                                    const Raw& text_b, const Pairs& spans_b, const Counts& counts_b, const Longs& offsets_b, const Pairs& sizes_b, const Measures& measures_b,
                                                                    const Longs& a, const Longs& b) {
    const Held left(text_a, spans_a, counts_a, offsets_a, sizes_a), right(text_b, spans_b, counts_b, offsets_b, sizes_b);
    same_number(left.n, measures_a.shape(0));
    same_number(right.n, measures_b.shape(0));
    same_number(a.size(), b.size());
    std::vector<std::int64_t> found(a.size());
    {
        nb::gil_scoped_release free;
        constexpr std::size_t ways = 64;
        std::array<maskmeter::rle::Stretches, ways> kept;  // of the second set, which comes again and again
        std::array<std::int64_t, ways> whose;
        whose.fill(-1);
        maskmeter::rle::Stretches one;
        std::int64_t last = -1;
        for (std::size_t k = 0; k < a.size(); ++k) {
            const auto i = a(k), j = b(k);
            if (i < 0 || i >= static_cast<std::int64_t>(left.n) || j < 0 || j >= static_cast<std::int64_t>(right.n)) throw std::out_of_range("a pair names a mask that is not there");
            const std::int64_t *x = measures_a.data() + 5 * i + 1, *y = measures_b.data() + 5 * j + 1;
            if (!(x[0] < y[0] + y[2] && y[0] < x[0] + x[2] && x[1] < y[1] + y[3] && y[1] < x[1] + x[3])) continue;
            if (i != last) left.stretches(static_cast<std::size_t>(i), one), last = i;
            const auto way = static_cast<std::size_t>(j) % ways;
            if (whose[way] != j) {
                whose[way] = -1;
                right.stretches(static_cast<std::size_t>(j), kept[way]);
                whose[way] = j;
            }
            found[k] = static_cast<std::int64_t>(maskmeter::rle::intersection(one, kept[way]));
        }
    }
    return handed(std::move(found));
}

// One mask for each group of masks that follow one another, all of one size: what is in any of them, or in all.
Packed rle_merge(const Counts& counts, const Longs& offsets, const Longs& groups, bool both) {
    const std::size_t n = parts(groups, parts(offsets, counts.size()));
    return masks_of([&](maskmeter::rle::Masks& out) {
        std::vector<std::uint32_t> sum, next;
        for (std::size_t i = 0; i < n; ++i) {
            sum.clear();
            for (auto k = groups(i); k < groups(i + 1); ++k) {
                const auto runs = runs_of(counts, offsets, static_cast<std::size_t>(k));
                if (k == groups(i)) {
                    sum.assign(runs.begin, runs.end);
                    continue;
                }
                next.clear();
                maskmeter::rle::merge({sum.data(), sum.data() + sum.size()}, runs, both, next);
                sum.swap(next);
            }
            out.counts.insert(out.counts.end(), sum.begin(), sum.end());
            out.close();
        }
    });
}

Packed rle_boundaries(const Counts& counts, const Longs& offsets, const Pairs& sizes, const Longs& widths) {
    const std::size_t n = parts(offsets, counts.size());
    same_number(n, sizes.shape(0));
    same_number(n, widths.size());
    return masks_of([&](maskmeter::rle::Masks& out) {
        maskmeter::rle::Boundary boundary;
        for (std::size_t i = 0; i < n; ++i) {
            const auto runs = runs_of(counts, offsets, i);
            std::uint64_t total = 0;
            for (auto* r = runs.begin; r < runs.end; ++r) total += *r;
            if (total != maskmeter::rle::pixels_of(i, sizes(i, 0), sizes(i, 1))) throw maskmeter::rle::Malformed(i, "its runs do not add up to its size");
            boundary.append(runs, sizes(i, 0), sizes(i, 1), std::max<std::int64_t>(widths(i), 0), out);
        }
    });
}

struct Box {
    std::size_t depth, height, width;
    bool plane;
};

Box box(const Bytes& mask) {
    if (mask.ndim() != 2 && mask.ndim() != 3) throw std::invalid_argument("topology is of masks with two or three axes");
    const std::size_t k = mask.ndim();
    return {k == 3 ? mask.shape(0) : 1, mask.shape(k - 2), mask.shape(k - 1), k == 2};
}

std::int64_t euler(const Bytes& mask, bool diagonal) {
    const auto size = box(mask);
    nb::gil_scoped_release free;
    return maskmeter::topology::euler(mask.data(), size.depth, size.height, size.width, size.plane, diagonal);
}

nb::ndarray<nb::numpy, std::uint8_t> thin(const Bytes& mask) {
    const auto size = box(mask);
    const std::size_t shape[] = {size.depth, size.height, size.width};
    std::unique_ptr<std::uint8_t[]> out(new std::uint8_t[mask.size() + 1]);
    {
        nb::gil_scoped_release free;
        std::copy_n(mask.data(), mask.size(), out.get());
        maskmeter::topology::Thinning(size.depth, size.height, size.width, size.plane).thin(out.get());
    }
    auto* data = out.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
    return {data, size.plane ? 2u : 3u, size.plane ? shape + 1 : shape, owner};
}

using Shape3 = std::array<std::size_t, 3>;

Shape3 shape3(const In& x) {
    if (x.ndim() != 3) throw std::invalid_argument("a volume has three axes");
    return {x.shape(0), x.shape(1), x.shape(2)};
}

Table label_boxes(const In& x) {
    const auto type = labels(x);
    const auto shape = shape3(x);
    std::unique_ptr<std::int64_t[]> rows;
    std::size_t n = 0;
    {
        nb::gil_scoped_release free;
        const auto boxes = type.visit([&](const auto* p) { return maskmeter::label_boxes(p, shape); });
        n = boxes.size();
        rows = std::make_unique<std::int64_t[]>(7 * n);
        for (std::size_t i = 0; i < n; ++i) {
            rows[7 * i] = boxes[i].label;
            for (std::size_t k = 0; k < 3; ++k) rows[7 * i + 1 + k] = boxes[i].lo[k], rows[7 * i + 4 + k] = boxes[i].hi[k];
        }
    }
    auto* data = rows.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    return Table(data, {n, 7}, owner);
}

// Two masks cut from two maps of one shape, and the frame of the box that they lie in.
struct Cut {
    maskmeter::BitVolume a, b;
    maskmeter::surface::Frame frame;
};

using Numbers3 = std::array<double, 3>;
using Ints6 = std::array<std::size_t, 6>;

Cut cut(const In& a, const In& b, std::int64_t label_a, std::int64_t label_b, const Ints6& box, const Numbers3& spacing, bool flat, bool open) {
    const auto shape = shape3(a);
    if (shape3(b) != shape) throw std::invalid_argument("the arrays must have the same shape");
    const maskmeter::Box inside{{box[0], box[1], box[2]}, {box[3], box[4], box[5]}};
    maskmeter::surface::Frame frame{spacing, flat, open, {}};
    for (std::size_t k = 0; k < 3; ++k) {
        if (inside.lo[k] >= inside.hi[k] || inside.hi[k] > shape[k]) throw std::invalid_argument("the box is not inside the arrays");
        if (!(spacing[k] > 0)) throw std::invalid_argument("spacing must be positive");
        frame.ends[k] = {inside.lo[k] == 0, inside.hi[k] == shape[k]};
    }
    if (flat && shape[0] != 1) throw std::invalid_argument("a plane has one slice");
    const auto of = [&](const In& x, std::int64_t label) {
        const auto type = labels(x);
        return type.visit([&](const auto* p) {
            using T = std::remove_cvref_t<decltype(*p)>;
            const auto value = static_cast<T>(label);
            const bool fits = static_cast<std::int64_t>(value) == label;
            const std::size_t z = inside.hi[0] - inside.lo[0] + (flat ? 0 : 2), y = inside.hi[1] - inside.lo[1] + 2, x = inside.hi[2] - inside.lo[2] + 2;
            return fits ? maskmeter::BitVolume::of(p, shape, inside, flat, value) : maskmeter::BitVolume(z, y, x);
        });
    };
    return {of(a, label_a), of(b, label_b), frame};
}

nb::tuple surface_distances(const In& a, const In& b, std::int64_t label_a, std::int64_t label_b, const Ints6& box, const Numbers3& spacing,
                            bool flat, bool open, unsigned model, bool places) {
    namespace sf = maskmeter::surface;
    if (model > static_cast<unsigned>(sf::Model::whole)) throw std::invalid_argument("no such model of a surface");
    std::array<sf::Directed, 2> found;
    {
        nb::gil_scoped_release free;
        const auto both = cut(a, b, label_a, label_b, box, spacing, flat, open);
        const auto x = sf::Extraction(both.a, both.frame, static_cast<sf::Model>(model)).run();
        const auto y = sf::Extraction(both.b, both.frame, static_cast<sf::Model>(model)).run();
        found = {sf::directed(x, y, both.frame, places), sf::directed(y, x, both.frame, places)};
    }
    nb::object out[2];
    for (std::size_t k = 0; k < 2; ++k) {
        auto& d = found[k];
        const double farthest = d.farthest, edge = d.edge;
        if (places) {
            out[k] = nb::make_tuple(kept(std::move(d.distance)), kept(std::move(d.weight)), nb::none(), kept(std::move(d.place)), farthest, edge);
            continue;
        }
        nb::object weight = d.tally.weight.empty() ? nb::none() : kept(std::move(d.tally.weight));
        out[k] = nb::make_tuple(kept(std::move(d.tally.distance)), weight, kept(std::move(d.tally.count)), nb::none(), farthest, edge);
    }
    return nb::make_tuple(out[0], out[1]);
}

std::array<std::int64_t, 2> bands(const In& a, const In& b, std::int64_t label_a, std::int64_t label_b, const Ints6& box, bool flat, bool open,
                                  const Rows3& disc, bool around) {
    if (disc.shape(1) != 3) throw std::invalid_argument("a disc is rows of (z, y, reach)");
    nb::gil_scoped_release free;
    const auto both = cut(a, b, label_a, label_b, box, {1, 1, 1}, flat, open);
    std::vector<maskmeter::bands::Chord> chords;
    for (std::size_t i = 0; i < disc.shape(0); ++i) chords.push_back({disc.data()[3 * i], disc.data()[3 * i + 1], disc.data()[3 * i + 2]});
    const auto& f = both.frame;
    return around ? maskmeter::bands::around(both.a, both.b, chords, flat, open, f.ends) : maskmeter::bands::inner(both.a, both.b, chords, flat, open, f.ends);
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Kernels of maskmeter. They count; they decide nothing.";
    nb::class_<CocoList>(m, "CocoList", "The records of a list of COCO results, taken block by block.")
        .def(nb::init<std::size_t>(), "size"_a)
        .def("add", &coco_list_add, "blocks"_a, "Blocks that follow one another, each scanned by a thread; whether they are ordinary.")
        .def("columns", &coco_list_columns, "(whether the list has ended, the compressed counts, the columns); nothing is left here.");
    m.def("last_record", [](const Raw& text) { return maskmeter::coco::last_record(reinterpret_cast<const char*>(text.data()), text.size()); },
          "text"_a, "Where the last record of a list seems to begin; 0 where nowhere.");
    m.def("coco_records", &coco_records, "text"_a.noconvert(),
          "The records of a COCO file: (is a list, span of images, span of categories, columns, images); None where it is unusual.");
    m.def("components", &components, "labels"_a, "connectivity"_a, "background"_a,
          "The connected components of equal label, numbered from 1 in the order of their first pixels; 0 is background.");
    m.def("flood", &flood, "step"_a, "object"_a, "steps"_a, "objects"_a, "connectivity"_a, "pairs"_a,
          "Components as pixels appear: rows (components, touching, found) by step, and what components and objects share.");
    m.def("fingerprints", &fingerprints, "facts"_a, "here"_a, "there"_a, "edge_facts"_a, "rounds"_a,
          "For each node of a graph 64 bits made of its fact and of what lies around it, whatever the nodes are numbered.");
    m.def("joint_runs", &joint_runs, "ends_a"_a, "labels_a"_a, "ends_b"_a, "labels_b"_a,
          "The joint counts of two maps that are given as runs.");
    m.def("joint_counts", &joint_counts, "a"_a, "b"_a, "mask"_a.none() = nb::none(), "path"_a.none() = nb::none(),
          "The pairs (a, b) that occur, in ascending order, and how many pixels carry each: rows a, b, counts.");
    m.def("euler", &euler, "mask"_a, "diagonal"_a, "The Euler number of a mask, whose pixels may touch by corners or not.");
    m.def("thin", &thin, "mask"_a, "The skeleton of a mask: as much of it as its topology and the ends of curves need.");
    m.def("boxes_that_meet", &boxes_that_meet, "detections"_a, "truths"_a, "a"_a, "b"_a, "crowd"_a, "area_a"_a.none(), "area_b"_a.none(), "least"_a,
          "The pairs of each cell whose boxes meet: detection, ground truth, IoU of the boxes.");
    m.def("match_detections", &match_detections, "detections"_a, "truths"_a, "pair_begin"_a, "pair_truth"_a, "pair_iou"_a, "area"_a, "truth_area"_a,
          "ignore"_a, "crowd"_a, "unmarked"_a, "excused"_a, "thresholds"_a, "ranges"_a, "partners"_a,
          "Bits (area range, detection) by threshold: matched, left out; and who matched whom where asked for.");
    m.def("accumulate_detections", &accumulate_detections, "begin"_a, "score"_a, "rank"_a, "hits"_a, "ignored"_a, "recalls"_a, "steps"_a,
          "at_changes"_a, "objects"_a, "cap"_a, "Precision and score at each recall, and the recall, of each group.");
    m.def("resampled_detections", &resampled_detections, "begin"_a, "score"_a, "rank"_a, "hits"_a, "ignored"_a, "recalls"_a, "steps"_a,
          "at_changes"_a, "weights"_a, "unit"_a, "objects"_a, "cap"_a, "Mean precision and recall of each resample and group.");
    m.def("lexsort", &lexsort, "keys"_a, "The order of rows by several keys, the last first; equal rows as they come.");
    m.def("keep_freed_memory", &maskmeter::keep_freed_memory, "Let this process use freed memory again for large blocks.");
    m.def("weighted_sums", &weighted_sums, "weights"_a, "rows"_a, "weights @ rows, added in the order of the rows.");
    m.def("paths", &paths, "The instruction sets that joint_counts can be told to use on this machine, the best first.");
    m.def("png_id_runs", &png_id_runs, "raw"_a, "width"_a, "height"_a,
          "The runs (ends, ids) of the ids R + 256 G + 65536 B behind the inflated image data of an 8-bit RGB PNG.");
    m.def("png_inflated_size", &png_inflated_size, "width"_a, "height"_a, "bits"_a, "channels"_a, "interlaced"_a,
          "How many bytes the image data of a PNG inflates to.");
    m.def("png_samples", &png_samples, "raw"_a, "width"_a, "height"_a, "bits"_a, "channels"_a, "interlaced"_a,
          "The samples behind the inflated image data of a PNG.");
    m.def("score_counts", &score_counts, "scores"_a, "positive"_a, "mask"_a.none(), "greatest"_a,
          "How many positives and negatives have each distinct score: ((keys, low, high), scores outside).");
    m.def("score_merge", &score_merge, "keys_a"_a, "low_a"_a, "high_a"_a, "keys_b"_a, "low_b"_a, "high_b"_a, "level"_a,
          "Two score histograms added, on the grid whose cells hold 2**level keys.");
    m.def("score_cells", &score_cells, "keys"_a, "How many cells of the grid of each level are occupied.");
    m.def("rle_boundaries", &rle_boundaries, "counts"_a, "offsets"_a, "sizes"_a, "widths"_a, "The band along the edge of each mask.");
    m.def("rle_from_counts", &rle_from_counts, "counts"_a, "offsets"_a, "sizes"_a, "Masks of lists of counts, checked.");
    m.def("rle_from_polygons", &rle_from_polygons, "xy"_a, "corners"_a, "groups"_a, "sizes"_a, "Masks of groups of polygons.");
    m.def("rle_from_strings", &rle_from_strings, "text"_a, "spans"_a, "sizes"_a, "Masks of compressed counts, checked.");
    m.def("rle_intersections", &rle_intersections, "text_a"_a, "spans_a"_a, "counts_a"_a, "offsets_a"_a, "sizes_a"_a, "measures_a"_a,
          "text_b"_a, "spans_b"_a, "counts_b"_a, "offsets_b"_a, "sizes_b"_a, "measures_b"_a, "a"_a, "b"_a, "Pixels that the masks of each pair share.");
    m.def("rle_outlines", &rle_outlines, "text"_a, "spans"_a, "counts"_a, "offsets"_a, "sizes"_a, "content"_a, "threads"_a, "Area, x, y, width, height of each mask, and a number made of its runs.");
    m.def("rle_merge", &rle_merge, "counts"_a, "offsets"_a, "groups"_a, "both"_a, "The union or intersection of each group of masks.");
    m.def("rle_to_strings", &rle_to_strings, "counts"_a, "offsets"_a, "Compressed counts, one after the other, and where each begins.");
    m.def("score_areas", &score_areas, "keys"_a, "low"_a, "high"_a,
          "Twice the ordered pairs, ties counting half, as two words; and the precisions at the positives, added up.");
    m.def("label_boxes", &label_boxes, "labels"_a, "Rows (label, first voxel z y x, last voxel z y x), in the order in which the labels are met.");
    m.def("surface_distances", &surface_distances, "a"_a, "b"_a, "label_a"_a, "label_b"_a, "box"_a, "spacing"_a, "flat"_a, "open"_a, "model"_a,
          "places"_a, "For both directions: (distances, weights, counts, places, farthest, weight on the end of the image).");
    m.def("bands", &bands, "a"_a, "b"_a, "label_a"_a, "label_b"_a, "box"_a, "flat"_a, "open"_a, "disc"_a, "around"_a,
          "Voxels of bands along the boundaries: (shared, in either).");
}
