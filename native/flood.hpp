// Flood: the connected components of a map as its threshold falls, all thresholds in one pass.
//
// Each pixel comes with the step at which it appears. Steps are taken in order; a pixel that appears joins the
// components of its neighbours that are there already. How many components there are, how many of them share a
// pixel with an object, and how many objects share one with a component, is known after each step without
// looking at the map again; so are, where they are asked for, the pixels that components and objects share.
//
// Neighbours that are neighbours of each other are in one component already, so few of them are looked up.
//
// A component is known by its first pixel, which is the root of its tree. The map has a border at the end of
// every axis in which no pixel appears, so that a neighbour needs no check.
//
// Floor: each pixel's step and object read once, written and read once in the order of the steps, and the steps
// of its neighbours read: about 8 ns in a plane. Memory: 24 bytes per pixel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

namespace maskmeter {

// After one step: components, those that share a pixel with an object, and objects that share one with a component.
struct FloodCounts {
    std::int64_t components, touching, found;
};

// A component (the number of its first pixel) and an object that share pixels after a step.
struct FloodPair {
    std::int64_t step, component, object, shared, size;
};

class Flood {
   public:
    // `shape` has at least one axis and no empty one. Neighbours differ by at most one step along at most
    // `connectivity` axes.
    Flood(const std::vector<std::size_t>& shape, unsigned connectivity) : shape_(shape) {
        std::vector<std::ptrdiff_t> stride(shape.size(), 1);
        for (std::size_t axis = shape.size() - 1; axis-- > 0;) stride[axis] = stride[axis + 1] * static_cast<std::ptrdiff_t>(shape[axis + 1] + 1);
        for (const auto s : stride) margin_ += static_cast<std::size_t>(s);
        room_ = static_cast<std::size_t>(stride[0]) * (shape[0] + 1) + 2 * margin_;
        if (room_ > std::numeric_limits<std::uint32_t>::max()) throw std::length_error("the map has more pixels than can be numbered");
        find_neighbours(stride, connectivity);
    }

    // Pixel i appears at step[i] (never where that is `steps`) and belongs to object[i], from 1 to `objects`, or to
    // none (0). Calls counted(FloodCounts) after each step, and before it paired(FloodPair) for each pair, if `pairs`.
    template <class Counted, class Paired>
    void run(const std::int32_t* step, const std::int32_t* object, std::int32_t steps, std::int32_t objects, bool pairs, Counted&& counted, Paired&& paired) {
        sort(step, object, steps);
        std::vector<std::uint8_t> seen(static_cast<std::size_t>(objects) + 1, 0);
        FloodCounts now{0, 0, 0};
        for (std::int32_t s = 0; s < steps; ++s) {
            const std::size_t from = begin_[static_cast<std::size_t>(s)], to = begin_[static_cast<std::size_t>(s) + 1];
            for (std::size_t i = from; i < to; ++i) {
                add(order_[i], s, now);
                const auto k = static_cast<std::size_t>(order_[i].object);
                now.found += k != 0 && !seen[k];
                seen[k] = 1;
            }
            if (pairs) pair(from, to, s, paired);
            counted(now);
        }
    }

   private:
    // A pixel of the map with its border: when it appears, and of the tree whose root it is the size and whether it
    // shares a pixel with an object. Together, because pixels are met in no order that memory likes.
    struct Cell {
        std::int32_t step;
        std::uint32_t parent, size, touches;
    };
    struct Pixel {
        std::uint32_t at;
        std::int32_t object;
    };
    struct Neighbour {
        std::ptrdiff_t offset;
        std::uint32_t joined, bit;  // neighbours listed before that are neighbours of this one, and its own bit
        std::int32_t earlier;       // 1 where it comes before the pixel
    };
    struct Shared {
        std::uint64_t key;  // component, object
        std::int64_t n;
    };

    // Whether two of the 3^axes places around a pixel, itself included, are neighbours.
    bool adjacent(std::size_t a, std::size_t b, unsigned connectivity) const {
        unsigned moved = 0;
        for (std::size_t axis = 0; axis < shape_.size(); ++axis, a /= 3, b /= 3) {
            const auto move = static_cast<int>(a % 3) - static_cast<int>(b % 3);
            if (move * move > 1) return false;
            moved += move != 0;
        }
        return moved != 0 && moved <= connectivity;
    }

    void find_neighbours(const std::vector<std::ptrdiff_t>& stride, unsigned connectivity) {
        std::size_t all = 1;
        for (std::size_t axis = 0; axis < shape_.size(); ++axis) all *= 3;
        std::vector<std::size_t> places;
        for (std::size_t k = 0; k < all; ++k) {
            if (!adjacent(k, all / 2, connectivity)) continue;
            std::ptrdiff_t offset = 0;
            std::size_t rest = k;
            for (std::size_t axis = shape_.size(); axis-- > 0; rest /= 3) offset += (static_cast<std::ptrdiff_t>(rest % 3) - 1) * stride[axis];
            std::uint32_t joined = 0;
            for (std::size_t i = 0; i < std::min<std::size_t>(places.size(), 32); ++i)
                if (adjacent(places[i], k, connectivity)) joined |= std::uint32_t{1} << i;
            neighbours_.push_back({offset, joined, places.size() < 32 ? std::uint32_t{1} << places.size() : 0, k < all / 2 ? 1 : 0});
            places.push_back(k);
        }
    }

