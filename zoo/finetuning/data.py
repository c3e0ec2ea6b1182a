"""Labelled images from wherever they are: folders, a CSV file, arrays, or whatever yields batches.

Every image is read once before anything is trained. One that cannot be used is left out and named then,
not in the middle of an epoch.
"""

from __future__ import annotations

import csv
import functools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
from zoo.calling import public
from zoo.errors import ArgumentError, DataError
from zoo.finetuning.pictures import Pictures, Problem, Size, of_one_depth
from zoo.finetuning.sources import Arrays, Files, Source, rgb
from zoo.networks.fitting import DEFAULT_FIT, Fit, Frame
from zoo.networks.images import (
    ENDINGS,
    UNDECIDED,
    Depth,
    PictureError,
    bits_of,
    read_picture,
    visible_files,
)

SPLITS = frozenset({"train", "training", "valid", "val", "validation", "test", "testing"})
"""Names of folders that hold parts of a data set and not classes."""

FILE_COLUMNS = ("file", "filename", "path", "image", "img", "picture")
LABEL_COLUMNS = ("label", "class", "classname", "category", "target")

_CHANNELS = (1, 3, 4)
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """Which classes images are to have.

    Attributes:
        names: All of them; ``None``: those that the labels name.
        numbered: Whether integers, as labels, are places in ``names``.
        trained: Whether they are those of the training images, and not what the user said.
    """

    names: tuple[str, ...] | None = None
    numbered: bool = False
    trained: bool = False


def _given(classes: Sequence[str] | None) -> _Wanted:
    """Return the classes that the user named, if any."""
    return _Wanted() if classes is None else _Wanted(names=tuple(classes), numbered=True)


@public()
def as_pictures(
    data: object,
    *,
    like: Pictures | None = None,
    size: Size | None = None,
    fit: Fit = DEFAULT_FIT,
    labelled: bool = True,
) -> Pictures:
    """Return labelled images from anything that holds some.

    Args:
        data: A folder with a folder per class; a CSV file; ``(images, labels)``; a ``tf.data`` dataset, a
            PyTorch loader or another iterable of such pairs; or :class:`Pictures`.
        like: The images to train on, where these are to validate with: they get the same classes in the
            same order, by name. Integers name classes too, unless ``like`` was made with names for them.
            Images of more than 8 bits a channel are on a scale that suits both; for those of ``like`` see
            :func:`of_one_depth`.
        size: Height and width at which they will be asked for, if that is known.
        fit: What becomes of images of another shape: ``crop``, ``pad`` or ``stretch``; ``like`` has its own.
        labelled: Whether the classes matter; if not, a folder may hold images as they come.

    Raises:
        DataError: There are no images in it, only one class, or a class that ``like`` has not.

    Examples:
        >>> from zoo import finetuning
        >>> train = finetuning.as_pictures("photos")
        >>> valid = finetuning.as_pictures("photos", like=train)  # the same classes, in the same order
        >>> valid.classes == train.classes
        True
    """
    if like is None:
        return replace(_read(data, _Wanted(), _frame(size, fit), labelled=labelled), fit=fit)
    wanted = _Wanted(names=like.classes, numbered=like.numbered, trained=True)
    found = _read(data, wanted, _frame(size, like.fit), labelled=labelled)
    return of_one_depth(like, replace(found, numbered=like.numbered, fit=like.fit))[1]


def check_source(data: str | os.PathLike[str], *, labelled: bool = True, least: int = 2) -> None:
    """Check that a folder or a table has images, as far as names and the first that can be read tell.

    Args:
        data: A folder, or a CSV file.
        labelled: As for :func:`as_pictures`.
        least: How many classes there must be where they matter.

    Raises:
        DataError: It is not there, has no images, too few classes of them, or none of them can be read.
    """
    path = Path(data)
    if path.is_file():
        listed, _ = _in_table(path)
    elif not labelled and path.is_dir():
        listed, _ = _below(path)
    else:
        _, listed, _ = _in_folders(path)
    if not any(_is_readable(file) for file, _ in listed):
        as_pictures(data, labelled=labelled)  # which says of each what is wrong
    if labelled:
        _check_classes(path, sorted({label for _, label in listed}), least)


