"""Images of more than 8 bits a channel: one scale for a whole set, whoever reads it and in which order."""

from __future__ import annotations

import csv
import itertools
import json

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.deep_pictures import GREY, KINDS, png, write_deep
from tests.support.small_network import OPTIONS, small_network
from zoo import finetuning
from zoo.cli import main
from zoo.errors import FileFormatError
from zoo.finetuning.batches import Preparation
from zoo.finetuning.data import as_pictures, from_arrays, from_csv, from_folder
from zoo.finetuning.division import split
from zoo.finetuning.features import extract
from zoo.finetuning.pictures import of_one_depth
from zoo.finetuning.report import write_report
from zoo.finetuning.report.record import read_record
from zoo.networks import predicting
from zoo.networks.given import entries
from zoo.networks.images import (
    UNDECIDED,
    Depth,
    bits_of,
    common_depth,
    eight_bits,
    inspect_picture,
    read_picture,
)

SIDE = 16
HIGHS = (200, 2570, 4000, 65535)
"""The brightest value of an image; the second is ten steps of 8 bits on a scale of 16."""


def values(high):
    """Return an image with a few shades up to a value, those that others have among them."""
    shades = [0, *(one for one in HIGHS if one <= high)]
    return np.resize(np.array(shades, np.uint16), (SIDE, SIDE))


SHOTS = [(kind, high) for kind in KINDS for high in HIGHS]


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """Return a file for each kind and each brightness."""
    folder = tmp_path_factory.mktemp("shots")
    return {(kind, high): write_deep(folder, f"{high}.{kind}", values(high)) for kind, high in SHOTS}


def expected(shot, pair):
    """Return what an image of a pair looks like, and by how much Pillow's reading of colours may be off."""
    bits = bits_of(max(high for _, high in pair))
    if any(kind.startswith("colour") for kind, _ in pair):
        bits = 16
    return eight_bits(values(shot[1]), bits).astype(int), int(shot[0].startswith("colour"))


def in_a_folder(folder, pair, shots):
    """Read a pair from a folder for each class."""
    for name, shot in zip("ab", pair, strict=True):
        (folder / name).mkdir(parents=True)
        (folder / name / shots[shot].name).symlink_to(shots[shot])
    return from_folder(folder, size=(SIDE, SIDE)).batch([0, 1], SIDE, SIDE)


def in_a_table(folder, pair, shots):
    """Read a pair from a CSV file, the second one first."""
    folder.mkdir()
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["file", "label"], *([shots[shot], name] for name, shot in zip("ab", pair, strict=True))]
        )
    pictures = from_csv(folder / "table.csv")
    return np.concatenate([pictures.batch([one], SIDE, SIDE) for one in (1, 0)])[::-1]


def in_two_folders(folder, pair, shots):
    """Read one of a pair to train on and the other to validate with."""
    for part, shot in zip(("train", "valid"), pair, strict=True):
        for name in "ab":
            (folder / part / name).mkdir(parents=True)
            (folder / part / name / shots[shot].name).symlink_to(shots[shot])
    train = as_pictures(folder / "train")
    parts = of_one_depth(train, as_pictures(folder / "valid", like=train))
    return np.concatenate([part.batch([0], SIDE, SIDE) for part in parts])


def by_prediction(folder, pair, shots):
    """Read a pair as prediction does, in batches of one."""
    seen = []

    class Seer:
        def look(self, pictures):
            seen.extend(pictures)
            return [()] * len(pictures)

    files = [shots[shot] for shot in pair]
    list(predicting._predicted(Seer, entries(files), UNDECIDED))
    return np.stack(seen)


ALL = list(itertools.combinations_with_replacement(SHOTS, 2))
SOME = [
    *itertools.product([(kind, 4000) for kind in KINDS], [(kind, 65535) for kind in KINDS]),
    *itertools.product([("grey.png", high) for high in HIGHS], [("grey.tiff", high) for high in HIGHS]),
]
"""All pairs of kinds, and all pairs of brightness: what has to make folders is slower."""


