"""An installed wheel works: import it and evaluate a pair that can be counted by hand."""

import numpy as np

import maskmeter as mm

gt = np.array([[True, True], [False, False]])
pred = np.array([[True, False], [False, False]])
assert mm.iou(gt, pred) == 0.5
print(f"maskmeter {mm.__version__}: good")
