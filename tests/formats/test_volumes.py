"""NRRD and MetaImage: what is read, where it lies, and what is refused."""

import bz2
import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmeter.counting import digest_of
from maskmeter.errors import DataError, FormatError, LabelError
from maskmeter.formats import decode, read
from maskmeter.formats.label_maps import open_label_map
from maskmeter.masks import pair

CUBE = np.arange(24, dtype="<u2").reshape(2, 3, 4)  # slices, rows, columns

NRRD = {
    "type": "unsigned short", "dimension": "3", "sizes": "4 3 2", "endian": "little", "encoding": "raw",
    "space": "left-posterior-superior", "space directions": "(0.5,0,0) (0,0.75,0) (0,0,3)",
    "space origin": "(-10,20,5)",
}  # fmt: skip
META = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "-10 20 5",
    "ElementSpacing": "0.5 0.75 3", "DimSize": "4 3 2", "ElementType": "MET_USHORT", "ElementDataFile": "LOCAL",
}  # fmt: skip
RAS = (-0.5, 0.0, 0.0, 10.0, 0.0, -0.75, 0.0, -20.0, 0.0, 0.0, 3.0, 5.0)


def nrrd(data: bytes = CUBE.tobytes(), **changes: Any) -> bytes:
    field = {**NRRD, **{k.replace("_", " "): v for k, v in changes.items()}}
    lines = [f"{k}: {v}" for k, v in field.items() if v is not None]
    return "\n".join(["NRRD0004", "# a comment", *lines, "key:=value", "", ""]).encode() + data


def meta(data: bytes = CUBE.tobytes(), **changes: Any) -> bytes:
    field = {k: v for k, v in {**META, **changes}.items() if v is not None}
    field["ElementDataFile"] = field.pop("ElementDataFile")  # comes last
    return "".join(f"{k} = {v}\n" for k, v in field.items()).encode() + data


def fails(data: bytes, name: str, match: str) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        decode(data, name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (nrrd(), "a.nrrd"),
        (nrrd(), "a.seg.nrrd"),
        (nrrd(gzip.compress(CUBE.tobytes()), encoding="gzip"), "a.nrrd"),
        (nrrd(bz2.compress(CUBE.tobytes()), encoding="bz2"), "a.nrrd"),
        (nrrd(CUBE.astype(">u2").tobytes(), endian="big"), "a.nrrd"),
        (nrrd(" ".join(map(str, CUBE.ravel())).encode(), encoding="ascii", endian=None), "a.nrrd"),
        (nrrd("\n".join(map(str, CUBE.ravel())).encode() + b"\n", encoding="txt"), "a.nrrd"),
        (nrrd(CUBE.tobytes().hex(" ", 8).encode(), encoding="hex"), "a.nrrd"),
        (nrrd(CUBE.astype(">u2").tobytes().hex().upper().encode(), encoding="hex", endian="big"), "a.nrrd"),
        (meta(), "a.mha"),
        (meta(zlib.compress(CUBE.tobytes()), CompressedData="True"), "a.mha"),
        (meta(CUBE.astype(">u2").tobytes(), BinaryDataByteOrderMSB="True"), "a.mha"),
    ],
)
def test_data_and_place(data: bytes, name: str) -> None:
    found = decode(data, name)
    assert np.array_equal(found.array, CUBE)
    assert found.array.dtype == np.uint16
    assert found.spacing == (3.0, 0.75, 0.5)
    assert found.affine == RAS
    assert not found.notes


def test_spaces_become_one() -> None:
    ras = decode(
        nrrd(space="RAS", space_directions="(-0.5,0,0) (0,-0.75,0) (0,0,3)", space_origin="(10,-20,5)"), "a.nrrd"
    )
    assert ras.affine == RAS
    las = decode(
        nrrd(space="LAS", space_directions="(0.5,0,0) (0,-0.75,0) (0,0,3)", space_origin="(-10,-20,5)"), "a.nrrd"
    )
    assert las.affine == RAS
    turned = decode(meta(TransformMatrix="0 1 0 -1 0 0 0 0 1"), "a.mha")
    assert turned.affine == (0.0, 0.75, 0.0, 10.0, -0.5, 0.0, 0.0, -20.0, 0.0, 0.0, 3.0, 5.0)
    metres = decode(nrrd(space_units='"cm" "cm" "cm"'), "a.nrrd")
    assert metres.spacing == (30.0, 7.5, 5.0)


