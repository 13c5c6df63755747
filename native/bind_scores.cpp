// Histograms of scores.
#include "python.hpp"
#include "scores.hpp"

#include <cstdlib>
#include <optional>

namespace maskmeter::python {

namespace {

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

}  // namespace

void bind_scores(nb::module_& m) {
    m.def("score_counts", &score_counts, "scores"_a, "positive"_a, "mask"_a.none(), "greatest"_a,
          "How many positives and negatives have each distinct score: ((keys, low, high), scores outside).");
    m.def("score_merge", &score_merge, "keys_a"_a, "low_a"_a, "high_a"_a, "keys_b"_a, "low_b"_a, "high_b"_a, "level"_a,
          "Two score histograms added, on the grid whose cells hold 2**level keys.");
    m.def("score_cells", &score_cells, "keys"_a, "How many cells of the grid of each level are occupied.");
    m.def("score_areas", &score_areas, "keys"_a, "low"_a, "high"_a,
          "Twice the ordered pairs, ties counting half, as two words; and the precisions at the positives, added up.");
}

}  // namespace maskmeter::python
