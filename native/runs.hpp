// Runs: where, in a row of labels, the value changes.
//
// Label maps are runs: neighbours are mostly equal (about 120 pixels in street scenes). A kernel that
// works per run rather than per pixel needs one fast thing: the ends of the runs. Here they are found
// in chunks of 2048 pixels, as one bit per pixel: bit k is set when pixel k differs from pixel k + 1.
// Bits of several maps are ORed, so a run is a stretch in which none of the maps changes.
//
// Marking costs two loads and a comparison per vector, whatever the labels are, and takes no branch.
// It is compiled once per instruction set ("path") and width; the path is chosen at run time. All
// paths give the same bits.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#define MASKMETER_X86 1
#include <immintrin.h>
#endif

namespace maskmeter {

constexpr std::size_t chunk = 2048;  // pixels; two chunks of 32-bit labels stay in the first-level cache
constexpr std::size_t block = 64;    // pixels per word of bits

// A view of labels of any integer type. Equality does not depend on the sign, values do.
struct Labels {
    const void* data;
    std::size_t width;  // bytes: 1, 2, 4 or 8
    bool is_signed;

    Labels from(std::size_t pixel) const { return {static_cast<const std::uint8_t*>(data) + pixel * width, width, is_signed}; }

    // Calls f with a pointer of the true type.
    template <class F>
    decltype(auto) visit(F&& f) const {
        switch (width) {
            case 1: return is_signed ? f(static_cast<const std::int8_t*>(data)) : f(static_cast<const std::uint8_t*>(data));
            case 2: return is_signed ? f(static_cast<const std::int16_t*>(data)) : f(static_cast<const std::uint16_t*>(data));
            case 4: return is_signed ? f(static_cast<const std::int32_t*>(data)) : f(static_cast<const std::uint32_t*>(data));
            default: return is_signed ? f(static_cast<const std::int64_t*>(data)) : f(static_cast<const std::uint64_t*>(data));
        }
    }
};

using Bits = std::array<std::uint64_t, chunk / block>;  // one bit per pixel of a chunk

// What each path provides. `mark` reads one label past its last block.
struct Path {
    const char* name;
    void (*mark[4])(const void* labels, std::size_t blocks, std::uint64_t* bits);  // by log2 of the width
    std::size_t (*count)(const Bits& bits);
    std::size_t (*list)(const Bits& bits, std::size_t blocks, std::uint16_t* ends);
};

#if defined(__GNUC__)
#define MASKMETER_INLINE __attribute__((always_inline)) inline  // so that each path compiles it for itself
#define MASKMETER_FETCH(address) __builtin_prefetch(address)
#else
#define MASKMETER_INLINE inline
#define MASKMETER_FETCH(address) static_cast<void>(address)
#endif

// Asks for the labels one page after those of a block. Several maps are read in turn, a chunk of each, and
// the processor's own prefetcher stops at every turn (measured on 32-bit maps: 0.43 ns per pixel against 0.6).
template <class T>
MASKMETER_INLINE void fetch_ahead(const T* labels) {
    for (std::size_t k = 0; k < block; k += 64 / sizeof(T)) MASKMETER_FETCH(reinterpret_cast<const char*>(labels + k) + 4096);
}

// ---- any machine -------------------------------------------------------------------------------

// Eight bytes of 0 or 1 to eight bits, the first byte lowest.
inline std::uint64_t pack_bytes(const std::uint8_t* flags) {
    if constexpr (std::endian::native == std::endian::little) {
        std::uint64_t word;
        std::memcpy(&word, flags, 8);
        return (word * 0x0102040810204080u) >> 56;
    } else {
        std::uint64_t bits = 0;
        for (unsigned k = 0; k < 8; ++k) bits |= static_cast<std::uint64_t>(flags[k]) << k;
        return bits;
    }
}

template <class T>
void mark_portable(const void* labels, std::size_t blocks, std::uint64_t* bits) {
    auto* p = static_cast<const T*>(labels);
    for (std::size_t i = 0; i < blocks; ++i, p += block) {
        fetch_ahead(p);
        std::uint8_t differs[block];  // a loop that compilers turn into vector code by themselves
        for (std::size_t k = 0; k < block; ++k) differs[k] = p[k] != p[k + 1];
        for (std::size_t k = 0; k < block; k += 8) bits[i] |= pack_bytes(differs + k) << k;
    }
}

MASKMETER_INLINE std::size_t count_bits(const Bits& bits) {
    std::size_t n = 0;
    for (const std::uint64_t word : bits) n += static_cast<std::size_t>(std::popcount(word));
    return n;
}

// Most words have few bits, and how many is unpredictable: writing four positions whatever the number
// and then stepping by the number costs less than a mispredicted branch. So `ends` needs room for four more.
MASKMETER_INLINE std::size_t list_bits(const Bits& bits, std::size_t blocks, std::uint16_t* ends) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < blocks; ++i) {
        std::uint64_t word = bits[i];
        const auto count = static_cast<std::size_t>(std::popcount(word));
        const auto first = static_cast<std::uint16_t>(i * block + 1);
        for (std::size_t k = 0; k < 4; ++k, word &= word - 1)
            ends[n + k] = static_cast<std::uint16_t>(first + std::countr_zero(word));
        for (std::size_t k = 4; k < count; ++k, word &= word - 1)
            ends[n + k] = static_cast<std::uint16_t>(first + std::countr_zero(word));
        n += count;
    }
    return n;
}