def test_without_a_place() -> None:
    bare = decode(nrrd(space=None, space_directions=None, space_origin=None, spacings="0.5 0.75 3"), "a.nrrd")
    assert (bare.spacing, bare.affine) == ((3.0, 0.75, 0.5), None)
    assert "place" in bare.notes[0]
    assert decode(nrrd(space=None, space_directions=None, space_origin=None), "a.nrrd").spacing is None
    assert decode(meta(ElementSpacing=None), "a.mha").spacing is None


@pytest.mark.parametrize(("make", "name"), [(nrrd, "a.nrrd"), (meta, "a.mha")])
def test_data_that_does_not_fit_its_header(make: Any, name: str) -> None:
    fails(make(CUBE.tobytes()[:-1]), name, "truncated .* holds 47 bytes of data where its header claims 48")
    fails(make(CUBE.tobytes() + b"\1"), name, "corrupt .* and more follow")
    fails(make()[:60], name, "truncated|missing|invalid")


def test_compressed_data() -> None:
    whole = gzip.compress(CUBE.tobytes())
    fails(nrrd(whole[:-10], encoding="gzip"), "a.nrrd", "truncated gzip")
    fails(nrrd(whole[:12] + b"\xff\xff" + whole[14:], encoding="gzip"), "a.nrrd", "corrupt gzip|truncated")
    fails(nrrd(gzip.compress(bytes(10**6)), encoding="gzip"), "a.nrrd", "and more follow")
    fails(nrrd(whole, encoding="gzip", sizes="400 300 200"), "a.nrrd", "more than .* compressed data can hold")
    fails(meta(zlib.compress(CUBE.tobytes())[:-6], CompressedData="True"), "a.mha", "truncated|holds")
    fails(meta(b"nonsense", CompressedData="True"), "a.mha", "corrupt")
    fails(nrrd(b"nonsense", encoding="bzip2"), "a.nrrd", "corrupt")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("1 2 3", "truncated .* 6 bytes of data where its header claims 48"),
        ("7 " * 25, "and more follow"),
        ("7 " * 23 + "70000", "not numbers of the type uint16"),
        ("7 " * 23 + "-1", "not numbers of the type uint16"),
        ("7 " * 23 + "1.5", "not numbers of the type uint16"),
    ],
)
def test_numbers_as_text(words: str, match: str) -> None:
    fails(nrrd(words.encode(), encoding="ascii"), "a.nrrd", match)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"sizes": "4 3"}, "dimension"),
        ({"sizes": "4 3 -2"}, "not numbers above 0"),
        ({"type": "block"}, "type block"),
        ({"endian": None}, "endian"),
        ({"encoding": "ascii"}, "not numbers of the type uint16"),
        ({"encoding": "hex"}, "hexadecimal"),
        ({"encoding": "lzw"}, "encoding lzw"),
        ({"space_directions": "(0.5,0,0) (0,nan,0) (0,0,3)"}, "spacing"),
        ({"space_directions": "(0.5,0,0) (0,0,0) (0,0,3)"}, "spacing"),
        ({"space_directions": "(0.5,0,0) (0,1,0)"}, "space direction"),
        ({"space_origin": "(nan,0,0)"}, "affine"),
        ({"space_units": '"furlong"'}, "furlong"),
        ({"sizes": "400000 300000 2"}, "above the limit"),
        ({"data_file": "../other.raw"}, "same folder"),
        ({"byte_skip": "7"}, "skips"),
    ],
)
def test_wrong_nrrd_headers(changes: dict[str, Any], match: str) -> None:
    fails(nrrd(**changes), "a.nrrd", match)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"NDims": "2"}, "NDims"),
        ({"DimSize": "4 3 2 2", "NDims": "4"}, "is 4D"),
        ({"ElementType": "MET_LONG"}, "MET_LONG"),
        ({"ElementSpacing": "0.5 0 3"}, "spacing"),
        ({"ElementSpacing": "0.5 -1 3"}, "spacing"),
        ({"ElementSpacing": "a b c"}, "not numbers"),
        ({"Offset": "nan 0 0"}, "affine"),
        ({"TransformMatrix": "1 0 0 1"}, "numbers of its axes"),
        ({"ElementNumberOfChannels": "3"}, "channels"),
        ({"ElementDataFile": "LIST"}, "one file"),
        ({"ElementDataFile": "a%03d.raw"}, "one file"),
        ({"DimSize": "400000 300000 2"}, "above the limit"),
        ({"BinaryData": "False"}, "text"),
    ],
)
def test_wrong_metaimage_headers(changes: dict[str, Any], match: str) -> None:
    fails(meta(**changes), "a.mha", match)


