// Work in several threads. What they do must not depend on how many there are.
#pragma once

#include <cstddef>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace maskmeter {

// Calls f(0) to f(n - 1), each in a thread of its own where there can be one; throws what the first of them threw.
template <class F>
void in_threads(std::size_t n, F&& f) {
    std::vector<std::exception_ptr> thrown(n);
    const auto one = [&](std::size_t k) {
        try {
            f(k);
        } catch (...) {
            thrown[k] = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    others.reserve(n);
    for (std::size_t k = 1; k < n; ++k) {
        try {
            others.emplace_back(one, k);
        } catch (const std::system_error&) {
            one(k);
        }
    }
    if (n) one(0);
    for (auto& thread : others) thread.join();
    for (const auto& error : thrown)
        if (error) std::rethrow_exception(error);
}

}  // namespace maskmeter
