// COCO files, and detections matched and ranked.
#include "coco_records.hpp"
#include "detections.hpp"
#include "python.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace maskmeter::python {

namespace {

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

using Block = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// A part and the text that it writes into.
struct CocoPart {
    Block text;
    maskmeter::coco::Part part;

    CocoPart(Block t, std::size_t begin, std::size_t end, bool begins) : text(within(t, begin, end)), part(reinterpret_cast<char*>(text.data()), begin, end, begins) {}

    bool add(const Block& block) {
        nb::gil_scoped_release free;
        return part.add(reinterpret_cast<char*>(block.data()), block.size());
    }
    void append(CocoPart& next) {
        if (&next == this) throw std::invalid_argument("a part does not follow itself");
        nb::gil_scoped_release free;
        part.append(next.part);
    }

private:
    static Block& within(Block& t, std::size_t begin, std::size_t end) {
        if (begin > end || end > t.size()) throw std::invalid_argument("a part lies within the text");
        return t;
    }
};

namespace dets = maskmeter::detections;

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

}  // namespace

void bind_detections(nb::module_& m) {
    nb::class_<CocoPart>(m, "CocoPart", "The records of a stretch of a list of COCO results, taken block by block.")
        .def(nb::init<Block, std::size_t, std::size_t, bool>(), "text"_a.noconvert(), "begin"_a, "end"_a, "begins"_a)
        .def("add", &CocoPart::add, "block"_a, "The next block; whether it is ordinary.")
        .def("append", &CocoPart::append, "next"_a, "Take the part that follows.")
        .def("ended", [](const CocoPart& p) { return p.part.ended(); }, "Whether the list has ended.")
        .def("columns", [](CocoPart& p) { return columns_of(std::move(p.part.records)); }, "The columns; nothing is left here.");
    m.def("last_record", [](const Raw& text) { return maskmeter::coco::last_record(reinterpret_cast<const char*>(text.data()), text.size()); },
          "text"_a, "Where the last record of a list seems to begin; 0 where nowhere.");
    m.def("coco_records", &coco_records, "text"_a.noconvert(),
          "The records of a COCO file: (is a list, span of images, span of categories, columns, images); None where it is unusual.");
    m.def("boxes_that_meet", &boxes_that_meet, "detections"_a, "truths"_a, "a"_a, "b"_a, "crowd"_a, "area_a"_a.none(), "area_b"_a.none(), "least"_a,
          "The pairs of each cell whose boxes meet: detection, ground truth, IoU of the boxes.");
    m.def("match_detections", &match_detections, "detections"_a, "truths"_a, "pair_begin"_a, "pair_truth"_a, "pair_iou"_a, "area"_a, "truth_area"_a,
          "ignore"_a, "crowd"_a, "unmarked"_a, "excused"_a, "thresholds"_a, "ranges"_a, "partners"_a,
          "Bits (area range, detection) by threshold: matched, left out; and who matched whom where asked for.");
    m.def("accumulate_detections", &accumulate_detections, "begin"_a, "score"_a, "rank"_a, "hits"_a, "ignored"_a, "recalls"_a, "steps"_a,
          "at_changes"_a, "objects"_a, "cap"_a, "Precision and score at each recall, and the recall, of each group.");
    m.def("resampled_detections", &resampled_detections, "begin"_a, "score"_a, "rank"_a, "hits"_a, "ignored"_a, "recalls"_a, "steps"_a,
          "at_changes"_a, "weights"_a, "unit"_a, "objects"_a, "cap"_a, "Mean precision and recall of each resample and group.");
}

}  // namespace maskmeter::python