def _check_classes(where: object, classes: Sequence[str], least: int) -> None:
    if len(classes) < least:
        raise DataError(f"{where}: has one class, {classes[0]!r}; there must be two to tell apart")


def _is_readable(file: Path) -> bool:
    try:
        read_picture(file)
    except PictureError:
        return False
    return True


def _frame(size: Size | None, fit: Fit = DEFAULT_FIT) -> Frame | None:
    """Return what images will be asked for in, if that is known."""
    return None if size is None else Frame(height=size[0], width=size[1], fit=fit)


def _read(data: object, wanted: _Wanted, frame: Frame | None, *, labelled: bool) -> Pictures:
    if isinstance(data, Pictures):
        return _with_classes(data, wanted)
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        if path.is_file():
            return _table(path, wanted, frame)
        if not labelled and path.is_dir():
            return _unlabelled(path, frame)
        return _folder(path, wanted, frame)
    if isinstance(data, tuple | list) and len(data) == 2 and not _is_two_batches(data):
        return _array(data[0], data[1], wanted)
    if isinstance(data, Iterable):
        return _loader(data, wanted)
    expected = "a folder, a CSV file, (images, labels), or an iterable of such pairs"
    raise ArgumentError(f"data={data!r}: must be {expected}")


def _is_two_batches(data: Sequence[Any]) -> bool:
    """Tell a list of two pairs, as a loader yields them, from ``[images, labels]``."""
    return isinstance(data, list) and all(isinstance(item, tuple) and len(item) == 2 for item in data)


@public()
def from_folder(
    folder: str | os.PathLike[str], *, classes: Sequence[str] | None = None, size: Size | None = None
) -> Pictures:
    """Return the images of a folder that has a folder per class, ``FOLDER/CLASS/**/*.jpg``.

    The folders of runs are left out, wherever they lie in it.

    Args:
        folder: The folder.
        classes: The classes there are, in the order that they are to have; ``None``: the folders, sorted.
        size: Height and width at which they will be asked for, if that is known.

    Raises:
        DataError: There is no such folder, no images in it, only one class, or a class that is not
            among ``classes``.

    Examples:
        >>> from zoo import finetuning
        >>> found = finetuning.from_folder("photos")  # photos/cats/1.png, photos/dogs/1.png and so on
        >>> found.classes, len(found)
        (('cats', 'dogs'), 4)
    """
    return _folder(Path(folder), _given(classes), _frame(size))


def _folder(root: Path, wanted: _Wanted, frame: Frame | None) -> Pictures:
    expected, listed, problems = _in_folders(root)
    return _from_files(root, listed, expected=expected, problems=problems, wanted=wanted, frame=frame)


_Listed = list[tuple[Path, str]]
"""Files, each with its label."""