    // The pixels that appear, by step and then by place.
    void sort(const std::int32_t* step, const std::int32_t* object, std::int32_t steps) {
        std::size_t n = 1;
        for (const auto length : shape_) n *= length;
        begin_.assign(static_cast<std::size_t>(steps) + 2, 0);
        for (std::size_t i = 0; i < n; ++i) {
            if (step[i] < 0 || step[i] > steps) throw std::invalid_argument("a pixel appears at a step that there is not");
            ++begin_[static_cast<std::size_t>(step[i]) + 1];
        }
        for (std::size_t s = 1; s < begin_.size(); ++s) begin_[s] += begin_[s - 1];
        order_.resize(begin_[static_cast<std::size_t>(steps)]);
        cells_.assign(room_, {steps, 0, 0, 0});
        auto next = begin_;
        std::vector<std::size_t> place(shape_.size(), 0);
        std::size_t at = margin_;
        for (std::size_t i = 0; i < n; ++i, ++at) {
            cells_[at].step = step[i];
            if (step[i] < steps) order_[next[static_cast<std::size_t>(step[i])]++] = {static_cast<std::uint32_t>(at), object[i]};
            std::size_t skipped = 1;  // over the borders of all axes that end here
            for (std::size_t axis = shape_.size(); axis-- > 0;) {
                if (++place[axis] < shape_[axis]) break;
                place[axis] = 0;
                at += skipped;
                skipped *= shape_[axis] + 1;
            }
        }
    }

    void add(const Pixel& pixel, std::int32_t s, FloodCounts& now) {
        const std::uint32_t at = pixel.at;
        Cell* const here = cells_.data() + at;
        *here = {s, at, 1, pixel.object != 0};
        ++now.components;
        now.touching += pixel.object != 0;
        std::uint32_t top = at, there = 0;
        for (const auto& neighbour : neighbours_) {
            if (here[neighbour.offset].step >= s + neighbour.earlier) continue;  // of the same step those before are there
            if (!(there & neighbour.joined)) top = unite(top, root(static_cast<std::uint32_t>(static_cast<std::ptrdiff_t>(at) + neighbour.offset)), now);
            there |= neighbour.bit;
        }
    }

    std::uint32_t root(std::uint32_t at) {
        auto* cells = cells_.data();
        while (cells[at].parent != at) at = cells[at].parent = cells[cells[at].parent].parent;
        return at;
    }

    // Joins two trees by their roots and answers that of both, which is the first pixel.
    std::uint32_t unite(std::uint32_t a, std::uint32_t b, FloodCounts& now) {
        if (a == b) return a;
        if (b < a) std::swap(a, b);
        Cell &top = cells_[a], &other = cells_[b];
        other.parent = a;
        top.size += other.size;
        --now.components;
        now.touching -= top.touches & other.touches;
        top.touches |= other.touches;
        return a;
    }

    // Brings the table of shared pixels up to the step whose pixels are from..to, and hands it on.
    template <class Paired>
    void pair(std::size_t from, std::size_t to, std::int32_t s, Paired&& paired) {
        for (auto& x : shared_) x.key = static_cast<std::uint64_t>(root(static_cast<std::uint32_t>(x.key >> 32))) << 32 | (x.key & 0xffffffff);
        for (std::size_t i = from; i < to; ++i) {
            if (order_[i].object == 0) continue;
            const auto key = static_cast<std::uint64_t>(root(order_[i].at)) << 32 | static_cast<std::uint32_t>(order_[i].object);
            if (!shared_.empty() && shared_.back().key == key) ++shared_.back().n;
            else shared_.push_back({key, 1});
        }
        std::sort(shared_.begin(), shared_.end(), [](const Shared& a, const Shared& b) { return a.key < b.key; });
        std::size_t kept = 0;
        for (std::size_t i = 0; i < shared_.size(); ++i) {
            if (kept && shared_[kept - 1].key == shared_[i].key) shared_[kept - 1].n += shared_[i].n;
            else shared_[kept++] = shared_[i];
        }
        shared_.resize(kept);
        for (const auto& x : shared_) {
            const auto component = static_cast<std::uint32_t>(x.key >> 32);
            paired(FloodPair{s, component, static_cast<std::int64_t>(x.key & 0xffffffff), x.n, cells_[component].size});
        }
    }

    std::vector<std::size_t> shape_;
    std::size_t margin_ = 0, room_ = 0;
    std::vector<Neighbour> neighbours_;
    std::vector<std::size_t> begin_;  // of each step in `order_`
    std::vector<Pixel> order_;
    std::vector<Cell> cells_;
    std::vector<Shared> shared_;
};

}  // namespace maskmeter
