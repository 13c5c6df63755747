// Run-length encoded masks as COCO has them: column-major (pixel y, x is number x * height + y), run lengths
// that alternate background and foreground and begin with background.
//
// Many masks lie one after the other: `counts` holds all runs, `offsets[i]` to `offsets[i + 1]` are those of mask i.
// What comes from outside (strings, lists of counts) is checked here, run by run, before it is stored: afterwards the
// runs of a mask add up to height times width, below 2^32. The compressed form is that of pycocotools. Area and box can
// be had from it without keeping a run.
//
// Costs: a nanosecond or two per character, per run and per pair of runs that meet; boundaries one per pixel of the box.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace maskmeter::rle {

// A mask that is not one: its number among those given, and what is wrong with it.
struct Malformed : std::runtime_error {
    std::size_t index;
    Malformed(std::size_t i, const std::string& what) : std::runtime_error(what), index(i) {}
};

struct Masks {
    std::vector<std::uint32_t> counts;
    std::vector<std::int64_t> offsets{0};

    void close() { offsets.push_back(static_cast<std::int64_t>(counts.size())); }
};

// The runs of one mask.
struct Runs {
    const std::uint32_t* begin;
    const std::uint32_t* end;
};

inline std::uint64_t pixels_of(std::size_t index, std::int64_t height, std::int64_t width) {
    const auto most = std::int64_t{0xffffffff};
    if (height < 0 || width < 0 || (width && height > most / width))
        throw Malformed(index, "its size [" + std::to_string(height) + ", " + std::to_string(width) + "] is no size of a mask");
    return static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
}

// Adds runs up, and refuses those that cannot be.
class Sum {
   public:
    Sum(std::size_t index, std::int64_t height, std::int64_t width)
        : index_(index), height_(height), width_(width), size_(pixels_of(index, height, width)) {}

    void add(std::int64_t run) {
        if (static_cast<std::uint64_t>(run) > size_ - filled_) refuse(run);  // one below zero too
        filled_ += static_cast<std::uint64_t>(run);
    }

    void close() const {
        if (filled_ != size_) throw Malformed(index_, "its counts add up to " + std::to_string(filled_) + ", not to the " + said() + " of its size");
    }

    std::int64_t at() const { return static_cast<std::int64_t>(filled_); }

   private:
    [[noreturn]] void refuse(std::int64_t run) const {
        if (run < 0) throw Malformed(index_, "a run of its counts is negative (" + std::to_string(run) + ")");
        throw Malformed(index_, "its counts go beyond the " + said() + " of its size");
    }
    std::string said() const {
        return std::to_string(size_) + " pixels (" + std::to_string(height_) + " x " + std::to_string(width_) + ")";
    }

    std::size_t index_;
    std::int64_t height_, width_;
    std::uint64_t size_, filled_ = 0;
};

// Stores runs that add up.
class Filler {
   public:
    Filler(std::size_t index, std::int64_t height, std::int64_t width, Masks& out) : sum_(index, height, width), out_(out) {}

    void add(std::int64_t run) {
        sum_.add(run);
        out_.counts.push_back(static_cast<std::uint32_t>(run));
    }

    void close() {
        sum_.close();
        out_.close();
    }

   private:
    Sum sum_;
    Masks& out_;
};

// Compressed counts: characters from '0' on, five bits each, the sixth says that more follow; from the fourth run on
// a number is the difference to the one two before. Calls `run(length)` for each.
template <class Run>
void each_run(const char* text, std::size_t length, std::size_t index, Run&& run) {
    const char *p = text, *const end = text + length;
    std::int64_t one_before = 0, two_before = 0;
    for (std::size_t m = 0; p != end; ++m) {
        unsigned c = static_cast<unsigned char>(*p++) - 48u;
        if (c > 63) throw Malformed(index, "its counts hold a character that cannot be in them");
        std::int64_t x = c & 31;
        unsigned shift = 5;
        for (; c & 32; shift += 5) {
            if (p == end) throw Malformed(index, "its counts end in the middle of a number");
            c = static_cast<unsigned char>(*p++) - 48u;
            if (c > 63) throw Malformed(index, "its counts hold a character that cannot be in them");
            if (shift > 50) throw Malformed(index, "its counts hold a number that is too large");
            x |= static_cast<std::int64_t>(c & 31) << shift;
        }
        const std::int64_t sign = std::int64_t{1} << (shift - 1);
        x = (x ^ sign) - sign;  // without a branch, which would be guessed wrong every other time
        if (m > 2) x += two_before;
        two_before = one_before;
        one_before = x;
        run(x);
    }
}

inline void read_string(const char* text, std::size_t length, Filler& into, std::size_t index) {
    each_run(text, length, index, [&](std::int64_t run) { into.add(run); });
}

