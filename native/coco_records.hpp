// The records of a COCO file as columns, by one strict pass over its JSON.
//
// The whole grammar is checked, UTF-8 and escapes included. Whatever is unusual - no JSON, a value of another type,
// a key that comes twice, a number that overflows, deep nesting - is answered with false: the exact reader in Python
// says what is wrong or repairs it. Compressed counts are left in the text; their escapes are undone in place.
//
// A long list need not be held whole: `Part` takes a stretch of it block by block and keeps the columns and the
// compressed counts. Stretches and blocks are cut where a record seems to begin. Each must be used up exactly at a
// record's end, so if the first began with the list, each began with a record; a cut in the middle of a string only
// makes the text unusual.
#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace maskmeter::coco {

enum Has : std::uint16_t { Id = 1, Image = 2, Category = 4, Score = 8, Area = 16, Crowd = 32, Ignore = 64, Box = 128 };
enum Kind : std::uint8_t { None, Polygons, String, Counts };

struct Records {
    std::vector<std::uint16_t> has;
    std::vector<std::int64_t> id, image, category;
    std::vector<double> score, area;
    std::vector<std::uint8_t> crowd, ignore;
    std::vector<double> box;  // four for each
    std::vector<std::uint8_t> kind;
    std::vector<std::int64_t> span, size;  // two for each
    std::vector<double> xy;
    std::vector<std::int64_t> polygon_offsets{0}, mask_offsets{0};
    std::vector<std::int64_t> counts;
    std::vector<std::int64_t> count_offsets{0};

    // Room for more rows than there may be costs nothing until it is used, while growing copies.
    void reserve(std::size_t rows) {
        has.reserve(rows), crowd.reserve(rows), ignore.reserve(rows), kind.reserve(rows);
        for (auto* column : {&id, &image, &category, &mask_offsets, &count_offsets}) column->reserve(rows);
        score.reserve(rows), area.reserve(rows), box.reserve(4 * rows), span.reserve(2 * rows), size.reserve(2 * rows);
    }

    // Takes the rows of another part behind its own.
    void append(const Records& more) {
        const auto join = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
        const auto shift = [](auto& to, const auto& from, std::int64_t by, std::size_t first) {
            for (std::size_t i = first; i < from.size(); ++i) to.push_back(from[i] + by);
        };
        shift(mask_offsets, more.mask_offsets, static_cast<std::int64_t>(polygon_offsets.size()) - 1, 1);
        shift(polygon_offsets, more.polygon_offsets, polygon_offsets.back(), 1);
        shift(count_offsets, more.count_offsets, count_offsets.back(), 1);
        join(has, more.has), join(id, more.id), join(image, more.image), join(category, more.category);
        join(score, more.score), join(area, more.area), join(crowd, more.crowd), join(ignore, more.ignore);
        join(box, more.box), join(kind, more.kind), join(span, more.span), join(size, more.size), join(xy, more.xy), join(counts, more.counts);
    }
};

struct Span {
    std::int64_t begin = -1, end = -1;
};

// The images where all have a whole id, height and width and a plain name; else `whole` is false.
struct Images {
    bool whole = false;
    std::vector<std::int64_t> id, height, width, name;  // two of the name for each: where it begins and ends
};

// Where compressed counts go that are not left in the text.
struct Room {
    char* text;
    std::size_t at, end;
};

struct Document {
    bool is_list = false;
    Span images, categories;  // where these values lie in the text, -1 where they are missing
    Images image;
    Records records;
};

class Scanner {
public:
    Scanner(char* text, std::size_t size) : text_(text), p_(text), end_(text + size) {}

    // Whether the text is an ordinary COCO file; only then it may have been changed.
    bool scan(Document& out) {
        records_ = &out.records;
        out.records.reserve(static_cast<std::size_t>(end_ - p_) / 64);
        space();
        if (p_ == end_) return false;
        out.is_list = is_list_ = *p_ == '[';
        if (!(is_list_ ? array([&] { return record(); }) : top(out))) return false;
        space();
        if (p_ != end_) return false;
        for (const auto row : escaped_) unescape(row);
        return true;
    }

    enum class Part { Unusual, Goes_on, Ends };

