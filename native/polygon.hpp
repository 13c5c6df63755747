// Polygons as masks, to the bit of pycocotools on x86-64: corners on a grid five times as fine, edges of
// points on it, and a crossing recorded where an edge passes the middle of a column of pixels. Even-odd filling.
//
// Products and sums of doubles must not be contracted into one operation (-ffp-contract=off), or the last bit moves.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "rle.hpp"

namespace maskmeter::rle {

constexpr double FARTHEST = 1e6;  // coordinates beyond this are no pixels of any image

class Polygon {
   public:
    // The runs of a polygon of `n` corners (x, y), appended to `out` without closing.
    void append(const double* xy, std::size_t n, std::int64_t height, std::int64_t width, std::size_t index, std::vector<std::uint32_t>& out) {
        height_ = height;
        width_ = width;
        read(xy, n, index);
        crossings_.clear();
        for (std::size_t j = 0; j < n; ++j) edge(x_[j], y_[j], x_[j + 1], y_[j + 1]);
        crossings_.push_back(static_cast<std::uint32_t>(height * width));
        std::sort(crossings_.begin(), crossings_.end());
        write(out);
    }

   private:
    void read(const double* xy, std::size_t n, std::size_t index) {
        if (n < 3) throw Malformed(index, "a polygon of it has " + std::to_string(n) + " points, and at least three make an area");
        x_.clear();
        y_.clear();
        for (std::size_t j = 0; j < n; ++j)
            for (auto* to : {&x_, &y_}) {
                const double v = xy[2 * j + (to == &y_)];
                if (!(std::abs(v) <= FARTHEST)) throw Malformed(index, "a polygon of it has the coordinate " + text(v) + ", which is in no image");
                to->push_back(static_cast<int>(5.0 * v + 0.5));
            }
        x_.push_back(x_[0]);
        y_.push_back(y_[0]);
    }

    static std::string text(double v) {
        char buffer[32];
        std::snprintf(buffer, sizeof buffer, "%g", v);
        return buffer;
    }

    // The outline is a row of points, and it crosses a column of pixels between the points u = 5 x + 2 and 5 x + 3. An edge
    // goes on by at most one in u, so that each crossing can be looked up; between them nothing needs to be drawn.
    void edge(int x0, int y0, int x1, int y1) {
        const int dx = std::abs(x1 - x0), dy = std::abs(y1 - y0);
        if (!dx) return;
        if (dx >= dy ? x0 > x1 : y0 > y1) {
            std::swap(x0, x1);
            std::swap(y0, y1);
        }
        const int low = std::min(x0, x1), high = std::max(x0, x1);
        if (high < 3) return;
        const std::int64_t first = low > 2 ? (low + 2) / 5 : 0, last = std::min<std::int64_t>((high - 3) / 5, width_ - 1);
        if (dx >= dy) {
            const double slope = static_cast<double>(y1 - y0) / dx;
            const auto v = [&](int t) { return static_cast<int>(y0 + slope * t + 0.5); };
            for (std::int64_t x = first; x <= last; ++x) {
                const int t = static_cast<int>(5 * x + 2 - x0);
                cross(x, std::min(v(t), v(t + 1)));
            }
        } else {
            const double slope = static_cast<double>(x1 - x0) / dy;
            for (std::int64_t x = first; x <= last; ++x) {
                const auto past = [&](int t) { return (static_cast<int>(x0 + slope * t + 0.5) > 5 * x + 2) == (slope > 0); };
                int t = std::clamp(static_cast<int>((static_cast<double>(5 * x) + 2.5 - x0) / slope), 1, dy);
                while (t > 1 && past(t - 1)) --t;
                while (t < dy && !past(t)) ++t;
                cross(x, y0 + t - 1);
            }
        }
    }

    void cross(std::int64_t x, int v) {
        const double y = std::ceil(std::clamp((v + 0.5) / 5.0 - 0.5, 0.0, static_cast<double>(height_)));
        crossings_.push_back(static_cast<std::uint32_t>(x * height_ + static_cast<std::int64_t>(y)));
    }

    // Differences; crossings at the same place cancel in pairs.
    void write(std::vector<std::uint32_t>& out) const {
        const std::size_t k = crossings_.size();
        const auto run = [&](std::size_t j) { return crossings_[j] - (j ? crossings_[j - 1] : 0); };
        out.push_back(run(0));
        for (std::size_t j = 1; j < k; ++j) {
            if (run(j)) out.push_back(run(j));
            else if (++j < k) out.back() += run(j);
        }
    }

    std::int64_t height_ = 0, width_ = 0;
    std::vector<int> x_, y_;
    std::vector<std::uint32_t> crossings_;
};

// The mask of each group of polygons: their union. `corners[p]` to `corners[p + 1]` are the numbers of polygon p.
inline void from_polygons(const double* xy, const std::int64_t* corners, const std::int64_t* groups, const std::int64_t* sizes, std::size_t n, Masks& out) {
    Polygon polygon;
    std::vector<std::uint32_t> one, sum, next;
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t height = sizes[2 * i], width = sizes[2 * i + 1];
        const auto pixels = pixels_of(i, height, width);
        sum.assign(1, static_cast<std::uint32_t>(pixels));
        for (std::int64_t p = groups[i]; p < groups[i + 1]; ++p) {
            const std::int64_t numbers = corners[p + 1] - corners[p];
            if (numbers % 2) throw Malformed(i, "a polygon of it has an odd number of coordinates (" + std::to_string(numbers) + ")");
            one.clear();
            polygon.append(xy + corners[p], static_cast<std::size_t>(numbers / 2), height, width, i, one);
            if (p == groups[i]) {
                sum = one;
            } else {
                next.clear();
                merge({sum.data(), sum.data() + sum.size()}, {one.data(), one.data() + one.size()}, false, next);
                sum.swap(next);
            }
        }
        out.counts.insert(out.counts.end(), sum.begin(), sum.end());
        out.close();
    }
}

}  // namespace maskmeter::rle