inline void write_string(Runs runs, std::string& out) {
    const auto m = runs.end - runs.begin;
    for (std::ptrdiff_t i = 0; i < m; ++i) {
        std::int64_t x = runs.begin[i];
        if (i > 2) x -= runs.begin[i - 2];
        for (bool more = true; more;) {
            int c = static_cast<int>(x & 31);
            x >>= 5;
            more = (c & 16) ? x != -1 : x != 0;
            out.push_back(static_cast<char>((more ? c | 32 : c) + 48));
        }
    }
}

inline std::uint64_t area(Runs runs) {
    std::uint64_t total = 0;
    for (auto* r = runs.begin + 1; r < runs.end; r += 2) total += *r;
    return total;
}

// First and last column and row that the foreground touches; nothing where there is none.
struct Box {
    std::int64_t x0 = 0, y0 = 0, x1 = -1, y1 = -1;
    bool empty() const { return x1 < x0; }
};

// Area, box and content of a mask whose runs come one after the other and are not kept. The content is a number made
// of the runs; it is left at 0 where it is not asked for.
template <bool Content>
class Outline {
   public:
    explicit Outline(std::int64_t height) : height_(std::max<std::int64_t>(height, 1)) {}  // a mask of no rows has no pixels

    void add(std::int64_t run) {
        if constexpr (Content) {
            std::uint64_t x = (static_cast<std::uint64_t>(run) + 1) * 0x9E3779B97F4A7C15 + (place_ + 1) * 0xBF58476D1CE4E5B9;
            x ^= x >> 31;
            content_ += x * 0x94D049BB133111EB;
        }
        if (place_++ & 1 && run) {
            area_ += static_cast<std::uint64_t>(run);
            const std::int64_t left = column_, top = at_ - start_;
            move(run - 1);  // to the last pixel
            box_.x0 = std::min(box_.x0, left);
            box_.x1 = column_;  // runs come from left to right
            if (left < column_) {  // goes over into the next column
                box_.y0 = 0;
                box_.y1 = height_ - 1;
            } else {
                box_.y0 = std::min(box_.y0, top);
                box_.y1 = std::max(box_.y1, at_ - start_);
            }
            move(1);
        } else {
            move(run);
        }
    }

    std::uint64_t area() const { return area_; }
    std::uint64_t content() const { return content_; }
    Box box() const { return box_.x1 < 0 ? Box{} : box_; }

   private:
    void move(std::int64_t by) {
        at_ += by;
        if (at_ - start_ < height_) return;
        if (at_ - start_ < 2 * height_) {
            ++column_;
            start_ += height_;
        } else {
            column_ = at_ / height_;
            start_ = column_ * height_;
        }
    }

    std::int64_t height_, at_ = 0, column_ = 0, start_ = 0;  // `start_` is the first pixel of the column
    Box box_{0xffffffff, 0xffffffff, -1, -1};
    std::uint64_t area_ = 0, content_ = 0, place_ = 0;
};

inline Box box(Runs runs, std::int64_t height) {
    Outline<false> found(height);
    for (auto* r = runs.begin; r < runs.end; ++r) found.add(*r);
    return found.box();
}

// The stretches of foreground of a mask: pixel `start[i]` is the first, `end[i]` the first after it.
struct Stretches {
    std::vector<std::uint32_t> start, end;
    std::size_t size = 0;

    void clear(std::size_t most) {
        if (start.size() < most) start.resize(most), end.resize(most);
        size = 0;
    }
    void add(std::uint32_t from, std::uint32_t to) {
        start[size] = from;
        end[size] = to;
        size += from < to;
    }
};

inline void stretches(Runs runs, Stretches& out) {
    out.clear(static_cast<std::size_t>(runs.end - runs.begin) / 2 + 1);
    std::uint32_t at = 0;
    for (auto* r = runs.begin; r + 1 < runs.end; r += 2) {
        out.add(at + r[0], at + r[0] + r[1]);
        at += r[0] + r[1];
    }
}

// The same of compressed counts, whose runs are checked.
inline void stretches(const char* text, std::size_t length, std::int64_t height, std::int64_t width, std::size_t index, Stretches& out) {
    out.clear(length / 2 + 1);
    Sum sum(index, height, width);
    bool inside = false;
    each_run(text, length, index, [&](std::int64_t run) {
        const auto from = static_cast<std::uint32_t>(sum.at());
        sum.add(run);
        if (inside) out.add(from, static_cast<std::uint32_t>(sum.at()));
        inside = !inside;
    });
    sum.close();
}

// Pixels that are foreground in both.
inline std::uint64_t intersection(const Stretches& a, const Stretches& b) {
    std::uint64_t total = 0;
    for (std::size_t i = 0, j = 0; i < a.size && j < b.size;) {  // without a branch that could be guessed wrong
        const std::uint32_t end_a = a.end[i], end_b = b.end[j];
        const std::uint32_t start = std::max(a.start[i], b.start[j]), end = std::min(end_a, end_b);
        total += end > start ? end - start : 0;
        i += end_a <= end_b;
        j += end_b <= end_a;
    }
    return total;
}