    // A part of a list: records up to the end of the text, or the end of the list and of the text. Compressed counts
    // go to `kept`, which spans point into; the text stays as it is.
    Part scan_part(Records& out, Room& kept, bool begins) {
        records_ = &out, kept_ = &kept, is_list_ = true;
        space();
        if (begins) {
            if (!at('[')) return Part::Unusual;
            ++p_, space();
            if (at(']')) return ++p_, space(), p_ == end_ ? Part::Ends : Part::Unusual;
        }
        while (record()) {
            space();
            if (at(']')) return ++p_, space(), p_ == end_ ? Part::Ends : Part::Unusual;
            if (!at(',')) return Part::Unusual;
            ++p_, space();
            if (p_ == end_) return Part::Goes_on;
        }
        return Part::Unusual;
    }

private:
    struct Text {
        const char *begin, *end;
        bool escaped;
        std::string_view view() const { return {begin, static_cast<std::size_t>(end - begin)}; }
    };
    static constexpr int deepest = 64;
    static constexpr std::ptrdiff_t longest_number = 4000;  // Python reads integers of up to 4300 digits

    char* text_;
    const char* p_;
    const char* end_;
    bool is_list_ = false;
    Records* records_ = nullptr;
    Room* kept_ = nullptr;
    std::vector<std::size_t> escaped_;  // rows whose counts have escapes

    void space() {
        while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
    }
    bool at(char c) const { return p_ != end_ && *p_ == c; }
    bool digit() const { return p_ != end_ && *p_ >= '0' && *p_ <= '9'; }
    bool word(std::string_view w) {
        if (static_cast<std::size_t>(end_ - p_) < w.size() || std::memcmp(p_, w.data(), w.size()) != 0) return false;
        p_ += w.size();
        return true;
    }

    // Calls `value()` at each value of the array that begins here.
    template <class F>
    bool array(F&& value) {
        if (!at('[')) return false;
        ++p_, space();
        if (at(']')) return ++p_, true;
        for (;;) {
            if (!value()) return false;
            space();
            if (at(']')) return ++p_, true;
            if (!at(',')) return false;
            ++p_, space();
        }
    }

    // Calls `value(key)` at the value of each member of the object that begins here.
    template <class F>
    bool object(F&& value) {
        if (!at('{')) return false;
        ++p_, space();
        if (at('}')) return ++p_, true;
        for (;;) {
            Text key;
            if (!string(key)) return false;
            space();
            if (!at(':')) return false;
            ++p_, space();
            if (!value(key)) return false;
            space();
            if (at('}')) return ++p_, true;
            if (!at(',')) return false;
            ++p_, space();
        }
    }

    // Moves past bytes that need no look: neither quote, backslash, control character nor beyond ASCII.
    void plain() {
#if defined(__SSE2__)
        const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
        for (; end_ - p_ >= 16; p_ += 16) {
            const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p_));
            // Beyond ASCII is below zero, and so below the space.
            const __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(w, quote), _mm_cmpeq_epi8(w, slash)), _mm_cmplt_epi8(w, space));
            if (const int bits = _mm_movemask_epi8(odd)) {
                p_ += std::countr_zero(static_cast<unsigned>(bits));
                return;
            }
        }