inline std::size_t count_portable(const Bits& bits) { return count_bits(bits); }
inline std::size_t list_portable(const Bits& bits, std::size_t blocks, std::uint16_t* ends) { return list_bits(bits, blocks, ends); }

// ---- x86-64 ------------------------------------------------------------------------------------

#ifdef MASKMETER_X86
#define MASKMETER_AVX2 __attribute__((target("avx2,bmi,popcnt")))
#define MASKMETER_AVX512 __attribute__((target("avx512f,avx512bw,bmi,popcnt")))

template <class T>
MASKMETER_AVX2 void mark_avx2(const void* labels, std::size_t blocks, std::uint64_t* bits) {
    constexpr std::size_t lanes = 32 / sizeof(T);
    auto* p = static_cast<const T*>(labels);
    for (std::size_t i = 0; i < blocks; ++i, p += block) {
        fetch_ahead(p);
        std::uint64_t same = 0;
        for (std::size_t k = 0; k < block; k += lanes) {
            const auto here = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + k));
            const auto next = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + k + 1));
            if constexpr (sizeof(T) == 1) {
                same |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(here, next)))) << k;
            } else if constexpr (sizeof(T) == 2) {
                const auto halves = _mm256_packs_epi16(_mm256_cmpeq_epi16(here, next), _mm256_setzero_si256());
                const auto bytes = _mm256_permute4x64_epi64(halves, 0xd8);
                same |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes))) << k;
            } else if constexpr (sizeof(T) == 4) {
                same |= static_cast<std::uint64_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(here, next)))) << k;
            } else {
                same |= static_cast<std::uint64_t>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(here, next)))) << k;
            }
        }
        bits[i] |= ~same;
    }
}

template <class T>
MASKMETER_AVX512 void mark_avx512(const void* labels, std::size_t blocks, std::uint64_t* bits) {
    constexpr std::size_t lanes = 64 / sizeof(T);
    auto* p = static_cast<const T*>(labels);
    for (std::size_t i = 0; i < blocks; ++i, p += block) {
        fetch_ahead(p);
        std::uint64_t differs = 0;
        for (std::size_t k = 0; k < block; k += lanes) {
            const auto here = _mm512_loadu_si512(p + k);
            const auto next = _mm512_loadu_si512(p + k + 1);
            if constexpr (sizeof(T) == 1) differs |= _mm512_cmpneq_epi8_mask(here, next);
            else if constexpr (sizeof(T) == 2) differs |= static_cast<std::uint64_t>(_mm512_cmpneq_epi16_mask(here, next)) << k;
            else if constexpr (sizeof(T) == 4) differs |= static_cast<std::uint64_t>(_mm512_cmpneq_epi32_mask(here, next)) << k;
            else differs |= static_cast<std::uint64_t>(_mm512_cmpneq_epi64_mask(here, next)) << k;
        }
        bits[i] |= differs;
    }
}

MASKMETER_AVX2 inline std::size_t count_bmi(const Bits& bits) { return count_bits(bits); }
MASKMETER_AVX2 inline std::size_t list_bmi(const Bits& bits, std::size_t blocks, std::uint16_t* ends) {
    return list_bits(bits, blocks, ends);
}
#endif

// ---- choosing ----------------------------------------------------------------------------------

// The paths this machine can run, the best first; the portable one is always the last.
inline const std::vector<Path>& paths() {
    static const std::vector<Path> all = [] {
        std::vector<Path> found;
#ifdef MASKMETER_X86
        __builtin_cpu_init();
        const bool bmi = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
        if (bmi && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx2"))
            found.push_back({"avx512",
                             {mark_avx512<std::uint8_t>, mark_avx512<std::uint16_t>, mark_avx512<std::uint32_t>, mark_avx512<std::uint64_t>},
                             count_bmi, list_bmi});
        if (bmi && __builtin_cpu_supports("avx2"))
            found.push_back({"avx2",
                             {mark_avx2<std::uint8_t>, mark_avx2<std::uint16_t>, mark_avx2<std::uint32_t>, mark_avx2<std::uint64_t>},
                             count_bmi, list_bmi});
#endif
        found.push_back({"portable",
                         {mark_portable<std::uint8_t>, mark_portable<std::uint16_t>, mark_portable<std::uint32_t>, mark_portable<std::uint64_t>},
                         count_portable, list_portable});
        return found;
    }();
    return all;
}

inline const Path& path_named(std::string_view name) {
    for (const Path& path : paths())
        if (path.name == name) return path;
    throw std::invalid_argument("this machine has no path of that name");
}

// ORs into `bits` the ends of the runs among the first `n` labels of a chunk; the last label is not looked at
// beyond, since what follows it may not exist: whoever lists the runs ends the last one there.
inline void mark_ends(const Path& path, const Labels& labels, std::size_t n, Bits& bits) {
    const std::size_t blocks = (n - 1) / block;  // a block reads one label past its end
    path.mark[std::countr_zero(labels.width)](labels.data, blocks, bits.data());
    labels.visit([&](const auto* p) {
        for (std::size_t k = blocks * block; k + 1 < n; ++k)
            bits[k / block] |= static_cast<std::uint64_t>(p[k] != p[k + 1]) << (k % block);
    });
}

}  // namespace maskmeter
