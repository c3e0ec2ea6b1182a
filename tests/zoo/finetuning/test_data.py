"""Labelled images from folders, CSV files, arrays and loaders, and all that can be wrong with them."""

from __future__ import annotations

import codecs
import csv
import logging
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from zoo.errors import ArgumentError
from zoo.finetuning import sources as module
from zoo.finetuning.data import as_pictures, from_arrays, from_csv, from_folder, from_loader
from zoo.finetuning.division import divided, split
from zoo.finetuning.pictures import Problem

NOISE = np.random.default_rng(0).integers(0, 256, (40, 20, 24, 3), dtype=np.uint8)


def write(folder, name, picture=NOISE[0], **options):
    """Write an image below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    """Return a folder with three cats and two dogs."""
    for place in range(5):
        write(tmp_path / "photos", f"{'cat' if place < 3 else 'dog'}/{place}.png", NOISE[place])
    return tmp_path / "photos"


def test_a_folder_for_each_class(photos):
    """Classes are the folders in order; images come at the size that is asked for."""
    pictures = from_folder(photos)
    assert pictures.classes == ("cat", "dog")
    assert pictures.labels.tolist() == [0, 0, 0, 1, 1]
    assert pictures.names == tuple(
        str(photos / name) for name in ("cat/0.png", "cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png")
    )
    assert pictures.counts.tolist() == [3, 2]
    assert np.array_equal(pictures.batch([4, 1], 20, 24), NOISE[[4, 1]])
    assert pictures.batch([0], 10, 12).shape == (1, 10, 12, 3)
    assert pictures.problems == ()


def test_everything_odd_in_a_folder_is_named(photos):
    """What cannot be used is left out, what had to be changed is used, and each is told by its file."""
    (photos / "cat" / "broken.jpg").write_bytes(b"not a picture")
    (photos / "cat" / "Thumbs.db").write_bytes(b"\0")
    write(photos, "dog/grey.png", NOISE[7, :, :, 0])
    write(photos, "dog/tiny.png", NOISE[8, :2, :3])
    write(photos, "loose.png")
    write(photos, ".hidden/a.png")
    (photos / "bird").mkdir()
    (photos / "cat" / "cut.png").write_bytes((photos / "cat" / "0.png").read_bytes()[:300])
    pictures = from_folder(photos)
    assert pictures.classes == ("cat", "dog")
    assert len(pictures) == 7
    told = {(one.file.removeprefix(f"{photos}/"), one.used): one.problem for one in pictures.problems}
    assert told.pop(("cat/cut.png", False)).startswith("cannot be read as an image: ")
    assert told == {
        ("loose.png", False): "not in the folder of a class",
        ("cat/Thumbs.db", False): "not an image, by the end of its name",
        ("cat/broken.jpg", False): "no image in a known format, but text",
        ("dog/grey.png", True): "grey turned into RGB",
        ("dog/tiny.png", True): "tiny: 3 x 2 pixels",
        ("bird", False): "this class has no images that can be read",
    }


def test_a_picture_that_vanishes_later_counts_for_nothing(photos, caplog):
    """In the middle of an epoch it becomes grey and its weight 0; nothing is raised."""
    pictures = from_folder(photos)
    (photos / "cat" / "1.png").unlink()
    with caplog.at_level(logging.WARNING):
        images, readable = pictures.read([0, 1, 2], (20, 24))
    assert readable.tolist() == [True, False, True]
    assert np.unique(images[1]).tolist() == [128]
    assert caplog.messages == [
        f"{photos}/cat/1.png: cannot be read as an image: No such file or directory; "
        "it counts for nothing from now on"
    ]


def test_what_could_no_longer_be_read_is_known_to_all_parts(photos, caplog):
    """An image that failed once stays left out, is warned of once, and every part of the images knows."""
    pictures = from_folder(photos)
    train, valid = split(pictures, 0.4, seed=0)
    assert pictures.readable.tolist() == [True] * 5
    assert pictures.unreadable == ()
    gone = photos / "cat" / "1.png"
    content = gone.read_bytes()
    gone.unlink()
    pictures.batch([1], 20, 24)
    gone.write_bytes(content)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert pictures.read([0, 1], (20, 24))[1].tolist() == [True, False]
    assert caplog.messages == []
    assert pictures.readable.tolist() == [True, False, True, True, True]
    assert pictures.unreadable == (str(gone),)
    assert train.unreadable + valid.unreadable == (str(gone),)
    assert train.readable.sum() + valid.readable.sum() == 4


def test_pictures_are_decoded_once_while_there_is_room(photos, monkeypatch):
    """An image that was kept is there when its file is gone; one for which there was no room is not."""
    kept = from_folder(photos, size=(10, 12))
    monkeypatch.setattr(module, "MEMORY", 2 * 10 * 12 * 3)
    few = from_folder(photos, size=(10, 12))
    for path in photos.rglob("*.png"):
        path.unlink()
    assert kept.read(range(5), (10, 12))[1].all()
    assert few.read(range(5), (10, 12))[1].sum() == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "{0}: has no folders; make one for each class, {0}/CLASS/*.jpg"),
        (
            ["a.jpg", "b.PNG"],
            "{0}: has no folders; make one for each class, {0}/CLASS/*.jpg; the 2 images in it have no class",
        ),
        (["cat/a.jpg"], "{0}: has one class, 'cat'; there must be two to tell apart"),
        (
            ["train/cat/a.jpg", "valid/cat/b.jpg"],
            "{0}: its folders train, valid are no classes; "
            "give them as train='{0}/train', valid=... (--train, --valid)",
        ),
    ],
)
def test_folders_that_hold_no_classes(tmp_path, names, message):
    """The message says how the folder has to look."""
    for name in names:
        write(tmp_path, name)
    with pytest.raises(ArgumentError) as caught:
        from_folder(tmp_path)
    assert str(caught.value) == message.format(tmp_path)


def test_a_folder_without_a_picture_that_can_be_used(tmp_path):
    """The first reason is told with the message."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(b"")
    with pytest.raises(ArgumentError) as caught:
        from_folder(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: has no images that can be used; {tmp_path}/cat/a.jpg: no image in a known format, "
        "but empty"
    )