inline std::uint64_t intersection(Runs a, Runs b) {
    Stretches x, y;
    stretches(a, x);
    stretches(b, y);
    return intersection(x, y);
}

// What is in either mask (`both` false) or in both, as runs, appended to `out` without closing. Equal sizes.
inline void merge(Runs a, Runs b, bool both, std::vector<std::uint32_t>& out) {
    std::uint64_t left_a = a.begin < a.end ? *a.begin : 0, left_b = b.begin < b.end ? *b.begin : 0, run = 0;
    auto *i = a.begin, *j = b.begin;
    bool in_a = false, in_b = false, in = false;
    const auto turn = [](const std::uint32_t*& at, const std::uint32_t* end, std::uint64_t& left, bool& inside) {
        while (!left && at + 1 < end) {
            left = *++at;
            inside = !inside;
        }
    };
    turn(i, a.end, left_a, in_a);
    turn(j, b.end, left_b, in_b);
    while (left_a && left_b) {
        const bool now = both ? in_a && in_b : in_a || in_b;
        if (now != in) {
            out.push_back(static_cast<std::uint32_t>(run));
            run = 0;
            in = now;
        }
        const std::uint64_t step = std::min(left_a, left_b);
        run += step;
        left_a -= step;
        left_b -= step;
        turn(i, a.end, left_a, in_a);
        turn(j, b.end, left_b, in_b);
    }
    out.push_back(static_cast<std::uint32_t>(run));
}

// Pixels of the mask that are at most `width` steps (of a king) from a pixel outside it or outside the image.
class Boundary {
   public:
    void append(Runs runs, std::int64_t height, std::int64_t width, std::int64_t reach, Masks& out) {
        const Box b = box(runs, height);
        if (b.empty()) {
            out.counts.push_back(static_cast<std::uint32_t>(height * width));
            return out.close();
        }
        rows_ = b.y1 - b.y0 + 1;
        const std::int64_t columns = b.x1 - b.x0 + 1;
        inside_.assign(static_cast<std::size_t>(rows_ * columns), 0);
        fill(runs, b, height, inside_.data());
        edge_ = inside_;
        if (2 * reach + 1 <= std::min(rows_, columns)) erode(columns, reach);
        write(b, height, width, columns, out);
    }

   private:
    void fill(Runs runs, const Box& b, std::int64_t height, std::uint8_t* to) const {
        std::int64_t at = 0;
        for (auto* r = runs.begin; r + 1 < runs.end; r += 2) {
            std::int64_t start = at + r[0];
            at = start + r[1];
            for (std::int64_t x = start / height; start < at; ++x) {
                const std::int64_t end = std::min(at, (x + 1) * height);
                std::fill(to + (x - b.x0) * rows_ + (start - x * height - b.y0), to + (x - b.x0) * rows_ + (end - x * height - b.y0), 1);
                start = end;
            }
        }
    }

    // Take the pixels away whose whole neighbourhood is inside: a streak of 2 reach + 1 along columns of such streaks along rows.
    void erode(std::int64_t columns, std::int64_t reach) {
        const std::int64_t span = 2 * reach + 1;
        across_.assign(static_cast<std::size_t>(rows_), 0);
        for (std::int64_t x = 0; x < columns; ++x) {
            const std::uint8_t* column = inside_.data() + x * rows_;
            std::int64_t down = 0;
            for (std::int64_t y = 0; y < rows_; ++y) {
                down = column[y] ? down + 1 : 0;
                const std::int64_t centre = y - reach;
                if (centre < 0) continue;
                auto& streak = across_[static_cast<std::size_t>(centre)];
                streak = down >= span ? streak + 1 : 0;
                if (streak >= span) edge_[static_cast<std::size_t>((x - reach) * rows_ + centre)] = 0;
            }
        }
    }

    void write(const Box& b, std::int64_t height, std::int64_t width, std::int64_t columns, Masks& out) const {
        std::int64_t since = 0;
        bool in = false;
        for (std::int64_t x = 0; x < columns; ++x) {
            const std::int64_t top = (b.x0 + x) * height + b.y0;
            for (std::int64_t y = 0; y <= rows_; ++y) {  // one more, which is outside unless the column is full
                if (y == rows_ && rows_ == height) break;
                const bool now = y < rows_ && edge_[static_cast<std::size_t>(x * rows_ + y)];
                if (now == in) continue;
                out.counts.push_back(static_cast<std::uint32_t>(top + y - since));
                since = top + y;
                in = now;
            }
        }
        const std::int64_t end = (b.x0 + columns) * height, size = height * width;
        if (in) {
            out.counts.push_back(static_cast<std::uint32_t>(end - since));
            since = end;
        }
        if (since < size) out.counts.push_back(static_cast<std::uint32_t>(size - since));
        out.close();
    }

    std::int64_t rows_ = 0;
    std::vector<std::uint8_t> inside_, edge_;
    std::vector<std::int64_t> across_;
};

}  // namespace maskmeter::rle
