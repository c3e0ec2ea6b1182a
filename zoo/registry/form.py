"""The form of ``registry.yaml``: one table of keys, from which checks and JSON Schema both come.

Whether values fit together (a head that is no layer, a structure that does not exist) no table can say; that
is checked in :mod:`zoo.registry.assembly`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import ArgumentError
from zoo.registry.digests import DIGEST_PATTERN, parse_digest
from zoo.registry.fields import (
    Anything,
    Choice,
    Flag,
    ListOf,
    MapOf,
    Maybe,
    Mistake,
    Number,
    Path,
    Record,
    Text,
    Whole,
    show,
)
from zoo.registry.records import (
    Accuracy,
    ClassIndex,
    Digest,
    Grade,
    Graph,
    Head,
    Input,
    Paper,
    Preprocessing,
    WeightsFile,
)
from zoo.registry.urls import URL_PATTERN, URL_RULE


class _DigestText:
    """``ALGORITHM:VALUE``, held as the pair of them."""

    def check(self, value: object, path: Path) -> tuple[str, str]:
        if not isinstance(value, str):
            raise Mistake(path, f"{show(value)} is not text")
        try:
            return parse_digest(value)
        except ArgumentError as error:
            raise Mistake(path, str(error)) from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{DIGEST_PATTERN})$"}


def _make_digest(*, digest: tuple[str, str], grade: Grade, source: str) -> Digest:
    algorithm, value = digest
    return Digest(algorithm=algorithm, value=value, grade=grade, source=source)


TEXT = Text()
NAME = Text(
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    must="consist of letters, digits, '.', '_' and '-' and start with a letter or digit",
)
LAYER = Text(pattern=r"\S+", must="be a layer's name, without blanks")
FILENAME = Text(pattern=r"[^\s/\\]+", must="be a file's name, without blanks and slashes")
URL = Text(pattern=URL_PATTERN, must=URL_RULE)
COUNT = Whole(1)
PER_CENT = Number(0.0, 100.0)
PER_CHANNEL_MEAN = ListOf(Number(0.0, 255.0), 3, fixed=True)
PER_CHANNEL_SCALE = ListOf(Number(0.0, 1000.0), 3, fixed=True)
FRACTION = Number(0.0, 1.0)
NUMBERED = Choice(("keras1", "keras2"))

DIGEST = Record(
    _make_digest,
    {
        "digest": (
            _DigestText(),
            "sha256, md5, git-blob-sha1 or cksum (POSIX), a colon, the published value",
        ),
        "grade": (
            Choice(("A", "B", "C", "D", "practice")),
            "A: stated by whoever serves this URL; B: by two independent copies; C: by one copy; D: not"
            " cryptographic; practice: a file of the practice zoo",
        ),
        "source": (TEXT, "Where the value is stated"),
    },
)

WEIGHTS_FILE = Record(
    WeightsFile,
    {
        "id": (NAME, "Name of this file, unique in the registry; part of its name in the cache"),
        "set": (NAME, "Weights set that it belongs to: imagenet, or a name of its own for other values"),
        "structure": (NAME, "Structure that lists its layers, a file of converters/planning/structures"),
        "top": (Flag(), "Whether it holds the classifier"),
        "layout": (Choice(("th", "tf")), "th: channels first, tf: channels last"),
        "kernels": (Choice(("th", "tf")), "th: rotated for true convolution, tf: for cross-correlation"),
        "dialect": (Choice(("keras0", "keras1", "keras2")), "Generation of Keras that wrote the HDF5"),
        "filename": (FILENAME, "Name under which it was published; not unique"),
        "bytes": (Maybe(COUNT), "Exact size, null if nobody states it"),
        "digests": (ListOf(DIGEST), "Published digests; every one of them is checked"),
        "urls": (ListOf(URL, 1), "Where it can be had, tried in this order"),
        "licence": (TEXT, "Licence of the weights"),
        "source": (TEXT, "Where the weights come from"),
    },
)

CONFIGS: Mapping[str, Record[dict[str, object]]] = {
    "vgg": Record(
        dict,
        {
            "convolutions": (ListOf(COUNT, 5, fixed=True), "Convolutions in each block"),
            "filters": (ListOf(COUNT, 5, fixed=True), "Filters of the convolutions in each block"),
            "dense": (ListOf(COUNT, 1), "Units of the dense layers before the classifier"),
            "dropout": (FRACTION, "Dropped after each of these dense layers"),
        },
    ),
    "googlenet": Record(
        dict,
        {
            "modules": (
                MapOf(ListOf(COUNT, 6, fixed=True), NAME),
                "Filters of each inception module: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection",
            ),
            "renamed": (
                MapOf(LAYER, LAYER),
                "Published names of layers that break the pattern MODULE/output",
            ),
        },
    ),
    "inception_v3": Record(
        dict,
        {
            "conv_bias": (Flag(), "Whether convolutions have a bias"),
            "batch_norm_scale": (Flag(), "Whether batch normalisation has a gamma"),
            "relu_before_batch_norm": (Flag(), "Whether ReLU comes before batch normalisation"),
            "pool_filters": (
                ListOf(COUNT, 3, fixed=True),
                "Filters of the pooled branch of mixed0 to mixed2",
            ),
            "factorised_filters": (
                ListOf(ListOf(COUNT, 2, fixed=True), 4, fixed=True),
                "Width of the 7x7 branches of mixed4 to mixed7, first width of the longer one",
            ),
            "last_reduction_pool": (Choice(("average", "max")), "Pooling in mixed8"),
            "naming": (NUMBERED, "Generation of Keras that numbered the layers"),
        },
    ),
    "inception_v4": Record(
        dict,
        {
            "blocks": (ListOf(COUNT, 3, fixed=True), "Blocks A, B and C"),
            "naming": (NUMBERED, "Generation of Keras that numbered the layers"),
            "batch_norm_scale": (Flag(), "Whether batch normalisation has a gamma"),
            "dropout": (FRACTION, "Dropped before the classifier"),
        },
    ),
    "resnet": Record(
        dict,
        {
            "blocks": (ListOf(COUNT, 4, fixed=True), "Blocks in stages 2 to 5"),
            "conv_bias": (Flag(), "Whether convolutions have a bias"),
            "numbered_stages": (
                ListOf(Whole(2, 5)),
                "Stages whose later blocks are called b1, b2 and not b, c",
            ),
            "naming": (
                Choice(("automatic", "caffe")),
                "Names of layers without weights: activation_1 and the like, or Caffe's, as in res2a_relu",
            ),
        },
    ),
    "densenet": Record(
        dict,
        {
            "blocks": (ListOf(COUNT, 4, fixed=True), "Layers in each dense block"),
            "growth_rate": (COUNT, "Feature maps that each layer adds"),
            "stem_filters": (COUNT, "Filters of the first convolution"),
            "compression": (FRACTION, "Share of the feature maps that a transition keeps"),
        },
    ),
}
"""What each family's builder needs to know, by family."""

