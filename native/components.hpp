// Connected components: which pixels of equal label hang together.
//
// Rows (along the last axis) are cut into runs of equal label, and a run is joined with the runs of equal
// label in earlier rows that it touches. Which rows neighbour one another and how far the touch reaches
// follows from the connectivity: pixels are neighbours when they differ by at most one step along at most
// `connectivity` axes. (2D: 1 is 4 neighbours, 2 is 8. 3D: 1, 2, 3 are 6, 18, 26.) Components are numbered
// from 1 in the order of their first pixels; background pixels get 0.
//
// Memory: 16 bytes per run and the output. Runs are looked at once per neighbouring row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace maskmeter {

class Components {
   public:
    // `shape` has at least one axis and no empty one.
    Components(const std::vector<std::size_t>& shape, unsigned connectivity) : shape_(shape), connectivity_(connectivity) {
        for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) rows_ *= shape[axis];
        find_neighbours();
    }

    // Writes the number of each pixel's component and answers how many there are.
    template <class T>
    std::int32_t label(const T* labels, T background, std::int32_t* out) {
        const std::size_t width = shape_.back();
        first_.reserve(rows_ + 1);
        std::vector<std::size_t> at(shape_.size() - 1, 0);
        for (std::size_t row = 0; row < rows_; ++row) {
            first_.push_back(runs_.size());
            cut(labels + row * width, width, background);
            for (const auto& neighbour : neighbours_)
                if (inside(at, neighbour)) join(row, row - neighbour.back, labels, neighbour.reach);
            step(at);
        }
        first_.push_back(runs_.size());
        return paint(out);
    }

   private:
    struct Run {
        std::uint32_t start, end;  // along the row
        std::int32_t parent;       // a run of the same component, itself for the root; later its number
    };
    struct Neighbour {
        std::vector<int> offset;  // along the leading axes
        std::size_t back;         // how many rows earlier
        std::uint32_t reach;      // 1 where a diagonal touch counts
    };

    // The earlier ones of all rows that differ by at most one step along each leading axis.
    void find_neighbours() {
        const std::size_t leading = shape_.size() - 1;
        std::vector<int> offset(leading, -1);
        std::size_t all = 1;
        for (std::size_t axis = 0; axis < leading; ++axis) all *= 3;
        for (std::size_t k = 0; k < all / 2; ++k) {  // the offsets in lexicographic order; the middle one is zero
            std::size_t rest = k;
            unsigned steps = 0;
            std::ptrdiff_t rows = 0, stride = 1;
            for (std::size_t axis = leading; axis-- > 0; rest /= 3) {
                offset[axis] = static_cast<int>(rest % 3) - 1;
                steps += offset[axis] != 0;
                rows += offset[axis] * stride;
                stride *= static_cast<std::ptrdiff_t>(shape_[axis]);
            }
            if (steps <= connectivity_)
                neighbours_.push_back({offset, static_cast<std::size_t>(-rows), steps < connectivity_ ? 1u : 0u});
        }
    }

    bool inside(const std::vector<std::size_t>& at, const Neighbour& neighbour) const {
        for (std::size_t axis = 0; axis < at.size(); ++axis) {
            if (neighbour.offset[axis] < 0 && at[axis] == 0) return false;
            if (neighbour.offset[axis] > 0 && at[axis] + 1 == shape_[axis]) return false;
        }
        return true;
    }

    void step(std::vector<std::size_t>& at) const {
        for (std::size_t axis = at.size(); axis-- > 0;) {
            if (++at[axis] < shape_[axis]) return;
            at[axis] = 0;
        }
    }

    template <class T>
    void cut(const T* row, std::size_t width, T background) {
        for (std::size_t x = 0; x < width;) {
            const T label = row[x];
            const std::size_t start = x;
            while (x < width && row[x] == label) ++x;
            if (label == background) continue;
            if (runs_.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
                throw std::length_error("the map has more runs than can be numbered");
            runs_.push_back({static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(x), static_cast<std::int32_t>(runs_.size())});
        }
    }

    // Joins the runs of the newest row with those of an earlier one that they touch.
    template <class T>
    void join(std::size_t row, std::size_t earlier, const T* labels, std::uint32_t reach) {
        const std::size_t width = shape_.back(), end = first_[earlier + 1];
        const T* here = labels + row * width;
        const T* there = labels + earlier * width;
        std::size_t j = first_[earlier];
        for (std::size_t i = first_[row]; i < runs_.size(); ++i) {
            while (j < end && runs_[j].end + reach <= runs_[i].start) ++j;
            for (std::size_t k = j; k < end && runs_[k].start < runs_[i].end + reach; ++k)
                if (here[runs_[i].start] == there[runs_[k].start]) unite(static_cast<std::int32_t>(i), static_cast<std::int32_t>(k));
        }
    }

    std::int32_t root(std::int32_t run) {
        auto* runs = runs_.data();
        while (runs[run].parent != run) run = runs[run].parent = runs[runs[run].parent].parent;
        return run;
    }

    void unite(std::int32_t a, std::int32_t b) {
        a = root(a);
        b = root(b);
        runs_[std::max(a, b)].parent = std::min(a, b);  // the root is the earliest run
    }

    std::int32_t paint(std::int32_t* out) {
        const std::size_t width = shape_.back();
        std::vector<std::int32_t> number(runs_.size());
        std::int32_t n = 0;
        for (std::size_t row = 0; row < rows_; ++row, out += width) {
            std::uint32_t x = 0;
            for (std::size_t i = first_[row]; i < first_[row + 1]; ++i) {
                const std::int32_t top = root(static_cast<std::int32_t>(i));
                number[i] = static_cast<std::size_t>(top) == i ? ++n : number[top];
                std::fill(out + x, out + runs_[i].start, 0);
                std::fill(out + runs_[i].start, out + runs_[i].end, number[i]);
                x = runs_[i].end;
            }
            std::fill(out + x, out + width, 0);
        }
        return n;
    }

    std::vector<std::size_t> shape_;
    unsigned connectivity_;
    std::size_t rows_ = 1;
    std::vector<Neighbour> neighbours_;
    std::vector<Run> runs_;
    std::vector<std::size_t> first_;  // the first run of each row
};

}  // namespace maskmeter
