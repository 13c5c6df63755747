"""The advisor speaks where a number misleads, and is silent where none does."""

import numpy as np

import maskmeter as mm
from maskmeter.advisor import advise, constant_accuracy


def kinds(done: mm.Evaluation) -> dict[str, str]:
    return {a.kind: a.text for a in advise(done)}


def balanced(images: int = 12) -> mm.Evaluation:
    rng, done = np.random.default_rng(0), mm.Evaluation(ignore=255)
    for _ in range(images):
        gt = rng.permutation(np.repeat([0, 1, 2], 400))
        done.update(gt, np.where(rng.random(gt.size) < 0.1, rng.integers(0, 3, gt.size), gt))
    return done


def test_nothing_to_say_about_a_balanced_set() -> None:
    assert kinds(balanced(24)) == {}
    assert advise(mm.Evaluation()) == []


def test_accuracy_under_imbalance() -> None:
    done = mm.Evaluation()
    done.update(np.arange(10000) >= 9900, np.zeros(10000, bool))
    assert constant_accuracy(done.pooled) == 0.99
    text = kinds(done)["imbalance"]
    assert "0.990" in text and "background" in text
    assert all(mm.METRICS.get(a.metric) or a.metric == "inspect" for a in advise(done))


def test_void_absent_rare_small_and_disagreeing() -> None:
    done = balanced()
    done.update(np.full(9000, 255), np.zeros(9000, int))
    assert "void" in kinds(done)
    done = balanced()
    done.update(np.repeat([0, 1, 2], 400), np.repeat([0, 1, 9], 400))
    assert "class 9" in kinds(done)["absent"]
    done.update(np.repeat([0, 1, 5], 4), np.repeat([0, 1, 2], 4))
    assert "class 5" in kinds(done)["rare"]
    for _ in range(6):
        done.update(np.repeat([0, 1, 2], [9000, 9000, 20]), np.repeat([0, 1, 0], [9000, 9000, 20]))
    said = kinds(done)
    assert "2 (" in said["small"] and "averages" in said


def test_an_undeclared_255_looks_like_void() -> None:
    done = mm.Evaluation()
    for _ in range(6):
        done.update(np.repeat([0, 1, 255], 400), np.repeat([0, 1, 1], 400))
    assert "--ignore 255" in kinds(done)["likely void"]


def test_intervals_that_are_not_to_be_trusted_are_named_for_every_task() -> None:
    done = mm.Evaluation(["pq"], task="instance")
    for _ in range(4):
        done.update(np.repeat([0, 1, 2], 9), np.repeat([0, 1, 2], [9, 12, 6]))
    (advice,) = [a for a in advise(done) if a.kind == "intervals"]
    assert advice.text.startswith("intervals rest on few images (below 20 they are too narrow): all")
    assert not advice.metric


def test_surfaces_of_few_elements_and_cut_off() -> None:
    whole, speck, cut = np.zeros((3, 40, 40), bool)
    whole[10:30, 10:30] = speck[10:12, 10:12] = cut[0:20, 10:30] = True
    for mask, said in ((whole, set()), (speck, {"elements"}), (cut, {"cut off"})):
        done = mm.Evaluation(["assd", "hausdorff(percentile=95)"])
        done.update(mask, mask, image="a")
        done.update(whole, np.zeros_like(whole), image="b")
        found = kinds(done)
        assert found.keys() & {"elements", "cut off"} == said
        assert all("in 1 of 1 cases" in found[kind] for kind in said)


def test_a_tolerance_below_the_voxel() -> None:
    done = mm.Evaluation(["nsd(tolerance=2)", "nsd(tolerance=0.5)"], spacing=(1.0, 1.0, 2.0))
    box = np.zeros((8, 8, 8), bool)
    box[2:6, 2:6, 2:6] = True
    done.update(box, box, image="a")
    text = kinds(done)["tolerance"]
    assert "nsd(tolerance=0.5)" in text and "nsd(tolerance=2)" not in text and "2 mm" in text
