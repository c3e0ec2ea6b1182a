"""From a run folder to a page that says what was done and how well it went: ``report.html``, and drawings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.finetuning.report import charts
from zoo.finetuning.report.numbers import class_scores, confusion
from zoo.finetuning.report.page import check_libraries, page
from zoo.finetuning.report.record import Prediction, read_record
from zoo.finetuning.report.scene import Scene, svg_file
from zoo.networks.images import Depth, Picture, PictureError, read_picture

__all__ = ["check_libraries", "write_report"]

_WORST = 24  # mistakes that are shown


def write_report(run_folder: Path, picture: Callable[[int], Picture] | None = None) -> Path:
    """Write ``report.html`` into a run folder, and its drawings as SVG files.

    The page stands alone: no script, nothing loaded from elsewhere, thumbnails inside. ``curves.svg``,
    ``confusion.svg``, ``classes.svg`` and ``mistakes.svg`` are what it shows; where there is nothing to show,
    such as mistakes of a model that made none, there is no such file.

    Args:
        run_folder: Holds ``run.json``, ``history.csv`` and ``predictions.csv``.
        picture: Returns the picture of a row of ``predictions.csv``, counted from 0, as uint8 (H, W, 3);
            asked for those that are in no file. By default these are shown as empty tiles.

    Returns:
        The path of the page.

    Raises:
        ArgumentError: The folder lacks one of the three files, or Jinja2 or Pillow is not installed.
        FileFormatError: One of the three has not the form it was written in.
    """
    check_libraries()
    record = read_record(run_folder)
    labels = [one.label for one in record.predictions]
    counts = confusion(labels, [one.predicted for one in record.predictions], len(record.classes))
    scores = class_scores(counts)
    worst = [(one, _picture(one, picture, record.depth)) for one in record.mistakes[:_WORST]]
    scenes = {
        "curves": charts.curves(record.history, record.phases) if len(record.history) > 1 else None,
        "confusion": charts.confusion_matrix(counts, record.classes),
        "classes": charts.class_bars(scores, record.classes),
        "mistakes": charts.contact_sheet(_tiles(worst), record.classes) if worst else None,
    }
    for name, scene in scenes.items():
        _save(scene, run_folder / f"{name}.svg")
    path = run_folder / "report.html"
    # What is not UTF-8 in a file name is written as an escape that can be read.
    path.write_text(page(record, counts, scores, worst, scenes), "utf-8", errors="backslashreplace")
    return path


def _save(scene: Scene | None, path: Path) -> None:
    if scene is None:
        path.unlink(missing_ok=True)  # of an earlier report
    else:
        path.write_text(svg_file(scene), "utf-8")


def _picture(one: Prediction, picture: Callable[[int], Picture] | None, depth: Depth) -> Picture | None:
    """Return the image that a prediction is of, or ``None`` if it is to be had no more."""
    path = Path(one.file)
    try:
        if path.is_file():  # as it is, not as the network got it
            return read_picture(path, depth)
        return None if picture is None else picture(one.row)
    except PictureError:  # changed since; the page says that there is no image
        return None


def _tiles(worst: list[tuple[Prediction, Picture | None]]) -> list[tuple[Prediction, Picture]]:
    return [(one, charts.empty_tile() if picture is None else picture) for one, picture in worst]
