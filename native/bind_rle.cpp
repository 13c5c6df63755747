// Masks as runs.
#include "polygon.hpp"
#include "python.hpp"
#include "rle.hpp"
#include "threads.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

namespace maskmeter::python {

namespace {

using Counts = nb::ndarray<const std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
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
    // Asks for the text of a mask that will be looked at soon; a number that names none does no harm.
    void fetch(std::int64_t i) const {
#if defined(__GNUC__)
        if (i < 0 || i >= static_cast<std::int64_t>(spans.shape(0))) return;
        const auto begin = spans(static_cast<std::size_t>(i), 0), end = spans(static_cast<std::size_t>(i), 1);
        if (begin < 0 || end > static_cast<std::int64_t>(text.size())) return;
        for (auto at = begin; at < end && at < begin + 256; at += 64) __builtin_prefetch(text.data() + at);
#else
        static_cast<void>(i);
#endif
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
        constexpr std::size_t ahead = 6;  // detections lie anywhere in their file
        for (std::size_t k = 0; k < a.size(); ++k) {
            const auto i = a(k), j = b(k);
            if (k + ahead < a.size()) left.fetch(a(k + ahead));
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

}  // namespace

void bind_rle(nb::module_& m) {
    m.def("rle_boundaries", &rle_boundaries, "counts"_a, "offsets"_a, "sizes"_a, "widths"_a, "The band along the edge of each mask.");
    m.def("rle_from_counts", &rle_from_counts, "counts"_a, "offsets"_a, "sizes"_a, "Masks of lists of counts, checked.");
    m.def("rle_from_polygons", &rle_from_polygons, "xy"_a, "corners"_a, "groups"_a, "sizes"_a, "Masks of groups of polygons.");
    m.def("rle_from_strings", &rle_from_strings, "text"_a, "spans"_a, "sizes"_a, "Masks of compressed counts, checked.");
    m.def("rle_intersections", &rle_intersections, "text_a"_a, "spans_a"_a, "counts_a"_a, "offsets_a"_a, "sizes_a"_a, "measures_a"_a,
          "text_b"_a, "spans_b"_a, "counts_b"_a, "offsets_b"_a, "sizes_b"_a, "measures_b"_a, "a"_a, "b"_a, "Pixels that the masks of each pair share.");
    m.def("rle_outlines", &rle_outlines, "text"_a, "spans"_a, "counts"_a, "offsets"_a, "sizes"_a, "content"_a, "threads"_a, "Area, x, y, width, height of each mask, and a number made of its runs.");
    m.def("rle_merge", &rle_merge, "counts"_a, "offsets"_a, "groups"_a, "both"_a, "The union or intersection of each group of masks.");
    m.def("rle_to_strings", &rle_to_strings, "counts"_a, "offsets"_a, "Compressed counts, one after the other, and where each begins.");
}

}  // namespace maskmeter::python
