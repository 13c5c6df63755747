// Malformed run lengths and polygons through rle.hpp and polygon.hpp, for the address and undefined behaviour sanitizers.
//
//     fuzz_masks [inputs] [seed]
//
// Every input lies in a block of exactly its size, so that one byte read beyond it is found. What is taken must be a
// mask: its runs add up to its size, and every operation on it answers within what its size allows.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../../native/polygon.hpp"
#include "../../native/rle.hpp"

namespace {

using namespace maskmeter::rle;
using Random = std::mt19937_64;

void claim(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

Runs runs_of(const Masks& masks, std::size_t i) {
    return {masks.counts.data() + masks.offsets[i], masks.counts.data() + masks.offsets[i + 1]};
}

std::uint64_t total(Runs runs) {
    std::uint64_t sum = 0;
    for (auto* r = runs.begin; r < runs.end; ++r) sum += *r;
    return sum;
}

std::int64_t side(Random& random) {
    static const std::int64_t odd[] = {0, 1, -1, 65535, 65536, 65537, 100000, 0xffffffff, 0x100000000, std::int64_t{1} << 62, std::numeric_limits<std::int64_t>::min()};
    if (random() % 16 == 0) return odd[random() % std::size(odd)];
    return 1 + static_cast<std::int64_t>(random() % 24);
}

// Reads one string the way the binding does.
void read(const char* text, std::size_t length, std::int64_t height, std::int64_t width, Masks& out) {
    Filler into(0, height, width, out);
    read_string(text, length, into, 0);
    into.close();
}

// What must hold for any mask that was taken.
void use(const Masks& masks, std::size_t i, std::int64_t height, std::int64_t width, Random& random) {
    const Runs runs = runs_of(masks, i);
    const std::uint64_t size = static_cast<std::uint64_t>(height * width), inside = area(runs);
    claim(total(runs) == size, "the runs add up to the size");
    if (height > 0) {
        const Box b = box(runs, height);
        claim(b.empty() == (inside == 0), "a box is empty where the mask is");
        if (!b.empty()) claim(b.x0 >= 0 && b.y0 >= 0 && b.x1 < width && b.y1 < height, "the box lies in the image");
    }
    claim(intersection(runs, runs) == inside, "a mask shares all its pixels with itself");
    std::vector<std::uint32_t> both, either;
    merge(runs, runs, true, both);
    merge(runs, runs, false, either);
    claim(area({both.data(), both.data() + both.size()}) == inside && area({either.data(), either.data() + either.size()}) == inside, "a mask merged with itself is itself");

    std::string text;
    write_string(runs, text);
    Masks again;
    read(text.data(), text.size(), height, width, again);
    claim(again.counts == std::vector<std::uint32_t>(runs.begin, runs.end), "a string reads back");
    Stretches coded, plain;
    stretches(text.data(), text.size(), height, width, 0, coded);
    stretches(runs, plain);
    claim(coded.size == plain.size && intersection(coded, plain) == inside, "a string has the stretches of its runs");
    Outline<true> outline(height);
    each_run(text.data(), text.size(), 0, [&](std::int64_t run) { outline.add(run); });
    const Box found = outline.box(), known = box(runs, std::max<std::int64_t>(height, 1));
    claim(outline.area() == inside && found.x0 == known.x0 && found.y0 == known.y0 && found.x1 == known.x1 && found.y1 == known.y1,
          "a string has the outline of its runs");

    if (height > 0 && size <= 4096) {
        Masks edge;
        Boundary().append(runs, height, width, static_cast<std::int64_t>(random() % 30), edge);
        claim(total(runs_of(edge, 0)) == size && intersection(runs, runs_of(edge, 0)) == area(runs_of(edge, 0)), "a boundary lies in its mask");
    }
}

// A proper string of a random mask, and then some damage.
std::string damaged(std::int64_t height, std::int64_t width, Random& random) {
    std::string text;
    if (height > 0 && width > 0 && height < 1000 && width < 1000) {
        std::vector<std::uint32_t> counts;
        for (std::int64_t left = height * width; left > 0;) {
            const auto run = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(left + 1));
            counts.push_back(static_cast<std::uint32_t>(run));
            left -= run;
            if (counts.size() > 20) counts.push_back(static_cast<std::uint32_t>(left)), left = 0;
        }
        write_string({counts.data(), counts.data() + counts.size()}, text);
    }
    for (auto n = random() % 4; n--;) {
        const auto at = random() % (text.size() + 1);
        switch (random() % 6) {
            case 0: text.erase(at, random() % 4); break;
            case 1: text.resize(at); break;
            case 2: text.insert(at, random() % 20, static_cast<char>(48 + random() % 64)); break;
            case 3: text.insert(at, random() % 30, 'o'); break;  // a number that never ends
            case 4: text.insert(at, 1, static_cast<char>(random())); break;
            default: if (at < text.size()) text[at] ^= static_cast<char>(1 << random() % 8);
        }
    }
    return text;
}

template <class T>
std::unique_ptr<T[]> exact(const T* from, std::size_t n) {
    std::unique_ptr<T[]> block(new T[n]);
    if (n) std::memcpy(block.get(), from, n * sizeof(T));
    return block;
}

bool try_string(Random& random) {
    const auto height = side(random), width = side(random);
    const auto text = damaged(height, width, random);
    const auto block = exact(text.data(), text.size());
    Masks masks;
    try {
        read(block.get(), text.size(), height, width, masks);
    } catch (const Malformed&) {
        return false;
    }
    use(masks, 0, height, width, random);
    return true;
}

bool try_counts(Random& random) {
    const auto height = side(random), width = side(random);
    static const std::int64_t odd[] = {0, -1, 0xffffffff, 0x100000000, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
    Masks masks;
    try {
        Filler into(0, height, width, masks);
        std::int64_t left = static_cast<std::int64_t>(pixels_of(0, height, width));
        for (int n = 0; n < 40 && left > 0; ++n) {
            const auto run = n == 39 ? left : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(left + 1));
            into.add(random() % 64 ? run : odd[random() % std::size(odd)]);
            left -= run;
        }
        into.close();
    } catch (const Malformed&) {
        return false;
    }
    use(masks, 0, height, width, random);
    return true;
}

double coordinate(Random& random) {
    static const double odd[] = {0.0, -0.0, 1e6, -1e6, 1e9, -1e9, 1e300, 4.3e8, 1e-300, std::numeric_limits<double>::quiet_NaN(),
                                 std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    if (random() % 200 == 0) return odd[random() % std::size(odd)];
    const double x = static_cast<double>(random() % 4000) / 100 - 8;
    return random() % 3 ? x : static_cast<double>(static_cast<int>(x)) / 2;
}

bool try_polygons(Random& random) {
    const auto height = side(random), width = side(random);
    std::vector<double> xy;
    std::vector<std::int64_t> corners{0};
    for (auto n = random() % 4; n--;) {
        for (auto k = random() % 18; k--;) xy.push_back(coordinate(random));
        if (xy.size() % 2 && random() % 8) xy.push_back(coordinate(random));
        corners.push_back(static_cast<std::int64_t>(xy.size()));
    }
    const auto block = exact(xy.data(), xy.size());
    const std::int64_t groups[] = {0, static_cast<std::int64_t>(corners.size()) - 1}, sizes[] = {height, width};
    Masks masks;
    try {
        from_polygons(block.get(), corners.data(), groups, sizes, 1, masks);
    } catch (const Malformed&) {
        return false;
    }
    use(masks, 0, height, width, random);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    const long inputs = argc > 1 ? std::atol(argv[1]) : 1'000'000;
    Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
    long taken[3] = {};
    for (long k = 0; k < inputs; ++k) {
        taken[0] += try_string(random);
        taken[1] += try_counts(random);
        taken[2] += try_polygons(random);
    }
    std::printf("%ld of each; taken: %ld strings, %ld lists of counts, %ld polygons\n", inputs, taken[0], taken[1], taken[2]);
}
