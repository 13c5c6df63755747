"""What `maskmeter` offers by name beside what reads files; it is imported when the first of it is asked for."""

# ruff: noqa: F401, F403
# pyright: reportUnusedImport=false
from .evaluation import Evaluation
from .far_parts import FarPart, hausdorff_cause
from .labels import Label, LabelSet
from .masks import LabelMap, label_map
from .metrics.every import *
from .rle import Masks
from .rows import Row
from .statistics.class_scores import class_scores
from .statistics.confusion import Confusion, confusion
from .statistics.detections import Detections
from .statistics.encounters import Encounters
from .statistics.instances import overlap
from .statistics.overlap import Overlap
from .statistics.scored_overlaps import detections, encounters
from .statistics.scores import CoarseScores, Scores, scores
from .statistics.surface import Surface, surface
from .statistics.topology import Topology, topology
