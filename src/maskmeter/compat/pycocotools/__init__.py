"""What code written for pycocotools imports: `COCO`, `COCOeval` and `mask`, over maskmeter's kernels.

    from maskmeter.compat.pycocotools import COCO, COCOeval, mask

The same calls, attributes and numbers, to the last bit, for boxes and masks. Keypoints are not here. Drawing and
downloading (`showAnns`, `download`) are not either.
"""

from . import mask
from .coco import COCO
from .cocoeval import COCOeval, Params

__all__ = ["COCO", "COCOeval", "Params", "mask"]