def _in_folders(root: Path) -> tuple[list[str], _Listed, list[Problem]]:
    """Return the folders of classes, the images in them, and what is left out.

    Raises:
        DataError: There is no such folder, or it has none for classes.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder or file")
    files, problems = _files_in(root)
    runs = {problem.file for problem in problems}
    folders = sorted(
        path
        for path in root.iterdir()
        if path.is_dir() and not path.name.startswith(".") and str(path) not in runs
    )
    _check_folders(root, folders)
    listed: _Listed = []
    for path in files:
        label, picture = _folder_in(root, path), path.suffix.lower() in ENDINGS
        if label and picture:
            listed.append((path, label))
        elif label or picture:
            reason = "not an image, by the end of its name" if label else "not in the folder of a class"
            problems.append(Problem(file=str(path), problem=reason, used=False))
    return [one.name for one in folders], listed, problems


def _files_in(root: Path) -> tuple[list[Path], list[Problem]]:
    """Return the files below a folder but those of runs, and the folders of runs as what is left out."""
    files = visible_files(root)
    runs = {path.parent for path in files if path.name == "run.json"}
    runs |= {path.parent.parent for path in files if path.parts[-2:] == ("checkpoint", "plan.json")}
    runs.discard(root)  # the user asks for what is in it
    problems = [
        Problem(file=str(run), problem="the folder of a run, not of images", used=False)
        for run in sorted(runs)
    ]
    return [path for path in files if runs.isdisjoint(path.parents)], problems


def _unlabelled(root: Path, frame: Frame | None) -> Pictures:
    """Return all images below a folder; the class of each is the folder there that it lies in, if any."""
    listed, problems = _below(root)
    wanted = _Wanted(names=tuple(sorted({label for _, label in listed})) or ("",))
    return _from_files(root, listed, expected=(), problems=problems, wanted=wanted, frame=frame, least=1)


def _below(root: Path) -> tuple[_Listed, list[Problem]]:
    files, problems = _files_in(root)
    listed = [(path, _folder_in(root, path)) for path in files if path.suffix.lower() in ENDINGS]
    return listed, problems


def _folder_in(root: Path, path: Path) -> str:
    folders = path.relative_to(root).parent.parts
    return folders[0] if folders else ""


def _check_folders(root: Path, folders: Sequence[Path]) -> None:
    names = [path.name for path in folders]
    if not names:
        loose = sum(path.suffix.lower() in ENDINGS for path in root.iterdir())
        found = f"; the {counted(loose, 'image', 'in it has', 'in it have')} no class" if loose else ""
        raise DataError(f"{root}: has no folders; make one for each class, {root}/CLASS/*.jpg{found}")
    if len(names) > 1 and SPLITS.issuperset(name.lower() for name in names):
        advice = f"give them as train='{root / names[0]}', valid=... (--train, --valid)"
        raise DataError(f"{root}: its folders {', '.join(names)} are no classes; {advice}")


@public()
def from_csv(
    path: str | os.PathLike[str], *, classes: Sequence[str] | None = None, size: Size | None = None
) -> Pictures:
    """Return the images that a CSV file lists, with the class of each.

    Args:
        path: A CSV file in UTF-8 whose first line names its columns: one of ``file``, ``filename``, ``path``,
            ``image``, ``img``, ``picture`` and one of ``label``, ``class``, ``classname``, ``category``,
            ``target``. Files are meant relative to the folder that it lies in; one that is not there is
            looked for in the folder there that is called like its class.
        classes: The classes there are, in the order that they are to have; ``None``: the labels, sorted.
        size: Height and width at which they will be asked for, if that is known.

    Raises:
        DataError: It is no such file, lacks a column, lists no images, only one class, or a class that
            is not among ``classes``.

    Examples:
        >>> from zoo import finetuning
        >>> found = finetuning.from_csv("photos.csv")  # file,label and then cats/1.png,cat and so on
        >>> found.classes, found.labels.tolist()
        (('cat', 'dog'), [0, 0, 1, 1])
    """
    return _table(Path(path), _given(classes), _frame(size))


def _table(table: Path, wanted: _Wanted, frame: Frame | None) -> Pictures:
    listed, problems = _in_table(table)
    expected = [label for _, label in listed]
    return _from_files(table, listed, expected=expected, problems=problems, wanted=wanted, frame=frame)


def _in_table(table: Path) -> tuple[_Listed, list[Problem]]:
    """Return what :func:`_lines` does.

    Raises:
        DataError: It is no table, or lacks a column.
    """
    with readable_table(table):
        return _lines(table)


@contextmanager
def readable_table(table: object) -> Iterator[None]:
    """Turn what reading a table raises into one clear line.

    Raises:
        DataError: It is no table.
    """
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        expected = "must be a table in UTF-8, with a line for each image"
        raise DataError(f"{table}: cannot be read as a CSV file: {reason}; {expected}") from error


def _lines(table: Path) -> tuple[_Listed, list[Problem]]:
    """Return the files that a table lists, each with its label, and the lines that list none."""
    listed: _Listed = []
    problems: list[Problem] = []
    for row in rows_of(table):
        if row.name and row.label:
            listed.append((row.within(table.parent), row.label))
        else:
            place = f"{table}, line {row.number}"
            problems.append(Problem(file=place, problem=INCOMPLETE, used=False))
    return listed, problems


INCOMPLETE = "lacks a file or a label"
"""What is wrong with a line of a table that names no picture."""


class Row(NamedTuple):
    """A line of a table of pictures.

    Attributes:
        number: Of the line, from 1.
        name: Of the file; empty if it lacks one.
        label: The class; empty if it lacks one.
    """

    number: int
    name: str
    label: str

    def within(self, folder: Path) -> Path:
        """Return the file that is meant: some tables leave out the folder of the class."""
        path, within = folder / self.name, folder / self.label / self.name
        return within if not _is_there(path) and _is_there(within) else path


def rows_of(table: Path) -> Iterator[Row]:
    """Yield the lines of a table, one after the other.

    Raises:
        DataError: It lacks a column.
        UnicodeDecodeError: It is not in UTF-8.
        csv.Error: It is no table.
    """
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or ()
        if any("\0" in name for name in names):
            raise csv.Error("it holds binary data")
        file_column = _column(table, names, FILE_COLUMNS)
        label_column = _column(table, names, LABEL_COLUMNS)
        for row in rows:
            yield Row(rows.line_num, (row[file_column] or "").strip(), (row[label_column] or "").strip())


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, say: reading it tells
        return False


def _column(table: Path, names: Sequence[str], known: Sequence[str]) -> str:
    for name in names:
        if name.strip().lower() in known:
            return name
    has = f"its first line names {', '.join(names)}" if names else "it is empty"
    raise DataError(f"{table}: needs a column {' or '.join(known)}; {has}")


def _from_files(
    where: Path,
    listed: Sequence[tuple[Path, str]],
    *,
    expected: Sequence[str],
    problems: list[Problem],
    wanted: _Wanted,
    frame: Frame | None,
    least: int = 2,
) -> Pictures:
    paths, labels = [path for path, _ in listed], [label for _, label in listed]
    source = Files(paths)
    usable = []
    inspected = _inspected(source, len(paths), frame)
    depth = functools.reduce(Depth.joined, source.depths.values(), UNDECIDED)
    for index, (name, found) in enumerate(zip(paths, inspected, strict=True)):
        if isinstance(found, PictureError):
            reason = str(found).removeprefix(f"{name}: ")
            problems.append(Problem(file=str(name), problem=reason, used=False))
        else:
            usable.append(index)
            notes = (*found, *source.notes(index, depth))
            problems += [Problem(file=str(name), problem=note, used=True) for note in notes]
    known = sorted({labels[index] for index in usable})
    problems += [
        Problem(file=name, problem="this class has no images that can be read", used=False)
        for name in sorted(set(expected).difference(known))
    ]
    return _assembled(
        where,
        [(str(paths[index]), labels[index]) for index in usable],
        wanted=wanted,
        found=known,
        problems=problems,
        source=source,
        places=usable,
        depth=depth,
        least=least,
    )


_Inspection = tuple[str, ...] | PictureError
"""What was done to an image, or why it cannot be used."""


def _inspected(source: Files, count: int, frame: Frame | None) -> list[_Inspection]:
    """Read all images once, several at a time."""

    def inspect(index: int) -> _Inspection:
        try:
            return source.inspect(index, frame)
        except PictureError as error:
            return error

    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        # Pillow warns of odd metadata and of large images; neither keeps an image from being used.
        warnings.simplefilter("ignore")
        return list(pool.map(inspect, range(count)))


@public()
def from_arrays(
    images: Iterable[Any],
    labels: Iterable[Any],
    *,
    classes: Sequence[str] | None = None,
) -> Pictures:
    """Return images from arrays.

    Args:
        images: Values 0 to 255, of shape (N, H, W, 3), (N, 3, H, W), (N, H, W, 1), (N, H, W, 4) or (N, H, W);
            or a list of N such images of different sizes.
        labels: Whole numbers, names, or one-hot rows; N of them.
        classes: Names of the classes. Integers are places in it; ``None`` takes the sorted labels, whole
            numbers too, as names, and of one-hot rows all columns, also where no row has a one.

    Raises:
        ArgumentError: The two do not belong together, the values are not on the scale 0 to 255, or there is
            only one class.

    Examples:
        >>> import numpy as np
        >>> from zoo import finetuning
        >>> images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3))
        >>> found = finetuning.from_arrays(images, ["cat", "dog"] * 3)
        >>> found.classes, found.labels.tolist()
        (('cat', 'dog'), [0, 1, 0, 1, 0, 1])
    """
    return _array(images, labels, _given(classes))


def _array(images: Any, labels: Any, wanted: _Wanted) -> Pictures:  # noqa: ANN401
    pictures = _plain_images(images)
    given = np.asarray(labels)
    labels = _plain_labels(given)
    if len(labels) != len(pictures):
        raise ArgumentError(
            f"there are {counted(len(pictures), 'image')} and {counted(len(labels), 'label')}"
        )
    numbered = wanted.numbered and np.issubdtype(labels.dtype, np.integer)
    named = _numbered_names(labels, wanted.names or ()) if numbered else _names(labels)
    names = [f"image {place}" for place in range(len(named))]
    # One-hot rows have a column for each class, also for those that none of these images shows.
    columns = set(map(str, range(given.shape[1]))) if _is_one_hot(given) else set()
    found = sorted({*named, *columns}, key=_natural)
    without = () if wanted.names is not None else sorted(columns.difference(named), key=_natural)
    assembled = _assembled(
        "the arrays",
        list(zip(names, named, strict=True)),
        wanted=wanted,
        found=found,
        problems=[Problem(file=name, problem="this class has no images", used=False) for name in without],
        source=Arrays(pictures),
        places=range(len(names)),
        depth=_depth_of(pictures),
    )
    return replace(assembled, numbered=numbered)


@public()
def from_loader(loader: Iterable[Any], *, classes: Sequence[str] | None = None) -> Pictures:
    """Return the images that a ``tf.data`` dataset, a PyTorch loader or another iterable yields.

    It is read once to its end, and what it yields is held in memory as uint8, or uint16 if it has 16 bits.

    Args:
        loader: Yields pairs of images and labels, in batches or one by one, raw: values 0 to 255, neither
            normalised nor augmented.
        classes: As :func:`from_arrays` takes them.

    Raises:
        ArgumentError: It yields something else or has no end, or what :func:`from_arrays` refuses.

    Examples:
        >>> import numpy as np
        >>> from zoo import finetuning
        >>> batch = np.zeros((2, 32, 32, 3), np.uint8), ["cat", "dog"]
        >>> len(finetuning.from_loader([batch, batch]))
        4
    """
    return _loader(loader, _given(classes))


def _loader(loader: Iterable[Any], wanted: _Wanted) -> Pictures:
    cardinality: Callable[[], Any] | None = getattr(loader, "cardinality", None)
    if cardinality is not None and int(cardinality()) == -1:
        raise ArgumentError("the data set has no end: leave out its repeat(), or end it with take(n)")
    images: list[NDArray[Any]] = []
    labels: list[Any] = []
    pairs = [_pair(item) for item in loader]
    are_single = _are_single(pairs)
    for some, their in pairs:
        batched = not are_single and _is_batch(some, their)
        if batched and their.shape[:1] != some.shape[:1]:
            raise ArgumentError(
                f"a batch has {counted(len(some), 'image')} and labels of shape {their.shape}"
            )
        images += list(some) if batched else [some]
        labels += list(their) if batched else [their]
    if not images:
        raise ArgumentError("the loader yields nothing")
    if len(shapes := sorted({np.shape(label) for label in labels})) > 1:
        raise ArgumentError(f"the loader yields labels of different shapes: {', '.join(map(str, shapes))}")
    return _array(images, np.stack(labels), wanted)


_Pair = tuple[NDArray[Any], NDArray[Any]]


def _pair(item: object) -> _Pair:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise ArgumentError(f"the loader yields {type(item).__name__}: must be pairs (images, labels)")
    return np.asarray(item[0]), np.asarray(item[1])


def _are_single(pairs: Sequence[_Pair]) -> bool:
    """Tell images (C, H, W) with a one-hot label of C classes each from batches of C grey images.

    One pair looks like the other; but labels of several batches are hardly all a single 1 among zeros.
    """
    if len(pairs) < 2 or any(images.ndim != 3 or len(images) not in _CHANNELS for images, _ in pairs):
        return False
    shapes = {labels.shape for _, labels in pairs}
    return len(shapes) == 1 and _is_one_hot(np.stack([labels for _, labels in pairs]))


def _is_batch(images: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Tell grey images (N, H, W) with N labels from one image with channels and its label."""
    if images.ndim != 3 or labels.ndim == 0:
        return images.ndim == 4
    return len(images) == len(labels) and (labels.ndim == 2 or images.shape[-1] not in _CHANNELS)


