// PNG: inflated image data to samples or to runs of ids.
#include "label_runs.hpp"
#include "png.hpp"
#include "python.hpp"

#include <memory>

namespace maskmeter::python {

namespace {

maskmeter::png::Layout png_layout(std::size_t width, std::size_t height, std::size_t bits, std::size_t channels, bool interlaced) {
    constexpr std::size_t most = 0x7fffffff, most_pixels = std::size_t{1} << 40;  // keeps every product below 2^48
    const bool packed = channels == 1 && (bits == 1 || bits == 2 || bits == 4);
    if (width < 1 || height < 1 || width > most || height > most || width > most_pixels / height)
        throw std::invalid_argument("no PNG of this size can be decoded");
    if (channels < 1 || channels > 4 || !(packed || bits == 8 || bits == 16))
        throw std::invalid_argument("no PNG has samples like these");
    return {width, height, bits, channels, interlaced};
}

std::size_t png_inflated_size(std::size_t width, std::size_t height, std::size_t bits, std::size_t channels, bool interlaced) {
    return maskmeter::png::inflated_size(png_layout(width, height, bits, channels, interlaced));
}

nb::ndarray<nb::numpy> png_samples(const Raw& raw, std::size_t width, std::size_t height, std::size_t bits, std::size_t channels, bool interlaced) {
    const auto layout = png_layout(width, height, bits, channels, interlaced);
    if (raw.size() != maskmeter::png::inflated_size(layout))
        throw std::invalid_argument("the data has another size than the header says");
    const std::size_t shape[] = {height, width, channels};
    const auto type = bits == 16 ? nb::dtype<std::uint16_t>() : nb::dtype<std::uint8_t>();
    std::unique_ptr<std::uint8_t[]> out;
    {
        nb::gil_scoped_release free;
        out.reset(new std::uint8_t[height * width * channels * (bits == 16 ? 2 : 1)]);
        maskmeter::png::decode(raw.data(), layout, out.get());
    }
    auto* data = out.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
    return nb::ndarray<nb::numpy>(data, channels == 1 ? 2 : 3, shape, owner, nullptr, type);
}

nb::tuple png_id_runs(const Raw& raw, std::size_t width, std::size_t height) {
    const auto layout = png_layout(width, height, 8, 3, false);
    if (raw.size() != maskmeter::png::inflated_size(layout))
        throw std::invalid_argument("the data has another size than the header says");
    maskmeter::LabelRuns runs;
    {
        nb::gil_scoped_release free;
        runs = maskmeter::png::id_runs(raw.data(), width, height);
    }
    return nb::make_tuple(handed_over(std::move(runs.ends)), handed_over(std::move(runs.labels)));
}

}  // namespace

void bind_png(nb::module_& m) {
    m.def("png_id_runs", &png_id_runs, "raw"_a, "width"_a, "height"_a,
          "The runs (ends, ids) of the ids R + 256 G + 65536 B behind the inflated image data of an 8-bit RGB PNG.");
    m.def("png_inflated_size", &png_inflated_size, "width"_a, "height"_a, "bits"_a, "channels"_a, "interlaced"_a,
          "How many bytes the image data of a PNG inflates to.");
    m.def("png_samples", &png_samples, "raw"_a, "width"_a, "height"_a, "bits"_a, "channels"_a, "interlaced"_a,
          "The samples behind the inflated image data of a PNG.");
}

}  // namespace maskmeter::python
