"""The texts that come with the sample: its README and the label files."""

from __future__ import annotations

TITLE = "# A maskmeter sample"

README = (
    TITLE
    + """

Generated data: no camera, no patient and no cell was involved, so it may be used for anything.
Four small tasks, each with ground truth and two imperfect models, `a` and `b`, whose faults are known.
Run the commands from this folder.

## street: semantic segmentation

Photographs with nine classes; 255 in the ground truth is void (the bonnet of the camera's car, litter bins,
thin outlines). `labels.toml` names the classes. The end of a file's name is the weather.

- Model a blurs and shifts outlines, misses small people, poles and signs, and mixes up road and pavement in places.
- Model b sees small objects, but its outlines are ragged, it sees cars and trees where there are none, and in
  fog and at dusk it mixes up buildings and sky.

```
maskmeter inspect  street/gt street/pred_a --labels street/labels.toml
maskmeter evaluate street/gt street/pred_a --labels street/labels.toml --images street/images -o runs/street_a
maskmeter evaluate street/gt street/pred_b --labels street/labels.toml --images street/images -o runs/street_b
maskmeter compare  runs/street_a runs/street_b
maskmeter explain  runs/street_a mean_iou
maskmeter gate     runs/street_a --require "mean_iou>=0.5"
```

Which is better? Look at the mean, at the classes, at the worst images, and at the interval of the difference.

## cells: instance segmentation

Fluorescence images; every cell has a number, 0 is background.

- Model a merges cells that touch (`merges`, `object_recall`).
- Model b splits large cells, misses dim ones and invents a few. The cells that it misses lie together in its
  background, which `voi_merge` counts as merged.

```
maskmeter evaluate cells/gt cells/pred_a --task instance --images cells/images -o runs/cells_a
maskmeter evaluate cells/gt cells/pred_b --task instance --images cells/images -o runs/cells_b
maskmeter compare  runs/cells_a runs/cells_b
```

## vessels: binary segmentation with scores

Probability maps of blood vessels, evaluated inside the field of view that `mask` gives; without it both
models are punished for what they see along the rim.

- Model a is overconfident: its scores are nearly all 0 or 1, right or wrong.
- Model b is underconfident: it ranks pixels well, but its scores hang back.

```
maskmeter evaluate vessels/gt vessels/prob_a --mask vessels/mask --images vessels/images -o runs/vessels_a
maskmeter evaluate vessels/gt vessels/prob_b --mask vessels/mask --images vessels/images -o runs/vessels_b
maskmeter compare  runs/vessels_a runs/vessels_b
```

## volume: three organs in 3D

One scan with thick slices (3 mm) and fine pixels (0.8 mm).

- Model a is uneven in the plane and up to a slice off.
- Model b is smooth and close, but has no aorta at all, and one spot of kidney where there is none.

```
maskmeter evaluate volume/gt.nii.gz volume/pred_a.nii.gz --labels volume/labels.toml -o runs/volume_a
maskmeter evaluate volume/gt.nii.gz volume/pred_b.nii.gz --labels volume/labels.toml -o runs/volume_b
maskmeter compare  runs/volume_a runs/volume_b
```

`maskmeter metrics` lists everything that can be asked for with `-m`.
"""
)

STREET_CLASSES = (
    (0, "road", "#804080", "flat"),
    (1, "pavement", "#f423e8", "flat"),
    (2, "building", "#78716c", None),
    (3, "pole", "#c8b88a", "object"),
    (4, "sign", "#f2d024", "object"),
    (5, "vegetation", "#5c8a2c", None),
    (6, "sky", "#6fb0e0", None),
    (7, "person", "#dc143c", None),
    (8, "car", "#1f3fd0", None),
)
VOID_COLOR = "#000000"

VOLUME_LABELS = """\
[[label]]
id = 0
name = "background"
average = false
[[label]]
id = 1
name = "liver"
color = "#c8553d"
tolerance = 3.0
[[label]]
id = 2
name = "kidney"
color = "#3d7ec8"
tolerance = 2.0
[[label]]
id = 3
name = "aorta"
color = "#e0b13a"
tolerance = 1.0
"""


def street_labels() -> str:
    """The label file of the street scenes."""
    blocks: list[str] = []
    for number, name, color, parent in STREET_CLASSES:
        block = f'[[label]]\nid = {number}\nname = "{name}"\ncolor = "{color}"\n'
        blocks.append(block + (f'parent = "{parent}"\n' if parent else ""))
    blocks.append(f'[[label]]\nid = 255\nname = "void"\ncolor = "{VOID_COLOR}"\nignore = true\n')
    return "".join(blocks)


def street_palette() -> list[int]:
    """Red, green, blue of each of the 256 label values, for palette PNGs."""
    colors = {number: color for number, _, color, _ in STREET_CLASSES} | {255: VOID_COLOR}
    palette: list[int] = []
    for value in range(256):
        code = colors.get(value, "#ffffff")
        palette += [int(code[i : i + 2], 16) for i in (1, 3, 5)]
    return palette
