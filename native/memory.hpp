// How the C library deals with memory that is freed.
#pragma once

#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace maskmeter {

// By default glibc maps large blocks one by one and gives them back at once, so that an evaluation touches fresh
// pages for every image: about 250 page faults a megabyte. With these limits freed blocks are used again.
inline void keep_freed_memory() {
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, 1 << 25);  // the most that it takes; larger blocks are mapped as before
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
#endif
}

}  // namespace maskmeter
