// Mutated COCO files through the scan of coco_records.hpp, for the address and undefined behaviour sanitizers.
//
//     fuzz_coco_records [mutations] [seed]
//
// Every text lies in a block of exactly its size, so that one byte read or written beyond it is found. Where the scan
// takes a text, its columns must fit together; a text that it does not take must be unchanged. A list that is taken in
// two blocks, cut anywhere, must be one that is taken whole.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../../native/coco_records.hpp"

namespace {

using maskmeter::coco::Document;
using maskmeter::coco::Part;
using maskmeter::coco::Scanner;

const std::vector<std::string> seeds = {
    R"([{"image_id":1},{"image_id":2,"score":0.5,"segmentation":[[1,2,3,4,5,6]]}, {"image_id":3,"x":"a}, {"}])",
    R"([{"image_id":42,"category_id":18,"bbox":[258.15,41.29,348.26,243.78],"score":0.236,"id":7}])",
    R"([{"image_id":1,"category_id":2,"segmentation":{"size":[478,640],"counts":"VQi31m>0O2N100O\\O100N\\\\10001N"},"score":9e-1}])",
    R"({"info":{"year":"2023","x":[null,true,false,{}]},"images":[{"id":0,"height":6,"width":640,"file_name":"\u00e9\ud83d\ude00é"}],
      "annotations":[{"id":0,"image_id":0,"category_id":1,"iscrowd":1,"ignore":false,"area":12.5e2,
      "segmentation":[[1,2,3.5,4,5,-6],[]]},{"segmentation":{"counts":[0,1,9007199254740993],"size":[3,4]}}],"categories":[{"id":1}]})",
};
const std::vector<std::string> pieces = {
    "\"", "\\", "\\\\", ",", ":", "[", "]", "{", "}", "-", ".", "e", "E+", "0", "9", "1e308", "1e400", "true", "null", " ",
    "\n", "\\u12", "\xc3", "\xa9", "\xf0\x9f\x98\x80", "\"counts\":", "\"size\":[1,2]", "\"bbox\":[1,2,3,4]", "\"annotations\":",
    "18446744073709551616", "0.1234567890123456789", std::string(1, '\0'), std::string(70, '['), std::string(40, '7'),
};

void fail(const std::string& text, const char* why) {
    std::fprintf(stderr, "%s\n", why);
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::abort();
}

std::string mutated(std::mt19937_64& random) {
    std::string text = seeds[random() % seeds.size()];
    for (auto n = 1 + random() % 6; n--;) {
        const auto at = random() % (text.size() + 1);
        switch (random() % 6) {
            case 0: text.erase(at, random() % 8); break;
            case 1: text.resize(at); break;
            case 2: text.insert(at, pieces[random() % pieces.size()]); break;
            case 3: text.insert(at, text.substr(random() % (text.size() + 1), random() % 40)); break;
            case 4: if (at < text.size()) text[at] = static_cast<char>(random()); break;
            default: if (at < text.size()) text[at] ^= static_cast<char>(1 << random() % 8);
        }
    }
    return text;
}

void check(const std::string& text, const maskmeter::coco::Records& r) {
    const auto n = r.has.size();
    bool fits = r.id.size() == n && r.kind.size() == n && r.box.size() == 4 * n && r.span.size() == 2 * n && r.size.size() == 2 * n;
    fits = fits && r.mask_offsets.size() == n + 1 && r.count_offsets.size() == n + 1;
    fits = fits && r.mask_offsets.back() == static_cast<std::int64_t>(r.polygon_offsets.size()) - 1;
    fits = fits && r.polygon_offsets.back() == static_cast<std::int64_t>(r.xy.size());
    fits = fits && r.count_offsets.back() == static_cast<std::int64_t>(r.counts.size());
    for (std::size_t i = 0; fits && i < n; ++i)
        fits = 0 <= r.span[2 * i] && r.span[2 * i] <= r.span[2 * i + 1] && r.span[2 * i + 1] <= static_cast<std::int64_t>(text.size());
    if (!fits) fail(text, "the columns do not fit together");
}

}  // namespace

int main(int argc, char** argv) {
    const long mutations = argc > 1 ? std::atol(argv[1]) : 1'000'000;
    std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
    long taken = 0, listed = 0;
    for (long k = 0; k < mutations; ++k) {
        const auto text = mutated(random);
        const std::unique_ptr<char[]> block(new char[text.size()]);
        std::memcpy(block.get(), text.data(), text.size());
        Document document;
        if (Scanner(block.get(), text.size()).scan(document)) {
            ++taken;
            check(text, document.records);
        } else if (std::memcmp(block.get(), text.data(), text.size()) != 0) {
            fail(text, "a text that was not taken has changed");
        }
        const auto guess = maskmeter::coco::last_record(text.data(), text.size());
        const std::size_t cut = guess && random() % 4 ? guess : random() % (text.size() + 1);
        const std::unique_ptr<char[]> one(new char[cut]), two(new char[text.size() - cut]);
        std::memcpy(one.get(), text.data(), cut);
        std::memcpy(two.get(), text.data() + cut, text.size() - cut);
        // One after the other, or each for itself and then joined.
        const std::unique_ptr<char[]> counts(new char[text.size()]);
        const bool apart = random() % 2;
        Part list(counts.get(), 0, apart ? cut : text.size(), true), second(counts.get(), cut, text.size(), false);
        bool fits = list.add(one.get(), cut);
        if (fits && !list.ended()) fits = apart ? second.add(two.get(), text.size() - cut) : list.add(two.get(), text.size() - cut);
        else fits = fits && cut == text.size();
        if (fits && apart && !list.ended()) list.append(second);
        if (fits && list.ended()) {
            ++listed;
            check(text, list.records);
            const std::unique_ptr<char[]> again(new char[text.size()]);
            std::memcpy(again.get(), text.data(), text.size());
            Document whole;
            if (!Scanner(again.get(), text.size()).scan(whole) || whole.records.has != list.records.has || whole.records.xy.size() != list.records.xy.size())
                fail(text, "the list in blocks is another than the whole");
        }
    }
    std::printf("%ld mutated files, %ld of them taken, %ld in blocks\n", mutations, taken, listed);
}
