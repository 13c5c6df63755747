// The distances from the elements of one surface to another surface.
//
// A distance is measured from the point, or from the centre of the triangle, to the nearest point of the other
// surface. Two masks are cut from their maps inside the box that holds both: what is nearest to an element lies in
// that box.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "distance_tally.hpp"
#include "fast_path.hpp"
#include "grid_search.hpp"
#include "mesh_search.hpp"
#include "surface_elements.hpp"

namespace maskmeter::surface {

struct Directed {
    Tally tally;
    std::vector<double> distance, weight;  // where places are asked for: of each element, not sorted
    std::vector<Vec> place;                // in the frame of the box
    double farthest = 0;                   // over the vertices of the elements as well
    double edge = 0;                       // the weight of what lies on the end of the image
};

namespace detail {

// Calls f(z, y, x) for each bit of a volume.
template <class F>
void each_voxel(const BitVolume& v, F&& f) {
    for (std::size_t z = 0; z < v.nz; ++z)
        for (std::size_t y = 0; y < v.ny; ++y)
            for (std::size_t w = 0; w + 1 < v.words; ++w) each_bit(v.row(z, y)[w], 64 * w, [&](std::size_t x) { f(z, y, x); });
}

// The centre of a segment is not that of its triangle with two equal corners.
inline Vec centre(const Triangle& t, bool flat) {
    return flat ? Vec{t.v[0][0], (t.v[0][1] + t.v[1][1]) / 2, (t.v[0][2] + t.v[1][2]) / 2} : t.centre();
}

// Calls found(distance) for each point of `from` in turn.
template <class F>
void point_distances(const Elements& from, const Elements& to, const Frame& frame, F&& found) {
    GridSearch search(to.at, frame.spacing, frame.flat);
    each_voxel(from.at, [&](std::size_t z, std::size_t y, std::size_t x) { found(to.at.at(z, y, x) ? 0.0 : std::sqrt(search.distance2(z, y, x))); });
}

// Calls f(z, y, x, runs) for each tile of cells that holds any; a run is the first element of a row of the tile, and
// the end of the last.
template <class F>
void each_tile(const Elements& e, F&& f) {
    constexpr std::size_t side = MeshSearch::tile;
    using Word = BitVolume::Word;
    std::size_t cell = 0;
    for (std::size_t z = 0; z < e.at.nz; ++z)
        for (std::size_t y = 0; y < e.at.ny; y += side) {
            const std::size_t rows = std::min(side, e.at.ny - y);
            std::array<std::size_t, side> next;
            for (std::size_t k = 0; k < rows; ++k) {
                next[k] = cell;
                for (std::size_t w = 0; w + 1 < e.at.words; ++w) cell += std::size_t(std::popcount(e.at.row(z, y + k)[w]));
            }
            for (std::size_t w = 0; w + 1 < e.at.words; ++w) {
                Word any = 0;
                for (std::size_t k = 0; k < rows; ++k) any |= e.at.row(z, y + k)[w];
                while (any) {
                    const std::size_t x = std::size_t(std::countr_zero(any)) / side * side;
                    const Word here = ((Word(1) << side) - 1) << x;
                    std::array<std::array<std::size_t, 3>, side> runs;
                    std::size_t n = 0;
                    for (std::size_t k = 0; k < rows; ++k)
                        if (const auto cells = std::size_t(std::popcount(e.at.row(z, y + k)[w] & here))) {
                            runs[n++] = {e.start[next[k]], e.start[next[k] + cells], k};
                            next[k] += cells;
                        }
                    f(z, y, 64 * w + x, std::span(runs.data(), n));
                    any &= ~here;
                }
            }
        }
}

// Calls found(distance) for each triangle of `from` in turn; the greatest distance, over its vertices as well.
template <class F>
double triangle_distances(const Elements& from, const Elements& to, const Frame& frame, F&& found) {
    MeshSearch search(to, frame.spacing, frame.flat);
    const double snap = 1e-9 * *std::min_element(frame.spacing.begin(), frame.spacing.end());
    std::vector<double> distance(from.size());
    std::array<Vec, MeshSearch::lanes> point;
    std::array<std::size_t, MeshSearch::lanes> element;
    std::array<double, MeshSearch::lanes> d2;
    each_tile(from, [&](std::size_t z, std::size_t y, std::size_t x, auto runs) {
        std::size_t n = 0;
        const auto ask = [&] {
            search.distances2(z, y, x, n, point.data(), d2.data());
            for (std::size_t k = 0; k < n; ++k) distance[element[k]] = d2[k] < snap * snap ? 0 : std::sqrt(d2[k]);
            n = 0;
        };
        for (const auto& [begin, end, row] : runs)
            for (auto i = begin; i < end; ++i) {
                point[n] = centre(from.triangle(i), frame.flat), element[n++] = i;
                if (n == MeshSearch::lanes) ask();
            }
        if (n) ask();
    });
    double farthest = 0;
    for (const double d : distance) found(d), farthest = std::max(farthest, d);
    const double widest = std::sqrt(dot(frame.spacing, frame.spacing));  // no triangle reaches further from its centre
    each_tile(from, [&](std::size_t z, std::size_t y, std::size_t x, auto runs) {
        for (const auto& [begin, end, row] : runs)
            for (auto i = begin; i < end; ++i) {
                if (distance[i] + widest <= farthest) continue;
                const Triangle t = from.triangle(i);
                const Vec middle = centre(t, frame.flat);
                for (const Vec& v : t.v) {  // no further than the centre's distance and the way there
                    const Vec way = v - middle;
                    if (distance[i] + std::sqrt(dot(way, way)) <= farthest) continue;
                    search.distances2(z, y, x, 1, &v, d2.data());
                    farthest = std::max(farthest, std::sqrt(d2[0]));
                }
            }
    });
    return farthest;
}

}  // namespace detail

// The distances from each element of one surface to the other; infinite where that is empty.
inline Directed directed(const Elements& from, const Elements& to, const Frame& frame, bool places) {
    Directed out;
    out.edge = from.edge;
    const std::size_t n = from.size();
    const bool weighted = from.solid || !from.kind.empty();
    const auto weight = [&](std::size_t i) { return from.solid ? from.area[i] : weighted ? from.weights[from.kind[i]] : 1.0; };
    std::vector<maskmeter::detail::Weighted> pairs;
    std::vector<maskmeter::detail::Plain> plain;
    weighted ? pairs.reserve(n) : plain.reserve(n);
    std::size_t i = 0;
    const auto found = [&](double d) {
        if (places) out.distance.push_back(d), out.weight.push_back(weight(i));
        if (weighted) pairs.push_back({d, weight(i)});
        else plain.push_back({d});
        ++i;
    };
    if (!to.size()) {
        while (i < n) found(std::numeric_limits<double>::infinity());
    } else {
        on_fast_path([&] {
            if (from.solid) out.farthest = detail::triangle_distances(from, to, frame, found);
            else detail::point_distances(from, to, frame, found);
        });
    }
    out.tally = weighted ? tally(std::move(pairs)) : tally(std::move(plain));
    if (!from.solid && !out.tally.distance.empty()) out.farthest = out.tally.distance.back();
    if (!places) return out;
    std::size_t cell = 0;
    detail::each_voxel(from.at, [&](std::size_t z, std::size_t y, std::size_t x) {
        if (!from.solid) return out.place.push_back({double(z) * frame.spacing[0], double(y) * frame.spacing[1], double(x) * frame.spacing[2]});
        for (auto k = from.start[cell]; k < from.start[cell + 1]; ++k) out.place.push_back(detail::centre(from.triangle(k), frame.flat));
        ++cell;
    });
    return out;
}

}  // namespace maskmeter::surface
