"""Label sets that everybody uses, by name.

* `cityscapes`: the 19 evaluated classes, in files that hold *label ids* (`*_gtFine_labelIds.png`). A
  class has its train id as id and its label id as source; all other label ids are void, together
  with -1 (the license plate) and 255, as which 8 bits store it.
* `cityscapes-trainids`: the same classes in files that hold train ids; 255 is void.
* `voc`: the 21 classes of PASCAL VOC and its void border, 255. The colours follow VOC's formula, which
  spreads the bits of the id over the three channels.

The void of Cityscapes has the colour black. Its files in colour use others for some void labels and
repeat the colours of pole and car for two of them, so they cannot be read back in full: evaluate the
files of label ids.
"""

from __future__ import annotations

from ..labels import Color, Label, LabelSet

NAMES = ("cityscapes", "cityscapes-trainids", "voc")

# By train id: label id, category, whether its objects are counted, colour, name.
_CITYSCAPES = """
 7 flat         stuff 804080 road
 8 flat         stuff f423e8 sidewalk
11 construction stuff 464646 building
12 construction stuff 66669c wall
13 construction stuff be9999 fence
17 object       stuff 999999 pole
19 object       stuff faaa1e traffic light
20 object       stuff dcdc00 traffic sign
21 nature       stuff 6b8e23 vegetation
22 nature       stuff 98fb98 terrain
23 sky          stuff 4682b4 sky
24 human        thing dc143c person
25 human        thing ff0000 rider
26 vehicle      thing 00008e car
27 vehicle      thing 000046 truck
28 vehicle      thing 003c64 bus
31 vehicle      thing 005064 train
32 vehicle      thing 0000e6 motorcycle
33 vehicle      thing 770b20 bicycle
"""

_VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable "
    "dog horse motorbike person pottedplant sheep sofa train tvmonitor"
)


def built_in(name: str) -> LabelSet:
    """The label set of that name, one of `NAMES`."""
    return _voc() if name == "voc" else _cityscapes(train_ids=name == "cityscapes-trainids")


def _cityscapes(train_ids: bool) -> LabelSet:
    labels: list[Label] = []
    for id, line in enumerate(_CITYSCAPES.strip().splitlines()):
        label_id, category, kind, color, name = line.split(maxsplit=4)
        r, g, b = bytes.fromhex(color)
        source = () if train_ids else (int(label_id),)
        labels.append(Label(id, name, (r, g, b), source, category, thing=kind == "thing"))
    evaluated = {s for label in labels for s in label.sources}
    void = (-1, 255) if train_ids else (-1, *(i for i in range(34) if i not in evaluated), 255)
    return LabelSet((*labels, Label(255, "void", (0, 0, 0), void, "void", ignore=True)))


def _voc() -> LabelSet:
    labels = [Label(id, name, voc_color(id), thing=id > 0) for id, name in enumerate(_VOC.split())]
    return LabelSet((*labels, Label(255, "void", voc_color(255), ignore=True)))


def voc_color(id: int) -> Color:
    """The colour of an id from 0 to 255: its bits, lowest first, become in turn the highest of red, green, blue."""
    r, g, b = (sum((id >> (3 * k + channel) & 1) << (7 - k) for k in range(3)) for channel in range(3))
    return r, g, b