#endif
        constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
        for (; end_ - p_ >= 8; p_ += 8) {
            std::uint64_t w;
            std::memcpy(&w, p_, 8);
            const std::uint64_t quoted = w ^ (ones * '"'), slashed = w ^ (ones * '\\');
            if ((((quoted - ones) & ~quoted) | ((slashed - ones) & ~slashed) | ((w - ones * 0x20) & ~w) | w) & high) break;
        }
        while (p_ != end_ && *p_ >= 0x20 && *p_ < 0x7f && *p_ != '"' && *p_ != '\\') ++p_;
    }

    bool string(Text& s) {
        if (!at('"')) return false;
        s = {++p_, nullptr, false};
        for (;;) {
            plain();
            if (p_ == end_) return false;
            const auto c = static_cast<unsigned char>(*p_);
            if (c == '"') {
                s.end = p_++;
                return true;
            }
            if (c == '\\') {
                s.escaped = true;
                if (!escape()) return false;
            } else if (c >= 0x80) {
                if (!utf8(c)) return false;
            } else if (c < 0x20) {
                return false;
            } else {
                ++p_;
            }
        }
    }

    bool escape() {
        if (++p_ == end_) return false;
        const char c = *p_++;
        if (c != 'u') return c != '\0' && std::strchr("\"\\/bfnrt", c) != nullptr;
        if (end_ - p_ < 4) return false;
        for (int k = 0; k < 4; ++k, ++p_)
            if (!((*p_ >= '0' && *p_ <= '9') || (*p_ >= 'a' && *p_ <= 'f') || (*p_ >= 'A' && *p_ <= 'F'))) return false;
        return true;
    }

    bool utf8(unsigned char c) {
        const int more = c < 0xC2 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF5 ? 3 : 0;
        if (more == 0 || end_ - p_ <= more) return false;
        const auto second = static_cast<unsigned char>(p_[1]);
        const unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, top = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (second < low || second > top) return false;
        for (int k = 2; k <= more; ++k)
            if ((static_cast<unsigned char>(p_[k]) & 0xC0) != 0x80) return false;
        p_ += more + 1;
        return true;
    }

    // Passes over a number. `mantissa` holds its digits where there are at most 18 and no exponent; else `digits` is 0.
    struct Number {
        const char *begin, *end;
        std::uint64_t mantissa;
        int digits, decimals;
        bool negative, integral;
    };
    bool number(Number& n) {
        n = {p_, nullptr, 0, 0, 0, at('-'), true};
        if (n.negative) ++p_;
        if (!digit()) return false;
        const char* first = p_;
        if (*p_ == '0') ++p_;
        else
            while (digit()) n.mantissa = 10 * n.mantissa + static_cast<unsigned>(*p_++ - '0');
        n.digits = static_cast<int>(p_ - first < 20 ? p_ - first : 20);
        if (at('.')) {
            n.integral = false;
            const char* point = ++p_;
            while (digit()) n.mantissa = 10 * n.mantissa + static_cast<unsigned>(*p_++ - '0');
            if (p_ == point) return false;
            n.decimals = static_cast<int>(p_ - point < 20 ? p_ - point : 20);
            n.digits += n.decimals;
        }
        if (n.digits > 18) n.digits = 0;
        if (at('e') || at('E')) {
            n.integral = false, n.digits = 0;
            ++p_;
            if (at('+') || at('-')) ++p_;
            if (!digit()) return false;
            while (digit()) ++p_;
        }
        n.end = p_;
        return p_ - n.begin <= longest_number;
    }

    // The double nearest to the number, as Python reads it; false where it overflows or underflows.
    bool real(double& x) {
        static constexpr double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
        Number n;
        if (!number(n)) return false;
        if (n.digits && n.mantissa <= std::uint64_t{1} << 53) {  // both exact, so that the quotient is rounded once
            x = static_cast<double>(n.mantissa) / power[n.decimals];
            if (n.negative && !(n.integral && n.mantissa == 0)) x = -x;  // the integer -0 is 0
            return true;
        }
#if defined(__cpp_lib_to_chars)
        return std::from_chars(n.begin, n.end, x).ec == std::errc{};
#else
        x = std::strtod(std::string(n.begin, n.end).c_str(), nullptr);
        return x - x == 0 && x != 0;
#endif
    }

    bool integer(std::int64_t& x) {
        Number n;
        if (!number(n) || !n.integral) return false;
        if (!n.digits) return std::from_chars(n.begin, n.end, x).ec == std::errc{};
        x = static_cast<std::int64_t>(n.mantissa);
        if (n.negative) x = -x;
        return true;
    }

    bool flag(std::uint8_t& x) {
        x = at('1') || at('t');
        if (at('t')) return word("true");
        if (at('f')) return word("false");
        Number n;
        return number(n) && n.integral && n.end - n.begin == 1 && n.mantissa <= 1;
    }

    bool skip(int depth = 0) {
        if (p_ == end_ || depth > deepest) return false;
        Text s;
        Number n;
        switch (*p_) {
            case '{': return object([&](const Text&) { return skip(depth + 1); });
            case '[': return array([&] { return skip(depth + 1); });
            case '"': return string(s);
            case 't': return word("true");
            case 'f': return word("false");
            case 'n': return word("null");
            default: return number(n);
        }
    }

    bool top(Document& out) {
        unsigned seen = 0;
        const auto once = [&](unsigned bit) {
            const bool first = !(seen & bit);
            seen |= bit;
            return first;
        };
        const auto span = [&](Span& s) {
            s.begin = p_ - text_;
            if (!skip()) return false;
            s.end = p_ - text_;
            return true;
        };
        const bool whole = object([&](const Text& key) {
            if (key.escaped) return false;
            const auto name = key.view();
            if (name == "images") {
                if (!once(1)) return false;
                const char* from = p_;
                out.images.begin = p_ - text_;
                out.image.whole = image_list(out.image);
                if (!out.image.whole) {  // the exact reader looks at it
                    p_ = from;
                    return span(out.images);
                }
                out.images.end = p_ - text_;
                return true;
            }
            if (name == "categories") return once(2) && span(out.categories);
            if (name == "annotations") return once(4) && array([&] { return record(); });
            return skip();
        });
        return whole && (seen & 4);
    }

    bool image_list(Images& out) {
        return array([&] {
            enum { Own = 1, High = 2, Wide = 4, Name = 8, All = 15 };
            unsigned seen = 0;
            std::int64_t id = 0, height = 0, width = 0;
            Text file{};
            const auto once = [&](unsigned bit) {
                const bool first = !(seen & bit);
                seen |= bit;
                return first;
            };
            const auto extent = [&](std::int64_t& x) { return integer(x) && x >= 0 && x < std::int64_t{1} << 31; };
            const bool whole = object([&](const Text& key) {
                if (key.escaped) return false;
                const auto name = key.view();
                if (name == "id") return once(Own) && integer(id);
                if (name == "height") return once(High) && extent(height);
                if (name == "width") return once(Wide) && extent(width);
                if (name == "file_name") return once(Name) && string(file) && !file.escaped && file.begin != file.end;
                // `name` may come in place of file_name, and LVIS has lists of categories.
                return name != "name" && name != "neg_category_ids" && name != "not_exhaustive_category_ids" && skip(2);
            });
            if (!whole || seen != All) return false;
            out.id.push_back(id), out.height.push_back(height), out.width.push_back(width);
            out.name.insert(out.name.end(), {file.begin - text_, file.end - text_});
            return true;
        });
    }

    bool record() {
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        constexpr unsigned segmentation = 256, own_id = 512;
        auto& r = *records_;
        unsigned seen = 0;
        std::int64_t id = 0, image = 0, category = 0;
        double score = nan, area = nan, box[4] = {nan, nan, nan, nan};
        std::uint8_t crowd = 0, ignore = 0;
        r.kind.push_back(None);
        r.span.insert(r.span.end(), {0, 0});
        r.size.insert(r.size.end(), {0, 0});
        const auto once = [&](unsigned bit) {
            const bool first = !(seen & bit);
            seen |= bit;
            return first;
        };
        const bool whole = object([&](const Text& key) {
            if (key.escaped) return false;
            const auto name = key.view();
            if (name == "image_id") return once(Image) && integer(image);
            if (name == "category_id") return once(Category) && integer(category);
            if (name == "segmentation") return once(segmentation) && mask();
            if (name == "score") return once(Score) && real(score);
            if (name == "bbox") {
                int k = 0;
                return once(Box) && array([&] { return k < 4 && real(box[k++]); }) && k == 4;
            }
            if (name == "id") return is_list_ ? once(own_id) && skip() : once(Id) && integer(id);
            if (name == "area") return once(Area) && real(area);
            if (name == "iscrowd") return once(Crowd) && flag(crowd);
            if (name == "ignore") return once(Ignore) && flag(ignore);
            return name != "segments_info" && skip(1);
        });
        if (!whole) return false;
        r.has.push_back(static_cast<std::uint16_t>(seen & 255));
        r.id.push_back(id), r.image.push_back(image), r.category.push_back(category);
        r.score.push_back(score), r.area.push_back(area);
        r.crowd.push_back(crowd), r.ignore.push_back(ignore);
        r.box.insert(r.box.end(), box, box + 4);
        r.mask_offsets.push_back(static_cast<std::int64_t>(r.polygon_offsets.size()) - 1);
        r.count_offsets.push_back(static_cast<std::int64_t>(r.counts.size()));
        return true;
    }

    bool mask() {
        auto& r = *records_;
        if (at('[')) {
            return array([&] {
                const bool whole = array([&] {
                    double x;
                    if (!real(x)) return false;
                    r.xy.push_back(x);
                    return true;
                });
                r.kind.back() = Polygons;
                r.polygon_offsets.push_back(static_cast<std::int64_t>(r.xy.size()));
                return whole;
            });
        }
        bool size = false, counts = false;
        const bool whole = object([&](const Text& key) {
            if (key.escaped) return false;
            if (key.view() == "size") return !std::exchange(size, true) && extents();
            if (key.view() == "counts") return !std::exchange(counts, true) && runs();
            return skip(2);
        });
        return whole && size && counts;
    }

    bool extents() {
        auto* out = &records_->size[records_->size.size() - 2];
        int k = 0;
        return array([&] { return k < 2 && integer(out[k]) && out[k] >= 0 && out[k++] < std::int64_t{1} << 31; }) && k == 2;
    }

    bool runs() {
        auto& r = *records_;
        if (at('[')) {
            r.kind.back() = Counts;
            return array([&] {
                std::int64_t x;
                if (!integer(x)) return false;
                r.counts.push_back(x);
                return true;
            });
        }
        Text s;
        if (!string(s)) return false;
        if (s.escaped) {
            for (auto q = s.begin; (q = find(q, s.end, '\\')) != s.end; q += 2)
                if (q[1] != '\\') return false;
            if (!kept_) escaped_.push_back(r.kind.size() - 1);
        }
        r.kind.back() = String;
        auto *begin = &r.span[r.span.size() - 2], *end = &r.span.back();
        if (kept_) {
            if (kept_->end - kept_->at < static_cast<std::size_t>(s.end - s.begin)) return false;
            *begin = static_cast<std::int64_t>(kept_->at);
            keep(s);
            *end = static_cast<std::int64_t>(kept_->at);
        } else {
            *begin = s.begin - text_;
            *end = s.end - text_;
        }
        return true;
    }

    // Of two backslashes one.
    void keep(const Text& s) {
        for (const char* from = s.begin;;) {
            const char* stop = s.escaped ? find(from, s.end, '\\') : s.end;
            const auto n = static_cast<std::size_t>(stop - from) + (stop != s.end);
            std::memcpy(kept_->text + kept_->at, from, n);
            kept_->at += n;
            if (stop == s.end) return;
            from = stop + 2;
        }
    }

    static const char* find(const char* p, const char* end, char c) {
        const void* found = std::memchr(p, c, static_cast<std::size_t>(end - p));
        return found ? static_cast<const char*>(found) : end;
    }

    void unescape(std::size_t row) {
        auto& end = records_->span[2 * row + 1];
        char* to = text_ + records_->span[2 * row];
        const char *from = to, *last = text_ + end;
        for (;;) {  // a run up to and with its backslash, then past the second one
            const char* stop = find(from, last, '\\');
            const std::ptrdiff_t n = stop - from + (stop != last);
            std::memmove(to, from, static_cast<std::size_t>(n));
            to += n;
            if (stop == last) break;
            from = stop + 2;
        }
        end = to - text_;
    }
};