def test_a_folder_that_is_not_there(tmp_path):
    """The path is named."""
    with pytest.raises(ArgumentError) as caught:
        as_pictures(tmp_path / "photos")
    assert str(caught.value) == f"{tmp_path}/photos: there is no such folder or file"


def test_validation_pictures_have_the_training_classes(photos, tmp_path):
    """A class that was not trained is refused by name; one that is missing keeps its place."""
    write(tmp_path / "valid", "dog/9.png", NOISE[9])
    train = from_folder(photos)
    valid = as_pictures(tmp_path / "valid", like=train)
    assert valid.classes == ("cat", "dog")
    assert valid.labels.tolist() == [1]
    write(tmp_path / "valid", "bird/8.png")
    with pytest.raises(ArgumentError) as caught:
        as_pictures(tmp_path / "valid", like=train)
    assert str(caught.value) == (
        f"{tmp_path}/valid: has the class 'bird', which the training images have not; they have cat, dog"
    )
    with pytest.raises(ArgumentError) as caught:
        from_folder(tmp_path / "valid", classes=("dog", "cat"))
    assert str(caught.value) == f"{tmp_path}/valid: has the class 'bird', which is none of dog, cat"


@pytest.mark.parametrize("as_rows", [list, np.float32, lambda labels: np.eye(10)[labels]])
def test_numbers_that_are_names_stay_names_in_validation_pictures(as_rows):
    """Labels 3 and 5 are the classes 3 and 5 there too, not the third and the fifth."""
    train = as_pictures((NOISE[:6], [9, 3, 5, 9, 3, 5]))
    assert not train.numbered
    valid = as_pictures((NOISE[6:9], as_rows([5, 3, 5])), like=train)
    assert valid.classes == ("3", "5", "9")
    assert [valid.classes[label] for label in valid.labels] == ["5", "3", "5"]
    with pytest.raises(ArgumentError) as caught:
        as_pictures((NOISE[:2], as_rows([0, 1])), like=train)
    assert str(caught.value) == (
        "the arrays: has the class '0', which the training images have not; they have 3, 5, 9"
    )


