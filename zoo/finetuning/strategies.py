"""The ways of fine-tuning that the tutorials teach, each one function.

Which of them suits what, and where it comes from, is in :data:`zoo.finetuning.schedule.STRATEGIES`.

``svm``, ``head`` and the first phase of ``freeze_pretrain_finetune`` leave the backbone as it is: its
features are computed once and trained on, without augmentation, which would have to compute them anew in each
epoch. The other phases run the backbone on images that are changed at random. In all of them the new
classifier sees standardised features while it learns, so that one learning rate suits every network; mean and
deviation are folded into its weights in the end.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import keras
import numpy as np
from numpy.typing import NDArray

from converters.planning.structures import load_structure
from zoo.calling import public
from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning.backbone import all_layers, published_graph
from zoo.finetuning.classifier import Classifier, softmax, two_layers
from zoo.finetuning.features import Scale
from zoo.finetuning.job import Data, Job, Result
from zoo.finetuning.options import Options
from zoo.finetuning.pictures import Pictures
from zoo.finetuning.schedule import FIRST_LAYERS, SVM_COST
from zoo.finetuning.shelves import Features
from zoo.finetuning.support_vectors import check_machine, check_several, decision_weights
from zoo.networks import heads
from zoo.networks.families.names import keras_name
from zoo.networks.weights import choose_weights
from zoo.numbers import is_whole
from zoo.registry.fields import did_you_mean
from zoo.registry.records import Architecture, Graph


@dataclass(frozen=True, kw_only=True)
class Intended:
    """What a strategy is about to be used on, for its checks before anything is fetched.

    Attributes:
        network: The network.
        weights: As for :func:`zoo.load`.
        train: Images to train on.
        own: The options of the strategy alone that were given.
    """

    network: Architecture
    weights: str | os.PathLike[str] | None
    train: Pictures
    own: Mapping[str, Any]


def check_svm(intended: Intended) -> None:
    """Check that a machine can be fitted.

    Raises:
        ZooError: It cannot.
    """
    check_machine(SVM_COST)
    check_several(intended.train)


def check_last_layers(intended: Intended) -> None:
    """Check that the network has the layers; those of a whole model are known when its file is there.

    Raises:
        ZooError: It has not.
    """
    weights, network, last = intended.weights, intended.network, intended.own.get("last")
    if not network.graphs:
        _check_last(last)
        return
    graph = network.default_graph if weights is None else choose_weights(network, weights)[0]
    published_first_layers(graph, last)


_STATISTICS = 2_000  # images that mean and deviation of the features are taken from


@public("cost")
def svm(
    model: keras.Model, train: Data, valid: Data, *, cost: float = SVM_COST, **options: Unpack[Options]
) -> Result:
    """Fit a linear support vector machine to bottleneck features.

    For under about 1,000 images: few numbers to learn, a wide margin, nothing to overfit with. The model
    that comes out is the backbone with a dense layer that computes the machine's decision values; the softmax
    over them ranks the classes but is not calibrated.

    Args:
        model: From ``zoo.load(name, num_classes=N)``, or any model that ends in a dense layer of N classes.
        train: Images to train on: a folder with a folder per class, a CSV file, ``(images, labels)``, a
            ``tf.data`` dataset, a PyTorch loader, or :class:`~zoo.finetuning.pictures.Pictures`.
        valid: Images to validate with, in any of these forms.
        cost: Of an image on the wrong side of the margin (scikit-learn's C).
        options: See :class:`~zoo.finetuning.options.Options`.

    Returns:
        What came of it; its ``model`` is the given one with the new classifier.

    Raises:
        ArgumentError: An argument is not allowed, or scikit-learn is not installed.
        ZooError: The data cannot be used.
    """
    check_machine(cost)
    job = Job.start("svm", model, train, valid, options, check=check_several, cost=float(cost))
    start = time.perf_counter()
    features, held_out = job.features(job.train), job.features(job.valid)
    classifier = softmax(job.anatomy, job.scale(features, job.train), job.settings.seed)
    readable = job.train.readable
    weights = decision_weights(
        classifier.scale.standardise(features)[readable],
        job.train.labels[readable],
        len(job.train.classes),
        cost=cost,
        balanced=job.settings.class_weights,
        seed=job.settings.seed,
    )
    classifier.output.set_weights(weights)
    return finish_fitted(job, classifier, features, held_out, time.perf_counter() - start)


def finish_fitted(
    job: Job, classifier: Classifier, features: Features, held_out: Features, seconds: float
) -> Result:
    """End a run whose classifier was computed, not trained epoch by epoch.

    Args:
        job: The run.
        classifier: One dense layer, with its weights.
        features: Of the images to train on, (N, F).
        held_out: Of those to validate with, (M, F).
        seconds: It took.
    """
    kernel, bias = classifier.folded
    learned, judged = (_softmax(rows @ kernel + bias) for rows in (features, held_out))
    job.record_fit(learned, judged, seconds)
    return job.finish(_keep(job, classifier))


@public()
def head(model: keras.Model, train: Data, valid: Data, **options: Unpack[Options]) -> Result:
    """Train a new softmax alone, on bottleneck features.

    For few images too, and for a first look: seconds after the features are there. It tells how far the
    network as it is tells the classes apart.

    Args:
        model: As for :func:`svm`.
        train: As for :func:`svm`.
        valid: As for :func:`svm`.
        options: See :class:`~zoo.finetuning.options.Options`.

    Returns:
        What came of it; its ``model`` is the given one with the new classifier.

    Raises:
        ZooError: As :func:`svm`; and TrainingError where nothing was learned.
    """
    job = Job.start("head", model, train, valid, options)
    features, held_out = job.features(job.train), job.features(job.valid)
    classifier = softmax(job.anatomy, job.scale(features, job.train), job.settings.seed)
    (phase,) = job.phases()
    job.fit_features(classifier, features, held_out, phase)
    return job.finish(_keep(job, classifier))


@public()
def freeze_pretrain_finetune(
    model: keras.Model,
    train: Data,
    valid: Data,
    *,
    pretrain_epochs: int | None = None,
    finetune_epochs: int | None = None,
    **options: Unpack[Options],
) -> Result:
    """Train two small dense layers on the frozen backbone, then everything at a tenth of the learning rate.

    For a few hundred images a class. The new layers learn first, so that what they do not know yet does not
    spoil what the backbone knows; then the whole network learns slowly, on images changed at random. Batch
    normalisation keeps its statistics.

    Args:
        model: As for :func:`svm`; its classifier is replaced by the two layers.
        train: As for :func:`svm`.
        valid: As for :func:`svm`.
        pretrain_epochs: Of the two layers alone, at most; ``None``: half of ``epochs``, 50 at most.
        finetune_epochs: Of everything, at most; ``None``: the rest of ``epochs``, or 10.
        options: See :class:`~zoo.finetuning.options.Options`.

    Returns:
        What came of it; its ``model`` is a new one on the given one's backbone.

    Raises:
        ZooError: As :func:`head`.
    """
    numbers: dict[str, Any] = {"pretrain_epochs": pretrain_epochs, "finetune_epochs": finetune_epochs}
    plain: dict[str, Any] = {
        name: int(number) if is_whole(number) else number for name, number in numbers.items()
    }
    job = Job.start("freeze-pretrain-finetune", model, train, valid, options, **plain)
    pretrain, finetune = job.phases()
    features, held_out = job.features(job.train), job.features(job.valid)
    classifier = two_layers(job.anatomy, job.scale(features, job.train), job.settings.seed)
    job.fit_features(classifier, features, held_out, pretrain)
    job.fit_images(classifier, finetune, lambda name: False, is_fresh=False)
    body = job.anatomy.body
    with job.scope:
        whole = keras.Model(body.input, classifier.draw_folded(body.output), name=model.name)
    return job.finish(whole)


@public("last")
def last_layers(
    model: keras.Model,
    train: Data,
    valid: Data,
    *,
    last: int | str | None = None,
    fresh_head: bool = False,
    **options: Unpack[Options],
) -> Result:
    """Train the last layers of a network, the classifier among them, on images changed at random.

    For a few thousand images a class: the first layers see edges and colours, which are the same in all
    images, and stay as they are. Batch normalisation keeps its statistics.

    Args:
        model: As for :func:`svm`.
        train: As for :func:`svm`.
        valid: As for :func:`svm`.
        last: Which layers to train. A number: so many of the last entries of the published list, those
            without weights counted. A layer's name: from it on. ``None``: all but the first ten.
        fresh_head: Whether the classifier starts anew; otherwise from what it is.
        options: See :class:`~zoo.finetuning.options.Options`.

    Returns:
        What came of it; its ``model`` is the given one.

    Raises:
        UnknownNameError: There is no layer of this name.
        ZooError: As :func:`head`.
    """
    frozen = first_layers(model, last)
    named = int(last) if is_whole(last) else last
    job = Job.start("last-layers", model, train, valid, options, last=named, fresh_head=bool(fresh_head))
    return _train_images(job, frozen, fresh_head=fresh_head)


@public()
def train_all(
    model: keras.Model,
    train: Data,
    valid: Data,
    *,
    fresh_head: bool = False,
    **options: Unpack[Options],
) -> Result:
    """Train every layer, starting from what the network knows, on images changed at random.

    For very many images, or such that look nothing like ImageNet's (X-rays, handwriting), for which its
    features are of little use.

    Args:
        model: As for :func:`svm`.
        train: As for :func:`svm`.
        valid: As for :func:`svm`.
        fresh_head: Whether the classifier starts anew; otherwise from what it is.
        options: See :class:`~zoo.finetuning.options.Options`.

    Returns:
        What came of it; its ``model`` is the given one.

    Raises:
        ZooError: As :func:`head`.
    """
    job = Job.start("all", model, train, valid, options, fresh_head=bool(fresh_head))
    return _train_images(job, lambda name: False, fresh_head=fresh_head)


def _train_images(job: Job, frozen: Callable[[str], bool], *, fresh_head: bool) -> Result:
    (phase,) = job.phases()
    classifier = softmax(job.anatomy, _scale_of_some(job), job.settings.seed)
    if not fresh_head:
        own = job.anatomy.classifier.get_weights()
        classifier.output.set_weights(classifier.scale.unfold(own))
    job.fit_images(classifier, phase, frozen, is_fresh=fresh_head)
    return job.finish(_keep(job, classifier))


def _scale_of_some(job: Job) -> Scale:
    """Return the scale of the features of images to train on, of so many as tell it well."""
    count = len(job.train)
    chosen = np.random.default_rng(job.settings.seed).permutation(count)[:_STATISTICS]
    some = job.train.subset(np.sort(chosen))
    return job.scale(job.features(some, keep=False), some)


def _keep(job: Job, classifier: Classifier) -> keras.Model:
    """Give a model's own classifier what was learned."""
    job.anatomy.classifier.set_weights(classifier.folded)
    return job.anatomy.model


def _softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def first_layers(model: keras.Model, last: int | str | None) -> Callable[[str], bool]:
    """Return a function that tells by its name whether a layer comes before the last ones.

    Args:
        model: For a network of the registry, told by its name, the published list of layers counts;
            otherwise the model's own.
        last: As for :func:`last_layers`.

    Raises:
        ArgumentError: There are not so many layers.
        UnknownNameError: There is no layer of this name.
    """
    graph = published_graph(model)
    if graph is None:
        return _first_of([layer.name for layer in all_layers(model)], last)
    return published_first_layers(graph, last)


def published_first_layers(graph: Graph, last: int | str | None) -> Callable[[str], bool]:
    """Do what :func:`first_layers` does for a network of the registry, of which no model is needed.

    Args:
        graph: The graph of the network.
        last: As for :func:`last_layers`.

    Raises:
        ArgumentError: There are not so many layers.
        UnknownNameError: There is no layer of this name.
    """
    structures = [load_structure(name) for name in graph.structures]
    published = [keras_name(layer.name) for layer in structures[0].layers]
    if not isinstance(last, str):
        return _first_of(published, last)
    known = [keras_name(layer.name) for structure in structures for layer in structure.layers]
    if keras_name(last) not in known:
        raise UnknownNameError(f"last={last!r}: there is no such layer{did_you_mean(last, known)}")
    before = heads.frozen_layers(last, graph, structures)
    lower = [name for name in published if before(name)][:-1]  # the named one itself is to learn
    return lambda name: name in lower


def _first_of(names: Sequence[str], last: int | str | None) -> Callable[[str], bool]:
    if last is None:
        lower = names[:FIRST_LAYERS]
    elif isinstance(last, str):
        if last not in names:
            raise UnknownNameError(f"last={last!r}: there is no such layer{did_you_mean(last, names)}")
        lower = names[: names.index(last)]
    else:
        _check_last(last, most=len(names))
        lower = names[: len(names) - last]
    return lambda name: name in lower


def _check_last(last: object, *, most: float = math.inf) -> None:
    """Check what layers to train, in a network of so many.

    Raises:
        ArgumentError: It is neither a name nor a number of them.
    """
    if last is None or isinstance(last, str) or (is_whole(last) and 1 <= last <= most):
        return
    to = "" if most == math.inf else f" to {most}"
    raise ArgumentError(f"last={last!r}: must be a number of layers from 1{to}, a layer's name or None")
