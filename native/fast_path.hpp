// Runs a piece of code compiled for the processor at hand: with AVX2 and the counting of bits where there are such
// instructions. No fused multiply-add among them: the numbers are the same on every path.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define MASKMETER_FAST __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"), flatten))
#endif

namespace maskmeter {

#ifdef MASKMETER_FAST
template <class F>
MASKMETER_FAST void compiled_fast(F&& f) {
    f();
}

template <class F>
void on_fast_path(F&& f) {
    static const bool able = [] {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
               __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("popcnt");
    }();
    able ? compiled_fast(f) : f();
}
#else
template <class F>
void on_fast_path(F&& f) {
    f();
}
#endif

}  // namespace maskmeter