@pytest.mark.parametrize("as_data", [lambda *pair: pair, lambda *pair: zip(*pair, strict=True)])
def test_numbers_that_are_places_stay_places_in_validation_pictures(as_data):
    """Where names were given for the numbers to train on, those to validate with are understood alike."""
    train = from_arrays(NOISE[:4], [1, 0, 2, 1], classes=["9", "cat", "0"])
    parts = split(from_arrays(NOISE[:8], [0, 1] * 4, classes=["9", "cat", "0"]), 0.5, seed=0)
    assert [one.numbered for one in (train, *parts)] == [True] * 3
    for like in (train, *parts, as_pictures(train, like=train)):
        valid = as_pictures(as_data(NOISE[4:7], [2, 0, 1]), like=like)
        assert valid.labels.tolist() == [2, 0, 1]
        assert valid.numbered
    named = as_pictures(as_data(NOISE[4:7], ["0", "9", "cat"]), like=train)
    assert named.labels.tolist() == [2, 0, 1]
    assert as_pictures(as_data(NOISE[4:5], [2]), like=named).labels.tolist() == [2]


def test_names_with_given_classes_do_not_make_numbers_places():
    """Integers go by name where the labels to train on were names, whatever the order of classes."""
    train = from_arrays(NOISE[:3], ["1", "2", "3"], classes=("2", "3", "1"))
    assert as_pictures((NOISE[3:5], [1, 2]), like=train).labels.tolist() == [2, 0]


def test_pictures_to_validate_with_go_by_the_names_of_their_classes():
    """Images that are made already get the order of the classes that are trained."""
    train = from_arrays(NOISE[:4], ["a", "b", "c", "a"])
    valid = as_pictures(from_arrays(NOISE[4:6], [0, 1], classes=("c", "a")), like=train)
    assert valid.classes == ("a", "b", "c")
    assert valid.labels.tolist() == [2, 0]
    assert not valid.numbered


@pytest.mark.parametrize("record", ["run.json", "checkpoint/plan.json"])
def test_the_folder_of_a_run_is_no_class(photos, record):
    """Neither its charts nor its files are taken for images, wherever it lies; it is named."""
    for run in (photos / "run1", photos / "cat" / "run2"):
        write(run, "figures/curves.png")
        (run / record).parent.mkdir(exist_ok=True)
        (run / record).write_text("{}", "utf-8")
    told = tuple(
        Problem(file=str(photos / name), problem="the folder of a run, not of images", used=False)
        for name in ("cat/run2", "run1")
    )
    for pictures in (from_folder(photos), as_pictures(photos, labelled=False)):
        assert pictures.classes == ("cat", "dog")
        assert len(pictures) == 5
        assert pictures.problems == told


def test_links_back_do_not_multiply_pictures(photos):
    """A class whose folder links to itself, to all classes or to another has its own images, once."""
    (photos / "cat" / "self").symlink_to(".")
    (photos / "cat" / "dogs").symlink_to("../dog")
    (photos / "dog" / "up").symlink_to("..")
    pictures = from_folder(photos)
    assert pictures.counts.tolist() == [3, 2]
    assert pictures.problems == ()


def test_a_pipe_among_the_pictures_is_named(photos):
    """Reading it would wait for ever."""
    os.mkfifo(photos / "cat" / "pipe.jpg")
    pictures = from_folder(photos)
    assert len(pictures) == 5
    told = Problem(
        file=str(photos / "cat" / "pipe.jpg"), problem="no file, but a pipe or a device", used=False
    )
    assert pictures.problems == (told,)


def test_a_csv_file_lists_files_and_labels(photos):
    """Files are relative to the table; lines that lack something and files that are missing are named."""
    table = photos / "list.csv"
    table.write_text(
        "id,Image,Class\n1,cat/0.png,meow\n2,dog/3.png,woof\n3,,woof\n4,gone.png,woof\n", "utf-8"
    )
    pictures = as_pictures(table)
    assert pictures.classes == ("meow", "woof")
    assert pictures.labels.tolist() == [0, 1]
    assert np.array_equal(pictures.batch([1], 20, 24)[0], NOISE[3])
    assert pictures.problems == (
        Problem(file=f"{table}, line 4", problem="lacks a file or a label", used=False),
        Problem(
            file=str(photos / "gone.png"),
            problem="cannot be read as an image: No such file or directory",
            used=False,
        ),
    )


