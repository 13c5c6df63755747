"""What is counted. A statistic is measured on one pair of masks, pixels are dropped, and statistics add up.

confusion   pixels of every pair (ground-truth class, predicted class)
scores      positive and negative pixels with each score; for several classes `class_scores`
overlap     objects of both sides, and the pixels each two share

How each merges is written beside it: counts are added, rows concatenated, conventions must be equal (else
MergeError), and a ratio is never stored.
"""

from .class_scores import class_scores
from .confusion import Confusion, confusion
from .overlap import Overlap, overlap
from .scores import CoarseScores, Scores, scores

__all__ = ["CoarseScores", "Confusion", "Overlap", "Scores", "class_scores", "confusion", "overlap", "scores"]
