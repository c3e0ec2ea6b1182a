"""The same image more than once: counted once in a class, a conflict in two, a remark in both parts."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zoo.errors import ArgumentError
from zoo.finetuning import finetune
from zoo.finetuning.data import as_pictures, from_arrays, from_folder
from zoo.finetuning.division import divided
from zoo.finetuning.duplicates import counted_once, without_conflicts
from zoo.finetuning.pictures import Problem

NOISE = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)


def write(folder, **classes):
    """Write noise by number into a folder for each class."""
    for name, numbers in classes.items():
        (folder / name).mkdir(parents=True)
        for place, number in enumerate(numbers):
            Image.fromarray(NOISE[number]).save(folder / name / f"{place}.png")
    return folder


def test_in_one_class_it_counts_once_and_that_is_said(tmp_path):
    """The first of them stays."""
    found = counted_once(from_folder(write(tmp_path, cat=[0, 1, 0, 0], dog=[2, 3])))
    first, again, third = (str(tmp_path / "cat" / f"{place}.png") for place in (0, 2, 3))
    assert found.counts.tolist() == [2, 2]
    assert found.problems == (
        Problem(file=again, problem=f"is the same image as {first}", used=False),
        Problem(file=third, problem=f"is the same image as {first}", used=False),
    )


def test_in_two_classes_it_is_a_conflict_that_is_named(tmp_path):
    """With files and classes, and the way out."""
    photos = write(tmp_path / "photos", cat=[0, 1], dog=[1, 2])
    with pytest.raises(ArgumentError) as caught:
        counted_once(from_folder(photos))
    assert str(caught.value) == (
        f"the same image is in two classes: {photos}/cat/1.png (cat) and {photos}/dog/0.png (dog); delete "
        "the wrong ones, or leave them all out with --conflicts drop (conflicts='drop')"
    )
    found = counted_once(from_folder(photos), conflicts="drop")
    assert found.counts.tolist() == [1, 1]
    assert [one.problem for one in found.problems] == [
        f"is in the class dog too, as {photos}/dog/0.png",
        f"is in the class cat too, as {photos}/cat/1.png",
    ]
    with pytest.raises(ArgumentError, match="the same image is in two classes"):
        finetune("resnet50", photos, weights=None, input_size=32)  # before anything is fetched or built


def test_of_many_conflicts_some_are_named():
    """The rest is counted."""
    images = np.concatenate([NOISE, NOISE])
    with pytest.raises(ArgumentError) as caught:
        counted_once(from_arrays(images, ["a"] * 9 + ["b"] * 9))
    assert str(caught.value).startswith(
        "9 images are in two classes: image 0 (a) and image 9 (b); image 1 (a)"
    )
    assert "; and 4 more; delete the wrong ones" in str(caught.value)


def test_a_conflict_between_the_two_parts_is_one_too():
    """An image of the same class in both is used, and said to be in both."""
    train = from_arrays(NOISE[:4], ["a", "a", "b", "b"])
    valid = as_pictures((NOISE[[0, 1, 4, 5]], ["a", "b", "a", "b"]), like=train)
    with pytest.raises(ArgumentError, match=r"two classes: image 1 \(a\) and image 1 \(b\)"):
        without_conflicts(train, valid)
    learned, held_out = without_conflicts(train, valid, conflicts="drop")
    assert (len(learned), len(held_out)) == (3, 3)
    assert divided(learned, held_out) == (
        Problem(file="image 0", problem="the same image is among those that are trained on", used=True),
    )


def test_images_of_no_conflict_are_as_they_were():
    """Nothing is copied or said."""
    found = from_arrays(NOISE, list("aaabbbccc"))
    assert counted_once(found) is found