// Where the last record of a list seems to begin: a brace behind a brace and a comma. 0 where there is none.
inline std::size_t last_record(const char* text, std::size_t size) {
    const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    for (std::size_t i = size; i-- > 2;) {
        if (text[i] != '{') continue;
        std::size_t j = i;
        while (j > 0 && blank(text[j - 1])) --j;
        if (j < 2 || text[j - 1] != ',') continue;
        for (--j; j > 0 && blank(text[j - 1]);) --j;
        if (j > 0 && text[j - 1] == '}') return i;
    }
    return 0;
}

// A stretch of a list of records, block by block. Its counts go to its own place in a text that all parts share.
class Part {
public:
    Part(char* text, std::size_t begin, std::size_t end, bool begins) : kept_{text, begin, end}, begins_(begins) {
        records.reserve((end - begin) / 64);
    }

    // The next block; false where anything is unusual.
    bool add(char* text, std::size_t size) {
        if (ended_) return false;
        const auto found = Scanner(text, size).scan_part(records, kept_, std::exchange(begins_, false));
        ended_ = found == Scanner::Part::Ends;
        return found != Scanner::Part::Unusual;
    }

    // Takes the part that follows, which is left with nothing.
    void append(Part& next) {
        records.append(next.records);
        next.records = Records{};
        ended_ = next.ended_;
    }

    bool ended() const { return ended_; }

    Records records;

private:
    Room kept_;
    bool begins_, ended_ = false;
};

}  // namespace maskmeter::coco
