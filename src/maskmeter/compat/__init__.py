"""Faces of other packages over maskmeter's kernels, for code that is written for them."""
