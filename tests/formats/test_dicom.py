"""DICOM segmentations: files that pydicom writes, read as maps of labels or as masks."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmeter.cli import main
from maskmeter.errors import FormatError, LabelError
from maskmeter.formats import decode
from maskmeter.formats.label_maps import open_label_map, open_stack
from maskmeter.masks import pair

SEGMENTS = np.zeros((2, 4, 5, 6), bool)  # segments, slices, rows, columns
SEGMENTS[0, 0:3, 1:3, 1:4] = True
SEGMENTS[1, 2:4, 3:5, 2:6] = True
POSITION = (-30.0, 12.0, 7.5)


def segmentation(segments: np.ndarray[Any, Any] = SEGMENTS, **changes: Any) -> bytes:
    """A binary segmentation whose empty frames are left out; `changes` set attributes of the data set."""
    pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
    from pydicom.dataset import Dataset, FileMetaDataset

    def item(**fields: Any) -> Any:
        made = Dataset()
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    frames = [(s, z) for s in range(len(segments)) for z in range(segments.shape[1]) if segments[s, z].any()]
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.4"
    ds.Modality, ds.SegmentationType = "SEG", "BINARY"
    ds.NumberOfFrames, (ds.Rows, ds.Columns) = len(frames), segments.shape[2:]
    ds.BitsAllocated = ds.BitsStored = ds.SamplesPerPixel = 1
    ds.HighBit = ds.PixelRepresentation = 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    measures = item(PixelSpacing=[0.75, 0.5], SliceThickness=3.0, SpacingBetweenSlices=3.0)
    turn = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    ds.SharedFunctionalGroupsSequence = [item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[turn])]
    ds.PerFrameFunctionalGroupsSequence = [
        item(
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=s + 1)],
            PlanePositionSequence=[item(ImagePositionPatient=[*POSITION[:2], POSITION[2] + 3 * z])],
        )
        for s, z in frames
    ]
    bits = np.packbits(np.stack([segments[s, z] for s, z in frames]).ravel(), bitorder="little").tobytes()
    ds.PixelData = bits + b"\0" * (len(bits) % 2)
    for name, value in changes.items():
        setattr(ds, name, value)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_segments_become_labels_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(segmentation())
    found = open_label_map(tmp_path / "a.dcm").map
    assert np.array_equal(found.array, SEGMENTS[0] * 1 + SEGMENTS[1] * 2)
    assert found.spacing == (3.0, 0.75, 0.5)
    assert found.affine == (-0.5, 0, 0, 30, 0, -0.75, 0, -12, 0, 0, 3, 7.5)
    head = "ObjectType = Image\nNDims = 3\nDimSize = 6 5 4\nElementSpacing = 0.5 0.75 3\nOffset = -30 12 7.5\n"
    head += "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (tmp_path / "b.mha").write_bytes(head.encode() + found.array.tobytes())
    pair(found, open_label_map(tmp_path / "b.mha").map)
    assert main(["evaluate", str(tmp_path / "b.mha"), str(tmp_path / "a.dcm"), "--task", "semantic"]) == 0


def test_overlapping_segments_are_masks(tmp_path: Path) -> None:
    both = SEGMENTS.copy()
    both[1, 1, 1:4, 1:3] = True
    (tmp_path / "a.dcm").write_bytes(segmentation(both))
    with pytest.raises(FormatError, match=r"overlap \(1 and 2\).*--convention stack"):
        open_label_map(tmp_path / "a.dcm")
    assert np.array_equal(open_stack(tmp_path / "a.dcm").map.array, both)
    same = [str(tmp_path / "a.dcm")] * 2
    assert main(["evaluate", *same, "--task", "instance", "--convention", "stack"]) == 0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"}, "modality CT"),
        ({"SegmentationType": "FRACTIONAL"}, "fractional"),
        ({"NumberOfFrames": 4}, "4 frames and places for 5"),
        ({"PixelData": b"\0\0"}, "2 bytes of pixels where its header claims"),
        ({"SharedFunctionalGroupsSequence": []}, "no PixelMeasuresSequence|no PlaneOrientation"),
        ({"Rows": 30000, "Columns": 30000}, "above the limit"),
    ],
)
def test_wrong_files(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        decode(segmentation(**changes), "a.dcm")
    assert "\n" not in str(caught.value) and "a.dcm" in str(caught.value)


def test_cut_short_and_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = segmentation()
    for end in (140, 400, len(whole) - 3):
        with pytest.raises(FormatError, match="corrupt"):
            decode(whole[:end], "a.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(FormatError, match=r"pip install 'maskmeter\[dicom\]'"):
        decode(whole, "a.dcm")


def test_another_file_under_the_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 3), bool))
    (tmp_path / "a.npy").rename(tmp_path / "a.dcm")
    with pytest.raises((FormatError, LabelError), match="NPY"):
        open_stack(tmp_path / "a.dcm")
