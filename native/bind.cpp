// The one file that knows Python: the table of contents of the native side.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "components.hpp"
#include "joint_counts.hpp"
#include "memory.hpp"
#include "png.hpp"
#include "resample.hpp"
#include "scores.hpp"

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
Table joint_counts(const In& a, const In& b, std::optional<Mask> mask, const std::optional<std::string>& path) {
    if (a.size() != b.size() || (mask && mask->size() != a.size()))
        throw std::invalid_argument("the arrays must have the same size");
    const auto left = labels(a), right = labels(b);
    const auto& chosen = path ? maskmeter::path_named(*path) : maskmeter::paths().front();
    std::unique_ptr<std::int64_t[]> rows;
    std::size_t n = 0;
    {
        nb::gil_scoped_release free;
        const auto pairs = maskmeter::joint_counts(left, right, mask ? mask->data() : nullptr, a.size(), chosen);
        n = pairs.size();
        rows = std::make_unique<std::int64_t[]>(3 * n);
        for (std::size_t i = 0; i < n; ++i) {
            rows[i] = pairs[i].a;
            rows[n + i] = pairs[i].b;
            rows[2 * n + i] = pairs[i].n;
        }
    }
    auto* data = rows.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    return Table(data, {3, n}, owner);
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

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Kernels of maskmeter. They count; they decide nothing.";
    m.def("components", &components, "labels"_a, "connectivity"_a, "background"_a,
          "The connected components of equal label, numbered from 1 in the order of their first pixels; 0 is background.");
    m.def("joint_counts", &joint_counts, "a"_a, "b"_a, "mask"_a.none() = nb::none(), "path"_a.none() = nb::none(),
          "The pairs (a, b) that occur, in ascending order, and how many pixels carry each: rows a, b, counts.");
    m.def("keep_freed_memory", &maskmeter::keep_freed_memory, "Let this process use freed memory again for large blocks.");
    m.def("weighted_sums", &weighted_sums, "weights"_a, "rows"_a, "weights @ rows, added in the order of the rows.");
    m.def("paths", &paths, "The instruction sets that joint_counts can be told to use on this machine, the best first.");
    m.def("png_inflated_size", &png_inflated_size, "width"_a, "height"_a, "bits"_a, "channels"_a, "interlaced"_a,
          "How many bytes the image data of a PNG inflates to.");
    m.def("png_samples", &png_samples, "raw"_a, "width"_a, "height"_a, "bits"_a, "channels"_a, "interlaced"_a,
          "The samples behind the inflated image data of a PNG.");
    m.def("score_counts", &score_counts, "scores"_a, "positive"_a, "mask"_a.none(), "greatest"_a,
          "How many positives and negatives have each distinct score: ((keys, low, high), scores outside).");
    m.def("score_merge", &score_merge, "keys_a"_a, "low_a"_a, "high_a"_a, "keys_b"_a, "low_b"_a, "high_b"_a, "level"_a,
          "Two score histograms added, on the grid whose cells hold 2**level keys.");
    m.def("score_cells", &score_cells, "keys"_a, "How many cells of the grid of each level are occupied.");
    m.def("score_areas", &score_areas, "keys"_a, "low"_a, "high"_a,
          "Twice the ordered pairs, ties counting half, as two words; and the precisions at the positives, added up.");
}