@pytest.mark.parametrize(
    ("reader", "pairs"),
    [(by_prediction, ALL), (in_a_folder, SOME), (in_a_table, SOME), (in_two_folders, SOME)],
)
def test_a_shade_is_the_same_in_every_picture_of_a_set(reader, pairs, shots, tmp_path, monkeypatch):
    """Of whatever kind and however bright each of a pair is."""
    monkeypatch.setattr(predicting, "BATCH", 1)
    for place, pair in enumerate(pairs):
        found = reader(tmp_path / str(place), pair, shots)
        for picture, shot in zip(found, pair, strict=True):
            shades, off = expected(shot, pair)
            assert np.abs(picture - shades[..., np.newaxis]).max() <= off, (pair, shot)


def test_arrays_to_validate_with_are_on_the_scale_of_those_to_train_on():
    """And the other way round: the brightest of both decides for both."""
    for first, second in itertools.product(HIGHS, repeat=2):
        train = from_arrays(np.stack([values(first)] * 2), [0, 1])
        parts = of_one_depth(train, as_pictures((np.stack([values(second)] * 2), [0, 1]), like=train))
        for part, high in zip(parts, (first, second), strict=True):
            shades = eight_bits(values(high), bits_of(max(first, second)))
            assert np.array_equal(part.batch([0], SIDE, SIDE)[0, ..., 0], shades)


def pixels():
    """Return a model whose features are the pixels."""
    images = keras.Input((SIDE, SIDE, 3))
    return keras.Model(images, keras.layers.Flatten()(images), name="pixels")


def test_features_on_the_shelf_are_those_of_the_scale(shots, tmp_path):
    """The same file among others is another image, and is not mistaken for the one that was kept."""
    dark, bright = shots["grey.png", 4000], shots["grey.png", 65535]
    alone, both = tmp_path / "alone", tmp_path / "both"
    for folder, files in ((alone, [dark]), (both, [dark, bright])):
        folder.mkdir()
        for file in files:
            (folder / file.name).symlink_to(file)
    preparation = Preparation(height=SIDE, width=SIDE, recipe=None)
    for _ in range(2):
        for folder, bits in ((alone, 12), (both, 16)):
            pictures = as_pictures(folder, labelled=False)
            found = extract(pixels(), pictures, preparation, cache=tmp_path / "cache")
            place = pictures.names.index(str(folder / dark.name))
            assert np.array_equal(found[place, ::3], eight_bits(values(4000), bits).ravel())


