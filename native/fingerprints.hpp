// Fingerprints of the nodes of a graph: 64 bits that depend on what a node and those around it are, and not on how
// the nodes are numbered. Each round a node hears from its neighbours: its fingerprint is mixed with the sum of
// theirs, each mixed with the fact of the edge between (the colours of Weisfeiler and Leman).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace maskmeter {

// SplitMix64: every bit of the answer depends on every bit of x.
inline std::uint64_t mixed(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// The nodes are 0 .. nodes - 1; edge e joins here[e] and there[e]. `own` holds a fact of each node, then its answer.
inline void fingerprints(std::uint64_t* own, std::size_t nodes, const std::int64_t* here, const std::int64_t* there, const std::int64_t* fact,
                         std::size_t edges, unsigned rounds) {
    for (std::size_t i = 0; i < nodes; ++i) own[i] = mixed(own[i]);
    std::vector<std::uint64_t> link(edges), heard(nodes);
    for (std::size_t e = 0; e < edges; ++e) link[e] = mixed(static_cast<std::uint64_t>(fact[e]));
    for (unsigned round = 0; round < rounds; ++round) {
        std::fill(heard.begin(), heard.end(), 0);
        for (std::size_t e = 0; e < edges; ++e) {
            heard[here[e]] += mixed(own[there[e]] + link[e]);
            heard[there[e]] += mixed(own[here[e]] + link[e]);
        }
        for (std::size_t i = 0; i < nodes; ++i) own[i] = mixed(own[i] + mixed(heard[i]));
    }
}

}  // namespace maskmeter
