// Masks in space: topology, boxes of labels, distances and bands of boundaries.
#include "bands.hpp"
#include "boxes.hpp"
#include "python.hpp"
#include "surface.hpp"
#include "topology.hpp"

#include <algorithm>
#include <memory>

namespace maskmeter::python {

namespace {

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

void bind_surface(nb::module_& m) {
    m.def("euler", &euler, "mask"_a, "diagonal"_a, "The Euler number of a mask, whose pixels may touch by corners or not.");
    m.def("thin", &thin, "mask"_a, "The skeleton of a mask: as much of it as its topology and the ends of curves need.");
    m.def("label_boxes", &label_boxes, "labels"_a, "Rows (label, first voxel z y x, last voxel z y x), in the order in which the labels are met.");
    m.def("surface_distances", &surface_distances, "a"_a, "b"_a, "label_a"_a, "label_b"_a, "box"_a, "spacing"_a, "flat"_a, "open"_a, "model"_a,
          "places"_a, "For both directions: (distances, weights, counts, places, farthest, weight on the end of the image).");
    m.def("bands", &bands, "a"_a, "b"_a, "label_a"_a, "label_b"_a, "box"_a, "flat"_a, "open"_a, "disc"_a, "around"_a,
          "Voxels of bands along the boundaries: (shared, in either).");
}

}  // namespace maskmeter::python