def test_floating_point_values_are_stretched_alike(tmp_path):
    """What is half as bright in the one stays half as bright in the other."""
    for name, high in (("a", 1.0), ("b", 0.5)):
        (tmp_path / name).mkdir()
        shades = np.linspace(0, high, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
        Image.fromarray(shades).save(tmp_path / name / "x.tiff")
    pictures = from_folder(tmp_path)
    assert pictures.depth == Depth(floats=(0.0, 1.0))
    assert pictures.batch([0, 1], SIDE, SIDE).max(axis=(1, 2, 3)).tolist() == [255, 127]
    assert pictures.depth.told == ("images of floating-point values: 0 is black and 1 white in all",)


def test_what_is_said_of_a_picture_is_what_was_decided_for_all(shots, tmp_path):
    """Also where the images to validate with decide otherwise later."""
    for name in "ab":
        (tmp_path / "dark" / name).mkdir(parents=True)
        (tmp_path / "dark" / name / "x.png").symlink_to(shots["grey.png", 4000])
        (tmp_path / "bright" / name).mkdir(parents=True)
        (tmp_path / "bright" / name / "x.png").symlink_to(shots["grey.png", 65535])
    train = from_folder(tmp_path / "dark")
    assert {one.problem for one in train.problems} == {"12 bits a channel reduced to 8"}
    train, valid = of_one_depth(train, as_pictures(tmp_path / "bright", like=train))
    assert {one.problem for one in train.problems + valid.problems} == {"16 bits a channel reduced to 8"}
    assert train.digests() != from_folder(tmp_path / "dark").digests()


def test_a_transparent_shade_of_16_bits_is_white(tmp_path):
    """The other shades stay what they are; Pillow alone makes all of it white."""
    path = tmp_path / "a.png"
    path.write_bytes(png(values(65535), GREY, (b"tRNS", (4000).to_bytes(2, "big"))))
    picture, notes = inspect_picture(path)
    shades = np.where(values(65535) == 4000, 255, eight_bits(values(65535), 16))
    assert np.array_equal(picture[..., 0], shades)
    assert notes == ("transparent pixels laid on white", "16 bits a channel reduced to 8")


def test_pictures_of_eight_bits_decide_nothing(tmp_path):
    """Nor does what cannot be read."""
    Image.new("L", (20, 20), 7).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert common_depth([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]) == UNDECIDED
    assert read_picture(tmp_path / "a.png", Depth(bits=12)).max() == 7


@pytest.mark.parametrize("depth", [UNDECIDED, Depth(bits=12), Depth(bits=8, floats=(-1.5, 0.1))])
def test_a_scale_is_written_down(depth):
    """And read back; an old record tells none."""
    assert Depth.from_record(json.loads(json.dumps(depth.as_record()))) == depth
    assert Depth.from_record(None) == UNDECIDED


# A run.


def photos(folder, high, kind="grey.png"):
    """Write two classes of four images, of which one each is as bright as told and the others darker."""
    rng = np.random.default_rng(high)
    for name, place in itertools.product("ab", range(4)):
        shades = rng.integers(0, 1000 if name == "a" else 2000, (SIDE, SIDE)).astype(np.uint16)
        shades[0, 0] = high if place == 0 else 0
        write_deep(folder / name, f"{place}.{kind}", shades)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a run on images of 12 bits and of 16, and what was said."""
    folder, lines = tmp_path_factory.mktemp("deep"), []
    train, valid = photos(folder / "train", 4000), photos(folder / "valid", 65535)
    options = {**OPTIONS, "out": folder / "run", "report": lines.append}
    result = finetuning.svm(small_network(2), train, valid, **options)
    return folder / "run", lines, result


def test_a_run_says_and_records_what_was_decided(run):
    """In its lines, in run.json and of each image."""
    folder, lines, result = run
    assert "images of more than 8 bits a channel: all taken as 16 bits" in lines
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["depth"] == {"bits": 16, "floats": None}
    assert {one.problem for one in result.problems} == {"16 bits a channel reduced to 8"}


def test_prediction_by_a_run_sees_what_its_training_saw(run, tmp_path, capsys):
    """A dark image alone is on the run's scale, so that its probabilities are those of the run."""
    folder, _, result = run
    for place, file in enumerate(result.valid.names):
        (seen,) = zoo.predict(folder, file)
        told = {guess.name: guess.probability for guess in seen.guesses}
        assert [told[name] for name in result.classes] == pytest.approx(result.predictions[place], abs=2e-5)
        assert seen.notes == ("16 bits a channel reduced to 8",)
    assert main(["predict", str(folder), file]) == 0
    assert capsys.readouterr().err == f"zoo: {file}: 16 bits a channel reduced to 8\n"


def test_a_picture_beyond_the_scale_of_a_run_is_said_to_be_cut_off(run, tmp_path):
    """The run's own images were all darker."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.keras").symlink_to(run[0] / "model.keras")
    record = json.loads((run[0] / "run.json").read_text("utf-8"))
    (folder / "run.json").write_text(json.dumps(record | {"depth": {"bits": 12, "floats": None}}))
    bright = write_deep(tmp_path, "x.grey.png", values(65535))
    (seen,) = zoo.predict(folder, bright)
    assert seen.notes == ("12 bits a channel reduced to 8; brighter values are cut off",)


def test_a_record_without_a_scale_is_read_and_one_with_another_refused(run, tmp_path):
    """Runs of before have none; what is given then decides."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("model.keras", "history.csv", "predictions.csv"):
        (folder / name).symlink_to(run[0] / name)
    record = json.loads((run[0] / "run.json").read_text("utf-8"))
    del record["depth"]
    (folder / "run.json").write_text(json.dumps(record))
    dark = write_deep(tmp_path, "x.grey.png", values(4000))
    (seen,) = zoo.predict(folder, dark)
    assert seen.notes == ("12 bits a channel reduced to 8",)
    assert read_record(folder).depth == UNDECIDED
    assert write_report(folder).is_file()
    (folder / "run.json").write_text(json.dumps(record | {"depth": {"bits": 5}}))
    with pytest.raises(FileFormatError, match=r"bits is 5: must be 8, 12, 16 or null"):
        zoo.predict(folder, dark)


def test_a_part_is_on_the_scale_of_the_whole(shots, tmp_path):
    """What is divided, or looked at alone, is not decided anew."""
    pictures = from_folder(photos(tmp_path, 65535))
    for part in (*split(pictures, 0.5, seed=0), pictures.subset(np.array([1, 2]))):
        assert part.depth == Depth(bits=16)