HEAD = Record(
    Head,
    {
        "name": (LAYER, "Name of the softmax output"),
        "layer": (LAYER, "Published name of its dense layer"),
    },
)

GRAPH = Record(
    Graph,
    {
        "structures": (
            ListOf(NAME, 1),
            "Structures: the first names the model's layers, others are other names for them",
        ),
        "config": (Anything(), "The numbers that the family's builder needs"),
        "batch_norm_epsilon": (
            Maybe(FRACTION),
            "Added to the variance; null without batch normalisation",
        ),
        "heads": (ListOf(HEAD, 1), "The classifiers; the last is the main one"),
        "top": (ListOf(LAYER, 1), "Weighted layers that a file without the top lacks"),
    },
    named=True,
)

INPUT = Record(
    Input,
    {
        "height": (COUNT, "Height of the published input, in pixels"),
        "width": (COUNT, "Width of the published input, in pixels"),
        "channels": (COUNT, "Channels of the published input"),
        "min_size": (COUNT, "Smallest side that the network takes without its top, in pixels"),
    },
)

ARCHITECTURE: Record[dict[str, object]] = Record(
    dict,
    {
        "title": (TEXT, "Name in print"),
        "family": (Choice(tuple(CONFIGS)), "The builder that draws it"),
        "paper": (
            Record(
                Paper,
                {
                    "title": (TEXT, "Title of the paper"),
                    "year": (Whole(1900, 2100), "Year in which it appeared"),
                    "url": (URL, "Where it can be read"),
                },
            ),
            "Where the network was introduced",
        ),
        "input": (INPUT, "The images it was published for"),
        "classes": (COUNT, "Outputs of each published head"),
        "class_index": (NAME, "Which of class_indexes names the classes"),
        "class_offset": (Whole(0), "Outputs before the first class of the index"),
        "preprocessing": (NAME, "Which of the recipes its images must go through"),
        "accuracy": (
            Record(
                Accuracy,
                {
                    "top1_error_percent": (
                        Maybe(PER_CENT),
                        "Top-1 error, null where it is not stated",
                    ),
                    "top5_error_percent": (PER_CENT, "Top-5 error"),
                    "source": (TEXT, "Where the errors are stated"),
                },
            ),
            "Published error of the weights set imagenet on the ImageNet validation set, one crop",
        ),
        "graphs": (
            MapOf(GRAPH, NAME),
            "The networks of this name; the first is that of the set imagenet",
        ),
        "weights": (ListOf(WEIGHTS_FILE), "Every published file, best first among those of the same form"),
    },
    named=True,
)

PREPROCESSING = Record(
    Preprocessing,
    {
        "channel_order": (Choice(("rgb", "bgr")), "Order of the channels that the network expects"),
        "mean": (PER_CHANNEL_MEAN, "Subtracted first, scale 0 to 255, in this order of channels"),
        "scale": (PER_CHANNEL_SCALE, "Multiplied afterwards, in this order of channels"),
        "source": (TEXT, "Where the recipe is stated"),
    },
    named=True,
)

CLASS_INDEX = Record(
    ClassIndex,
    {
        "classes": (COUNT, "Number of classes that it names"),
        "bytes": (COUNT, "Exact size"),
        "digests": (ListOf(DIGEST, 1), "Published digests"),
        "urls": (ListOf(URL, 1), "Where it can be had, tried in this order"),
    },
    named=True,
)

SCHEMA = 1
"""The number of the form of a registry; an overlay that says none is of it."""

FORM: Record[dict[str, Any]] = Record(
    dict,
    {
        "schema": (Choice((SCHEMA,)), "Version of this form"),
        "class_indexes": (MapOf(CLASS_INDEX, NAME), "Files that name the classes"),
        "preprocessing": (MapOf(PREPROCESSING, NAME), "Recipes: (image - mean) * scale, channel by channel"),
        "architectures": (MapOf(ARCHITECTURE, NAME), "The networks"),
    },
)
"""The whole of ``registry.yaml``."""