def _plain_images(images: Any) -> list[NDArray[Any]]:  # noqa: ANN401
    """Return each image as uint8 of shape (H, W, 3), or as uint16 of shape (H, W, channels)."""
    arrays = [np.asarray(image) for image in images]
    if not arrays:
        raise ArgumentError("there are no images")
    _check_floats(arrays)
    return [_plain_image(array) for array in arrays]


def _depth_of(pictures: Sequence[NDArray[Any]]) -> Depth:
    """Return the scale on which all arrays of 16 bits can be."""
    deep = [float(picture.max()) for picture in pictures if picture.dtype == np.uint16]
    return Depth(bits=bits_of(max(deep))) if deep else UNDECIDED


def _check_floats(arrays: Sequence[NDArray[Any]]) -> None:
    floats = {
        place: array
        for place, array in enumerate(arrays)
        if np.issubdtype(array.dtype, np.floating) and array.size
    }
    if not floats:
        return
    low = float(np.min([array.min() for array in floats.values()]))
    high = float(np.max([array.max() for array in floats.values()]))
    _check_scale(low, high)
    for place, array in floats.items():
        # All of it black or nearly: that may be. Fractions of one grey level in all of it: hardly.
        if array.max() <= 1 and not np.array_equal(array, np.round(array)):
            raise ArgumentError(
                f"image {place} has values from {array.min():g} to {array.max():g}, others up to {high:g}: "
                "must be 0 to 255; multiply it by 255"
            )