def test_a_csv_file_may_leave_out_the_folder_of_the_class(photos):
    """As the drivers' list does: img_1.jpg of class c0 lies in c0; what lies beside the table goes first."""
    write(photos, "3.png", NOISE[9])
    table = photos / "list.csv"
    long = "y" * 300
    table.write_text(f"subject,classname,img\np1,cat,0.png\np1,dog,3.png\np1,dog,{long}.png\n", "utf-8")
    pictures = as_pictures(table)
    assert pictures.names == (str(photos / "cat" / "0.png"), str(photos / "3.png"))
    assert [one.problem for one in pictures.problems] == ["cannot be read as an image: File name too long"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "invalid start byte"),
        (codecs.BOM_UTF16_LE + "file,label\na,b\n".encode("utf-16-le"), "invalid start byte"),
        ("file,label\na,b\n".encode("utf-16-le"), "it holds binary data"),
        ("file,label\na.png,Käfer\n".encode("latin-1"), "invalid continuation byte"),
        (
            b'file,label\n"' + b"x" * (csv.field_size_limit() + 1) + b'",b\n',
            "field larger than field limit (131072)",
        ),
    ],
)
def test_what_is_no_csv_file_is_named(tmp_path, content, reason):
    """An image, another encoding or a line without end gives one line that says what is expected."""
    table = tmp_path / "list.csv"
    table.write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        as_pictures(table)
    assert str(caught.value) == (
        f"{table}: cannot be read as a CSV file: {reason}; "
        "must be a table in UTF-8, with a line for each image"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "{}: needs a column file or filename or path or image or img or picture; it is empty"),
        (
            "name,label\na.png,cat\n",
            "{}: needs a column file or filename or path or image or img or picture; "
            "its first line names name, label",
        ),
        (
            "file,kind\na.png,cat\n",
            "{}: needs a column label or class or classname or category or target; "
            "its first line names file, kind",
        ),
    ],
)
def test_a_csv_file_needs_two_columns(tmp_path, text, message):
    """The message lists the names that are known and those that are there."""
    table = tmp_path / "list.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(ArgumentError) as caught:
        from_csv(table)
    assert str(caught.value) == message.format(table)


@pytest.mark.parametrize(
    "shaped",
    [
        lambda images: images,
        lambda images: images.astype(np.int64),
        lambda images: images.astype(np.float32),
        list,
        lambda images: images.transpose(0, 3, 1, 2),
        lambda images: images.astype(np.uint16),
        lambda images: images.astype(np.uint16) * 257,
        lambda images: np.round(images * (4095 / 255)).astype(np.uint16),
        lambda images: np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1),
    ],
)
def test_arrays_of_all_kinds_become_rgb(shaped):
    """Integers, floats, channels first, 16 bits and an alpha channel give the same images."""
    pictures = from_arrays(shaped(NOISE[:4]), [0, 1, 0, 1])
    assert np.array_equal(pictures.batch(range(4), 20, 24), NOISE[:4])
    assert pictures.names == ("image 0", "image 1", "image 2", "image 3")


def test_the_bits_of_arrays_are_those_of_all_of_them():
    """An image of 16 bits that is all but black stays so among others."""
    deep = NOISE[:4].astype(np.uint16) * 257
    deep[1] = 200
    assert np.unique(from_arrays(deep, [0, 1, 0, 1]).batch([1], 20, 24)).tolist() == [1]


