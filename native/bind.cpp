// The table of contents of the native side. Only bind*.cpp and python.hpp know Python.
#include "python.hpp"

NB_MODULE(_native, m) {
    m.doc() = "Kernels of maskmeter. They count; they decide nothing.";
    maskmeter::python::bind_counts(m);
    maskmeter::python::bind_detections(m);
    maskmeter::python::bind_png(m);
    maskmeter::python::bind_rle(m);
    maskmeter::python::bind_scores(m);
    maskmeter::python::bind_surface(m);
}