def _check_scale(low: float, high: float) -> None:
    advice = "give raw images; preprocessing is done here, as each network needs it"
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 255:
        raise ArgumentError(f"the images have values from {low:g} to {high:g}: must be 0 to 255; {advice}")
    if high <= 1:
        raise ArgumentError(
            f"the images have values from {low:g} to {high:g}: must be 0 to 255; multiply them by 255"
        )


def _plain_image(array: NDArray[Any]) -> NDArray[Any]:
    """Return one image as :func:`_plain_images` does."""
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim == 3 and array.shape[-1] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.ndim != 3 or array.shape[-1] not in _CHANNELS or 0 in array.shape:
        raise ArgumentError(f"an image has shape {array.shape}: must be (H, W, 3), (3, H, W) or (H, W)")
    return array if array.dtype == np.uint16 else rgb(_eight_bit(array), UNDECIDED)


def _eight_bit(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise ArgumentError(f"the images are {array.dtype}: must be integers or floats from 0 to 255")
    _check_scale_of_integers(array)
    return np.round(array).astype(np.uint8)


def _check_scale_of_integers(array: NDArray[Any]) -> None:
    if array.min() < 0 or array.max() > 255:
        raise ArgumentError(f"an image has values from {array.min():g} to {array.max():g}: must be 0 to 255")


def _plain_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """Return integers or names, shape (N,)."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]  # as keras.datasets has them
    elif _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.ndim != 1:
        raise ArgumentError(f"the labels have shape {labels.shape}: must be (N,), or (N, classes) one-hot")
    if labels.dtype == np.bool_:
        return labels.astype(np.int64)
    if np.issubdtype(labels.dtype, np.floating):
        if not np.array_equal(labels, np.round(labels)):
            raise ArgumentError("the labels are no integers, names or one-hot rows")
        return labels.astype(np.int64)
    return labels


def _is_one_hot(labels: NDArray[Any]) -> bool:
    """Tell rows of zeros with a one in each, of two classes or more, from any other labels."""
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return False
    ones = labels == 1
    return bool(np.all(ones.sum(axis=1) == 1) and np.all(ones | (labels == 0)))


def _numbered_names(labels: NDArray[Any], classes: Sequence[str]) -> list[str]:
    """Return the name of each image's class from its place among them."""
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        known = f"{'is' if len(classes) == 1 else 'are'} {counted(len(classes), 'class')}"
        raise ArgumentError(
            f"the labels go from {labels.min()} to {labels.max()}: there {known}, 0 to {len(classes) - 1}"
        )
    return [classes[label] for label in labels]


def _names(labels: NDArray[Any]) -> list[str]:
    for place, label in enumerate(labels.tolist()):
        if _is_missing(label):
            raise ArgumentError(f"the label of image {place} is {label}: must be an integer or a name")
    return [label.decode() if isinstance(label, bytes) else str(label) for label in labels.tolist()]


def _is_missing(label: object) -> bool:
    """Tell whether a label is None or not equal to itself, as NaN is not and what pandas has for it."""
    same = label == label  # noqa: PLR0124
    return label is None or not isinstance(same, bool | np.bool_) or not same


def _natural(name: str) -> tuple[int, int, str]:
    """Return a key that sorts -1 before 2 and 2 before 10, and numbers before names."""
    return (0, int(name), name) if name.removeprefix("-").isdecimal() else (1, 0, name)


def _assembled(
    where: object,
    listed: Sequence[tuple[str, str]],
    *,
    wanted: _Wanted,
    found: Sequence[str],
    problems: Sequence[Problem],
    source: Source,
    places: Sequence[int],
    depth: Depth = UNDECIDED,
    least: int = 2,
) -> Pictures:
    names, labels = [name for name, _ in listed], [label for _, label in listed]
    classes = tuple(found) if wanted.names is None else wanted.names
    known = {name: place for place, name in enumerate(classes)}
    if not labels:
        told = f"; {problems[0].file}: {problems[0].problem}" if problems else ""
        raise DataError(f"{where}: has no images that can be used{told}")
    if unknown := sorted(set(labels).difference(known)):
        whose = "which the training images have not; they have" if wanted.trained else "which is none of"
        raise DataError(f"{where}: has the class {unknown[0]!r}, {whose} {', '.join(classes)}")
    _check_classes(where, classes, least)
    return Pictures(
        classes=classes,
        labels=np.array([known[label] for label in labels], np.int64),
        names=tuple(names),
        problems=tuple(problems),
        depth=depth,
        source=source,
        places=np.asarray(places, np.int64),
    )


def _with_classes(pictures: Pictures, wanted: _Wanted) -> Pictures:
    """Return the same images with the classes that others have."""
    if wanted.names in (None, pictures.classes):
        return pictures
    labels = [pictures.classes[label] for label in pictures.labels]
    return _assembled(
        "the images",
        list(zip(pictures.names, labels, strict=True)),
        wanted=wanted,
        found=(),
        problems=pictures.problems,
        source=pictures.source,
        places=pictures.places.tolist(),
        depth=pictures.depth,
    )