@pytest.mark.parametrize("together", [list, np.stack])
def test_a_picture_on_another_scale_than_the_others_is_named(together):
    """Fractions of 1 among images up to 255 would be black; what is really black is not refused."""
    floats = [picture.astype(np.float64) for picture in NOISE[:4]]
    floats[1] = np.zeros((20, 24, 3))
    floats[2] = np.ones((20, 24, 3))
    assert from_arrays(together(floats), [0, 1, 0, 1]).batch([2], 20, 24).max() == 1
    floats[2] = NOISE[2] / 255
    with pytest.raises(ArgumentError) as caught:
        from_arrays(together(floats), [0, 1, 0, 1])
    assert str(caught.value) == (
        "image 2 has values from 0 to 1, others up to 255: must be 0 to 255; multiply it by 255"
    )


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_no_number_is_found_in_any_picture(place):
    """A NaN is told with the scale, not turned into some grey."""
    floats = NOISE[:2].astype(np.float32)
    floats[place, 0, 0, 0] = np.nan
    with pytest.raises(ArgumentError, match="the images have values from nan to nan: must be 0 to 255"):
        from_arrays(floats, [0, 1])


@pytest.mark.parametrize("shaped", [lambda grey: grey, lambda grey: grey[..., np.newaxis]])
def test_grey_arrays_become_rgb(shaped):
    """One channel is repeated, whether it has an axis or not."""
    pictures = from_arrays(shaped(NOISE[:4, ..., 0]), ["a", "b", "a", "b"])
    assert np.array_equal(pictures.batch([2], 20, 24)[0], np.repeat(NOISE[2, ..., :1], 3, axis=-1))


@pytest.mark.parametrize(
    ("labels", "classes", "expected", "names"),
    [
        ([3, 10, 3, 2], None, [1, 2, 1, 0], ("2", "3", "10")),
        ([[3], [10], [3], [2]], None, [1, 2, 1, 0], ("2", "3", "10")),
        (np.eye(4)[[1, 0, 1, 3]], None, [1, 0, 1, 3], ("0", "1", "2", "3")),
        ([10, 2, 10, -1], None, [2, 1, 2, 0], ("-1", "2", "10")),
        (["dog", "cat", "dog", "dog"], None, [1, 0, 1, 1], ("cat", "dog")),
        ([0, 2, 0, 1], ("x", "y", "z"), [0, 2, 0, 1], ("x", "y", "z")),
        ([0.0, 1.0, 0.0, 1.0], None, [0, 1, 0, 1], ("0", "1")),
        ([False, True, False, True], None, [0, 1, 0, 1], ("0", "1")),
        ([True, True, False, True], ("cat", "dog"), [1, 1, 0, 1], ("cat", "dog")),
    ],
)
def test_labels_of_all_kinds(labels, classes, expected, names):
    """Numbers, columns of numbers, one-hot rows and names are understood; numbers sort as numbers."""
    pictures = from_arrays(NOISE[:4], labels, classes=classes)
    assert pictures.labels.tolist() == expected
    assert pictures.classes == names