def test_layers_are_refused() -> None:
    layers = nrrd(
        CUBE.tobytes(), dimension="4", sizes="2 4 3 1", space_directions="none (1,0,0) (0,1,0) (0,0,1)",
        kinds="list domain domain domain",
    )  # fmt: skip
    fails(layers, "a.seg.nrrd", "holds 2 layers")
    single = nrrd(
        CUBE.tobytes(), dimension="4", sizes="1 4 3 2", space_directions="none (1,0,0) (0,1,0) (0,0,1)",
        kinds="list domain domain domain",
    )  # fmt: skip
    assert decode(single, "a.seg.nrrd").array.shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("name", "header"),
    [("a.nhdr", nrrd(b"", data_file="a.raw")), ("a.mhd", meta(b"", ElementDataFile="a.raw"))],
)
def test_data_in_a_file_of_its_own(tmp_path: Path, name: str, header: bytes) -> None:
    (tmp_path / name).write_bytes(header)
    with pytest.raises(FormatError, match=r"a\.raw: no such file"):
        read(tmp_path / name)
    (tmp_path / "a.raw").write_bytes(CUBE.tobytes())
    assert np.array_equal(read(tmp_path / name).array, CUBE)
    before = open_label_map(tmp_path / name).digest
    assert before == digest_of(tmp_path / name)
    (tmp_path / "a.raw").write_bytes(CUBE[::-1].tobytes())
    assert open_label_map(tmp_path / name).digest != before


def test_formats_meet_in_one_frame(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(nrrd())
    (tmp_path / "a.mha").write_bytes(meta())
    (tmp_path / "b.mha").write_bytes(meta(Offset="30 -20 5"))  # shifts that add up to nothing
    a, b, c = (open_label_map(tmp_path / name).map for name in ("a.nrrd", "a.mha", "b.mha"))
    pair(a, b)
    with pytest.raises(LabelError, match="origin"):
        pair(a, c)


def test_a_single_slice_is_a_plane(tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_bytes(meta(CUBE[:1].tobytes(), DimSize="4 3 1"))
    found = open_label_map(tmp_path / "a.mha")
    assert found.map.array.shape == (3, 4)
    assert found.map.spacing == (0.75, 0.5)
    assert "two dimensions" in found.notes[0]
    np.save(tmp_path / "a.npy", CUBE[:1])
    assert open_label_map(tmp_path / "a.npy").map.array.shape == (1, 3, 4)
    assert open_label_map(tmp_path / "a.npy", spacing=(3.0, 0.75, 0.5)).map.spacing == (0.75, 0.5)


def test_given_spacing(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CUBE)
    assert open_label_map(tmp_path / "a.npy", spacing=(3.0, 1.0, 1.0)).map.spacing == (3.0, 1.0, 1.0)
    with pytest.raises(DataError, match=r"a\.npy: --spacing has 2 numbers for 3 axes"):
        open_label_map(tmp_path / "a.npy", spacing=(1.0, 1.0))
    (tmp_path / "a.mha").write_bytes(meta())
    with pytest.raises(DataError, match=r"a\.mha: has the spacing"):
        open_label_map(tmp_path / "a.mha", spacing=(3.0, 1.0, 1.0))


@pytest.mark.peers
@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.nii", "a.nii.gz"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_simpleitk_writes(tmp_path: Path, name: str, compressed: bool) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(CUBE)
    image.SetSpacing((0.5, 0.75, 3.0))
    image.SetOrigin((-10.0, 20.0, 5.5))
    c, s = np.cos(0.3), np.sin(0.3)
    image.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / name), compressed)
    sitk.WriteImage(image, str(tmp_path / "b.nii.gz"))
    found, other = (open_label_map(tmp_path / n).map for n in (name, "b.nii.gz"))
    assert np.array_equal(found.array, CUBE)
    pair(found, other)
