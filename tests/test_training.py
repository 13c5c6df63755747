"""Training loops: arrays of other packages without a copy, batches, and processes that gather what they counted."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskmeter as mm
from maskmeter import evaluation, kernels, tensors
from maskmeter.masks import as_array
from maskmeter.statistics.confusion import count_labels


def pairs(n: int, dtype: str = "int64") -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    gt, pred = rng.integers(0, 2 if dtype == "bool" else 4, (2, n, 16, 17))
    return gt.astype(dtype), pred.astype(dtype)


def counted(gt: Any, pred: Any) -> bytes:
    meter = mm.Evaluation(metrics=["mean_iou"])
    for i in range(len(gt)):
        meter.update(gt[i], pred[i], image=str(i))
    return meter.to_bytes()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "bool"])
def test_tensors_of_pytorch_and_jax_count_as_arrays_do(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    gt, pred = pairs(3, dtype)
    a, b = torch.from_numpy(gt), torch.from_numpy(pred)
    assert np.shares_memory(as_array(a), gt)
    assert counted(a, b) == counted(gt, pred) == counted(a, pred)
    assert counted(a.transpose(1, 2), b.transpose(1, 2)) == counted(gt.swapaxes(1, 2), pred.swapaxes(1, 2))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("cells", [tensors.CELLS, 0])
def test_a_device_counts_as_main_memory_does(dtype: str, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the main processor, which is a device like another to PyTorch."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    gt, pred = pairs(2, dtype)
    if dtype == "int64":
        gt[0, 0, 0], pred[1, 2, 3] = -7, 2**40
    inside = np.random.default_rng(1).random(gt.shape) < 0.5
    a, b, c = map(torch.from_numpy, (gt, pred, inside))
    monkeypatch.setattr(tensors, "CELLS", cells)
    for mask in (None, inside, np.zeros_like(inside)):
        found = tensors.joint_counts(a, b, None if mask is None else torch.from_numpy(mask))
        expected = count_labels(gt, pred, mask)
        assert [x.tolist() for x in found[:3]] == [x.tolist() for x in (expected.a, expected.b, expected.n)]
        assert found.left_out == expected.left_out
    here = mm.Evaluation(metrics=["mean_iou"], ignore=-7)
    here.update_batch(gt, pred, mask=inside)
    assert tensors.count_there(a, b) is None, "in main memory nothing is to be gained"
    for module in (tensors, evaluation):
        monkeypatch.setattr(module, "is_away", lambda data: isinstance(data, torch.Tensor))
    assert tensors.count_there(a, b) is None, "so few pixels are copied"
    for module in (tensors, evaluation):
        monkeypatch.setattr(module, "LEAST", 1)
    assert tensors.count_there(a, pred) is None and tensors.count_there(a, b[:1]) is None
    there = mm.Evaluation(metrics=["mean_iou"], ignore=-7)
    with monkeypatch.context() as patch:
        patch.setattr(kernels._native, "joint_counts", None)  # nothing is counted in main memory
        there.update_batch(a, b, mask=c)
    assert there.to_bytes() == here.to_bytes()
    assert mm.accuracy(a, b, mask=c) == mm.accuracy(gt, pred, mask=inside)


def test_arrays_of_jax() -> None:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    gt, pred = pairs(2, "int32")
    a = jnp.asarray(gt)
    assert as_array(a).__array_interface__["data"][0] == a.unsafe_buffer_pointer()
    assert counted(a, jnp.asarray(pred)) == counted(gt, pred)


def test_scores_that_are_being_trained_are_read() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    score = torch.tensor([0.25, 0.75], requires_grad=True)
    assert mm.roc_auc(np.array([False, True]), score) == 1.0


def test_a_batch_is_its_images() -> None:
    gt, pred = pairs(5)
    mask = np.random.default_rng(1).random(gt.shape) < 0.5
    one, all_ = (mm.Evaluation(metrics=["iou", "mean_iou"]) for _ in range(2))
    for i in range(5):
        one.update(gt[i], pred[i], image=f"{i}", mask=mask[i])
    all_.update_batch(gt, pred, images=map(str, range(5)), mask=mask)
    assert one.to_bytes() == all_.to_bytes()
    for wrong in ({"images": ["a"]}, {"mask": mask[:2]}):
        with pytest.raises(mm.LabelError, match="as many images"):
            all_.update_batch(gt, pred, **wrong)
    with pytest.raises(mm.LabelError, match="as many images"):
        all_.update_batch(gt, pred[:3])


WORKER = """
import sys, numpy as np, torch.distributed as dist, maskmeter as mm

def gathered(meter, metrics):
    parts = [None] * dist.get_world_size()
    dist.all_gather_object(parts, meter.to_bytes())
    whole = mm.Evaluation(metrics=metrics)
    for part in parts:
        whole.merge(part)
    return whole

rank, place = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{place}/meet", rank=rank, world_size=2)
gt, pred = np.load(f"{place}/gt.npy"), np.load(f"{place}/pred.npy")
meter = mm.Evaluation(metrics=["iou", "mean_iou"])
for i in range(rank, len(gt), 2):
    meter.update(gt[i], pred[i], image=str(i))
whole = gathered(meter, ["iou", "mean_iou"])
open(f"{place}/rows{rank}", "w").write(repr(whole.rows()))
dist.destroy_process_group()
"""


def test_processes_of_torch_distributed_gather_what_they_counted(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    gt, pred = pairs(7)
    np.save(tmp_path / "gt.npy", gt)
    np.save(tmp_path / "pred.npy", pred)
    calls = [[sys.executable, "-c", WORKER, str(rank), str(tmp_path)] for rank in range(2)]
    for worker in [subprocess.Popen(call) for call in calls]:
        assert worker.wait(120) == 0
    alone = mm.Evaluation(metrics=["iou", "mean_iou"])
    alone.update_batch(gt, pred, images=map(str, range(7)))
    assert {(tmp_path / f"rows{rank}").read_text() for rank in range(2)} == {repr(alone.rows())}