ROWS = np.eye(10)[[1, 0, 1, 3]]
FORMS = {
    "floats": ROWS,
    "float16": ROWS.astype(np.float16),
    "integers": ROWS.astype(np.uint8),
    "truth values": ROWS.astype(bool),
    "lists": ROWS.tolist(),
    "tensor": tf.constant(ROWS, tf.float32),
}
CARRIERS = {
    "arrays": lambda images, labels: (images, labels),
    "data set": lambda images, labels: tf.data.Dataset.from_tensor_slices((images, labels)).batch(3),
    "single images": lambda images, labels: list(zip(list(images), list(np.asarray(labels)), strict=True)),
    "batches": lambda images, labels: iter(
        [(images[:2], np.asarray(labels)[:2]), (images[2:], np.asarray(labels)[2:])]
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_one_hot_rows_have_a_class_for_each_column(form, carrier):
    """Also for the last ones and those between, of which there are no images here; these are named."""
    pictures = as_pictures(CARRIERS[carrier](NOISE[:4], FORMS[form]))
    assert pictures.labels.tolist() == [1, 0, 1, 3]
    assert pictures.classes == tuple("0123456789")
    absent = [Problem(file=name, problem="this class has no images", used=False) for name in "2456789"]
    assert pictures.problems == tuple(absent)
    again = as_pictures(CARRIERS[carrier](NOISE[:4], FORMS[form]), like=pictures)
    assert (again.labels.tolist(), again.classes) == ([1, 0, 1, 3], pictures.classes)


def test_one_hot_rows_of_given_classes_are_places_in_them():
    """As many as there are names of, whatever the rows show."""
    pictures = from_arrays(NOISE[:4], ROWS, classes=[f"class {place}" for place in range(10)])
    assert pictures.labels.tolist() == [1, 0, 1, 3]
    assert len(pictures.classes) == 10
    assert pictures.problems == ()


@pytest.mark.parametrize("rows", [[[0, 1], [1, 1]], [[0, 1], [0, 0]], [[0, 1], [-3, 1]], [[0, 1], [0, 2]]])
def test_rows_that_are_not_one_hot_are_refused(rows):
    """Two ones, none, or anything but zeros beside."""
    with pytest.raises(ArgumentError) as caught:
        from_arrays(NOISE[:2], rows)
    assert str(caught.value) == "the labels have shape (2, 2): must be (N,), or (N, classes) one-hot"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (NOISE[:3], [0, 1], "there are 3 images and 2 labels"),
        (NOISE[:0], [], "there are no images"),
        (
            NOISE[:2] / 255,
            [0, 1],
            f"the images have values from {NOISE[:2].min() / 255:g} to {NOISE[:2].max() / 255:g}: "
            "must be 0 to 255; multiply them by 255",
        ),
        (
            np.full((2, 8, 8, 3), -1.5),
            [0, 1],
            "the images have values from -1.5 to -1.5: must be 0 to 255; give raw images; "
            "preprocessing is done here, as each network needs it",
        ),
        (
            np.full((2, 8, 8, 3), -2),
            [0, 1],
            "an image has values from -2 to -2: must be 0 to 255",
        ),
        (NOISE[:2] > 3, [0, 1], "the images are bool: must be integers or floats from 0 to 255"),
        (
            NOISE[:2, :, :, :2],
            [0, 1],
            "an image has shape (20, 24, 2): must be (H, W, 3), (3, H, W) or (H, W)",
        ),
        (NOISE[:2], [0, 0], "the arrays: has one class, '0'; there must be two to tell apart"),
        (NOISE[:2], [0.5, 1], "the labels are no integers, names or one-hot rows"),
        (NOISE[:2], np.zeros((2, 3)), "the labels have shape (2, 3): must be (N,), or (N, classes) one-hot"),
    ],
)
def test_arrays_that_cannot_be_used(images, labels, message):
    """The message says what they are and what they must be."""
    with pytest.raises(ArgumentError) as caught:
        from_arrays(images, labels)
    assert str(caught.value) == message


def test_labels_beyond_the_classes_are_refused():
    """A number without a name is told with how many there are."""
    with pytest.raises(ArgumentError) as caught:
        from_arrays(NOISE[:2], [0, 2], classes=("x", "y"))
    assert str(caught.value) == "the labels go from 0 to 2: there are 2 classes, 0 to 1"


