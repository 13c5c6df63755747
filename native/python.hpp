// What the doors to Python share: the arrays that come in and go out. Only bind*.cpp include it.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <utility>
#include <vector>

#include "joint_counts.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace maskmeter::python {

using In = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<2>>;
using Longs = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using LongsOut = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>;
using Raw = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using Rows3 = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

inline maskmeter::Labels labels(const In& x) {
    const auto type = x.dtype();
    const bool is_signed = type.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Int);
    const bool is_unsigned = type.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::UInt);
    if ((!is_signed && !is_unsigned) || type.lanes != 1 || type.bits < 8 || type.bits > 64)
        throw nb::type_error("labels must be integers of 8, 16, 32 or 64 bits");
    return {x.data(), type.bits / 8u, is_signed};
}

inline LongsOut handed_over(std::vector<std::int64_t>&& values) {
    auto* kept = new std::vector<std::int64_t>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<std::int64_t>*>(p); });
    return LongsOut(kept->data(), {kept->size()}, owner);
}

template <class T>
nb::object kept(std::vector<T>&& values, std::size_t columns = 0) {  // no columns: one axis
    auto* held = new std::vector<T>(std::move(values));
    nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    const std::size_t shape[] = {columns ? held->size() / columns : held->size(), columns};
    return nb::cast(nb::ndarray<nb::numpy, T>(held->data(), columns ? 2 : 1, shape, owner));
}

// Rows of three numbers.
inline nb::object kept(std::vector<std::array<double, 3>>&& rows) {
    auto* held = new std::vector<std::array<double, 3>>(std::move(rows));
    nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<std::array<double, 3>>*>(p); });
    const std::size_t shape[] = {held->size(), 3};
    return nb::cast(nb::ndarray<nb::numpy, double>(held->data()->data(), 2, shape, owner));
}

// A row for each struct of 64-bit integers.
template <class T>
Table rows_of(std::vector<T>&& found) {
    auto* kept = new std::vector<T>(std::move(found));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return Table(reinterpret_cast<std::int64_t*>(kept->data()), {kept->size(), sizeof(T) / sizeof(std::int64_t)}, owner);
}

template <class T>
nb::object shaped(T* data, std::initializer_list<std::size_t> shape) {
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(data, shape, owner));
}

// A chapter of the module each.
void bind_counts(nb::module_& m);
void bind_detections(nb::module_& m);
void bind_png(nb::module_& m);
void bind_rle(nb::module_& m);
void bind_scores(nb::module_& m);
void bind_surface(nb::module_& m);

}  // namespace maskmeter::python