class Tensor:
    """What a PyTorch loader yields looks like to NumPy: an object that turns itself into an array."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


def batches(images, labels, size=3):
    """Yield pairs as a PyTorch loader does: channels first, in batches, the last one shorter."""
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        yield Tensor(images[part].transpose(0, 3, 1, 2)), Tensor(np.array(labels[part]))


LABELS = [0, 1, 0, 1, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "loader",
    [
        lambda: batches(NOISE[:8], LABELS),
        lambda: batches(NOISE[:8], LABELS, size=1),
        lambda: tf.data.Dataset.from_tensor_slices((NOISE[:8], LABELS)).batch(3),
        lambda: tf.data.Dataset.from_tensor_slices((NOISE[:8], LABELS)),
        lambda: zip(NOISE[:8], LABELS, strict=True),
        lambda: [(NOISE[:6], LABELS[:6]), (NOISE[6:8], LABELS[6:])],
        lambda: tf.data.Dataset.from_tensor_slices((NOISE[:8], list(map(str, LABELS)))).batch(3),
        lambda: tf.data.Dataset.from_tensor_slices((NOISE[:8], np.eye(2, dtype=np.float32)[LABELS])).batch(5),
    ],
)
def test_loaders_of_all_kinds(loader):
    """Whatever yields images and labels, in batches or one by one, gives the same images."""
    pictures = as_pictures(loader())
    assert np.array_equal(pictures.batch(range(8), 20, 24), NOISE[:8])
    assert pictures.labels.tolist() == LABELS


GREY = NOISE[:7, ..., 0]


@pytest.mark.parametrize(
    "shaped", [lambda labels: labels, lambda labels: labels[:, np.newaxis], lambda labels: np.eye(2)[labels]]
)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_grey_batches_may_end_in_one_picture(shaped, size):
    """Batches (N, H, W) are batches however few are in them, and however their labels look."""
    labels = shaped(np.array(LABELS[:7]))
    parts = [slice(start, start + size) for start in range(0, 7, size)]
    pictures = from_loader([(GREY[part], labels[part]) for part in parts])
    assert np.array_equal(pictures.batch(range(7), 20, 24)[..., 1], GREY)
    assert pictures.labels.tolist() == LABELS[:7]


def test_single_pictures_are_no_batch_of_their_rows():
    """As many rows as there are classes in a one-hot label do not make an image a batch."""
    pictures = from_loader(zip(NOISE[:4], np.eye(20)[[0, 1, 2, 1]], strict=True))
    assert np.array_equal(pictures.batch(range(4), 20, 24), NOISE[:4])
    assert pictures.labels.tolist() == [0, 1, 2, 1]


def test_single_pictures_with_channels_first_are_no_batch_of_their_colours():
    """Not even where there are as many classes as colours; batches of three grey images stay batches."""
    singles = [np.moveaxis(picture, -1, 0) for picture in NOISE[:4]]
    pictures = from_loader(zip(singles, np.eye(3)[[0, 1, 2, 1]], strict=True))
    assert np.array_equal(pictures.batch(range(4), 20, 24), NOISE[:4])
    assert pictures.labels.tolist() == [0, 1, 2, 1]
    assert from_loader([(GREY[:3], [0, 1, 0]), (GREY[3:6], [1, 1, 0])]).labels.tolist() == [0, 1, 0, 1, 1, 0]


class NotAvailable:
    """What pandas has where a column lacks a value: it is neither equal to anything nor another."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self

    __ne__ = __eq__

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __str__(self):
        return "<NA>"


@pytest.mark.parametrize("missing", [None, float("nan"), NotAvailable()], ids=str)
def test_a_label_that_is_missing_is_no_class(missing):
    """As a column of a table has it; it is not a class of that name."""
    with pytest.raises(ArgumentError) as caught:
        from_arrays(NOISE[:3], np.array(["cat", missing, "dog"], object))
    assert str(caught.value) == f"the label of image 1 is {missing}: must be an integer or a name"


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ([(NOISE[:3], [0, 1])], "a batch has 3 images and labels of shape (2,)"),
        ([(NOISE[:1], 0)], "a batch has 1 image and labels of shape ()"),
        ([(NOISE[0], [0, 1]), (NOISE[1], 1)], "the loader yields labels of different shapes: (), (2,)"),
        ([], "the loader yields nothing"),
        (iter([NOISE]), "the loader yields ndarray: must be pairs (images, labels)"),
    ],
)
def test_loaders_that_yield_something_else(loader, message):
    """The message says what comes and what must."""
    with pytest.raises(ArgumentError) as caught:
        from_loader(loader)
    assert str(caught.value) == message


def test_a_loader_without_end_is_refused():
    """A repeated data set would be read for ever."""
    endless = tf.data.Dataset.from_tensor_slices((NOISE[:2], [0, 1])).repeat()
    with pytest.raises(ArgumentError) as caught:
        from_loader(endless)
    assert str(caught.value) == "the data set has no end: leave out its repeat(), or end it with take(n)"


def test_what_is_no_data_is_refused():
    """The message lists what is taken."""
    with pytest.raises(ArgumentError) as caught:
        as_pictures(5)
    assert str(caught.value) == (
        "data=5: must be a folder, a CSV file, (images, labels), or an iterable of such pairs"
    )


def numbered(counts):
    """Return images of so many of each class."""
    labels = [place for place, count in enumerate(counts) for _ in range(count)]
    images = np.arange(len(labels), dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
    return from_arrays(np.broadcast_to(images, (len(labels), 4, 4, 3)), labels)


def test_a_split_takes_the_share_of_each_class():
    """No image is on both sides, none is lost; every class has its share, at least one and never all."""
    train, valid = split(numbered([20, 10, 2, 1]), 0.3, seed=5)
    assert valid.counts.tolist() == [6, 3, 1, 0]
    assert train.counts.tolist() == [14, 7, 1, 1]
    assert sorted(train.names + valid.names) == sorted(numbered([20, 10, 2, 1]).names)
    assert [one.problem for one in train.problems] == ["this class has one image: nothing validates it"]
    assert train.problems[0].file == "3"


def test_a_split_is_the_same_for_the_same_seed():
    """Another seed gives another split."""
    whole = numbered([20, 20])
    assert split(whole, 0.5, seed=1)[0].names == split(whole, 0.5, seed=1)[0].names
    assert split(whole, 0.5, seed=1)[0].names != split(whole, 0.5, seed=2)[0].names


@pytest.mark.parametrize("share", [0, 1, -0.1, True, "0.2", None, [0.2], float("nan")])
def test_a_share_must_leave_something(share):
    """All or nothing cannot be divided."""
    with pytest.raises(ArgumentError) as caught:
        split(numbered([3, 3]), share, seed=0)
    assert str(caught.value) == f"validation_share={share!r}: must be a number between 0 and 1"


@pytest.mark.parametrize("seed", range(5))
def test_the_same_picture_is_on_one_side_of_a_split(seed):
    """What a class has several times is trained on or validated with, never both, and is told."""
    shades = np.array([0, 1, 1, 1, 2, 3, 3, 4, 5, 6, 7, 7], np.uint8)
    labels = [0] * 9 + [1] * 3
    images = np.broadcast_to(shades[:, np.newaxis, np.newaxis, np.newaxis], (12, 4, 4, 3))
    train, valid = split(from_arrays(images, labels), 0.5, seed=seed)
    assert set(train.digests()).isdisjoint(valid.digests())
    assert len(train) + len(valid) == 12
    assert 1 <= valid.counts[0] <= 4
    assert 1 <= valid.counts[1] <= 2
    told = "is there {} times in its class; all of them on one side of the split"
    assert train.problems == tuple(
        Problem(file=name, problem=told.format(times), used=True)
        for name, times in (("image 1", 3), ("image 5", 2), ("image 10", 2))
    )


def test_a_class_of_one_picture_twice_is_only_trained_on():
    """Nothing could validate it but itself; where two images are each there twice, one is held out."""
    images = np.repeat(NOISE[:3], 2, axis=0)
    train, valid = split(from_arrays(images, [0, 0, 1, 1, 1, 1]), 0.1, seed=0)
    assert train.counts.tolist() == [2, 2]
    assert valid.counts.tolist() == [0, 2]
    assert train.problems[1] == Problem(
        file="0", problem="this class has one image: nothing validates it", used=True
    )


def test_a_class_without_pictures_does_not_keep_others_from_being_divided():
    """A class that was named and has none is on neither side."""
    train, valid = split(from_arrays(NOISE[:4], [0, 0, 2, 2], classes="abc"), 0.5, seed=0)
    assert train.counts.tolist() == valid.counts.tolist() == [1, 0, 1]


def test_single_pictures_cannot_be_divided():
    """One image in each class leaves nothing to validate with."""
    with pytest.raises(ArgumentError) as caught:
        split(numbered([1, 1]), 0.5, seed=0)
    assert str(caught.value) == "no class has two images, one to train on and one to validate with"


def test_the_same_picture_on_both_sides_is_told():
    """So is a class that nothing validates."""
    train = from_arrays(NOISE[:4], [0, 1, 2, 1])
    valid = as_pictures((NOISE[3:5], [1, 0]), like=train)
    assert divided(train, valid) == (
        Problem(file="2", problem="this class has no images to validate with", used=True),
        Problem(file="image 0", problem="the same image is among those that are trained on", used=True),
    )
