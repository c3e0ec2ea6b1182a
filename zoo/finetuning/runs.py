"""From the name of a network and images to a fine-tuned model, in one call."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ParamSpec, Unpack, cast

import keras

from converters import inspect_file
from converters.errors import counted
from converters.planning.structures import load_structure
from zoo.calling import public
from zoo.errors import ArgumentError, DownloadError
from zoo.files.given import weights_at_hand
from zoo.finetuning import devices as several
from zoo.finetuning.backbone import check_recipe, check_told
from zoo.finetuning.data import as_pictures
from zoo.finetuning.division import check_share, check_sources, split
from zoo.finetuning.duplicates import counted_once, without_conflicts
from zoo.finetuning.ended import NOTHING_LEFT, read_record, said_of_end
from zoo.finetuning.features import dissect, extract, preparation_for
from zoo.finetuning.finished import compare, image_facts, not_compared, read_result
from zoo.finetuning.hosts import among_hosts, share
from zoo.finetuning.job import FEATURES_FOLDER, Data, Result
from zoo.finetuning.optimizer import factors_by_layer
from zoo.finetuning.options import Options, Report, Settings, as_record, without_names
from zoo.finetuning.pictures import Pictures, Size, of_one_depth
from zoo.finetuning.resuming import (
    asked_of,
    check_folder,
    conflicts_of,
    is_number_of_epochs,
    resumed,
    where_from,
    with_fit,
)
from zoo.finetuning.run_folder import RunFolder
from zoo.finetuning.schedule import (
    STRATEGIES,
    Choice,
    check_callbacks,
    check_strategy,
    choose_strategy,
    names_of_own_options,
    own_epochs,
    own_options,
    phase_epochs,
)
from zoo.finetuning.shelves import Features
from zoo.finetuning.sizes import size_of
from zoo.finetuning.strategies import Intended
from zoo.finetuning.training import TrainingError
from zoo.networks import whole_entries
from zoo.networks.families.names import keras_name
from zoo.networks.fitting import DEFAULT_FIT, Fit
from zoo.networks.loading import prepared
from zoo.networks.rates import check_dropout
from zoo.networks.weights import as_trained, choose_weights, is_path, set_for
from zoo.numbers import is_flag, is_whole
from zoo.progress.asked import Asked
from zoo.progress.protocol import Progress, shown
from zoo.registry import architecture
from zoo.registry.digests import hash_file
from zoo.registry.records import Architecture, Preprocessing
from zoo.surgery.tensors import DataFormat
from zoo.variables import default_home

VALIDATION_SHARE = 0.2

Weights = str | os.PathLike[str] | None

_ANY_CLASSES = 2  # of a classifier that is left off


_Given = ParamSpec("_Given")


def _resumable(call: Callable[_Given, Result]) -> Callable[_Given, Result]:
    """Let a call with ``resume=RUN`` be one with all the arguments that the run was made with."""

    @functools.wraps(call)
    def completed(*given: _Given.args, **named: _Given.kwargs) -> Result:
        _passed_over = True
        if is_flag(named.get("resume", False)):
            return call(*given, **named)
        said: dict[str, Any] = {**dict(zip(("name", "data"), given, strict=False)), **named}
        arguments = resumed(said)
        if arguments is None:
            return _told_again(RunFolder(path=Path(said["resume"])), said.get("report"))
        return cast(Callable[..., Result], call)(**arguments)

    return completed


@public(
    "strategy",
    "validation_share",
    "input_size",
    "weights",
    "dropout",
    "data_format",
    "devices",
    "process",
    "processes",
)
@among_hosts
@_resumable
@weights_at_hand
def finetune(
    name: str | None = None,
    data: Data = None,
    *,
    strategy: str = "auto",
    train: Data = None,
    valid: Data = None,
    validation_share: float = VALIDATION_SHARE,
    input_size: int | tuple[int, int] | None = None,
    weights: Weights = "imagenet",
    dropout: float = 0.0,
    data_format: DataFormat | None = None,
    devices: str | int | None = None,
    hosts: bool = False,
    coordinator: str | None = None,
    process: int | None = None,
    processes: int | None = None,
    last: int | str | None = None,
    pretrain_epochs: int | None = None,
    finetune_epochs: int | None = None,
    progress: Asked = None,
    **options: Unpack[Options],
) -> Result:
    """Load a network with as many classes as there are, and fine-tune it.

    Args:
        name: Name of an architecture, for example ``resnet101``. With ``resume=RUN`` it can be left out, and
            so can all else: the record of that run tells it.
        data: Images that are divided into some to train on and some to validate with, class by class: a
            folder with a folder per class, a CSV file, ``(images, labels)``, a ``tf.data`` dataset, a PyTorch
            loader, or :class:`~zoo.finetuning.pictures.Pictures`.
        strategy: ``svm``, ``head``, ``last-layers``, ``freeze-pretrain-finetune``, ``all``, or ``auto``,
            which chooses by the number of images.
        train: Images to train on, in place of ``data`` and beside ``valid``.
        valid: Images to validate with.
        validation_share: Share of ``data`` to validate with.
        input_size: Side of the images in pixels, or (H, W); ``None`` is the published size, that of the
            weights set where it has one of its own. VGG stands without its dense layers at any other.
        weights: As for :func:`zoo.load`.
        dropout: As for :func:`zoo.load`.
        data_format: As for :func:`zoo.load`.
        devices: ``"all"`` trains on all devices, a number on so many; ``None`` on the one Keras takes.
        hosts: Whether this is one of several processes of a job of Slurm, which train together on all devices
            that they see, on Keras' JAX backend. The first of them writes the run folder.
        coordinator: The same where there is no Slurm: ``HOST:PORT`` on which process 0 listens,
        process: which of the processes this one is, from 0,
        processes: and how many there are.
        last: For ``last-layers``: which.
        pretrain_epochs: For ``freeze-pretrain-finetune``: of the first phase.
        finetune_epochs: For ``freeze-pretrain-finetune``: of the second phase.
        progress: As for :func:`zoo.fetch`, of the download and of what is computed, unless ``verbose`` has
            Keras show that.
        options: See :class:`~zoo.finetuning.options.Options`. The seed becomes that of Keras, NumPy and
            Python too.

    Returns:
        What came of it.

    Raises:
        UnknownNameError: There is no such architecture, weights set, strategy or layer.
        ArgumentError: An argument is not allowed.
        TrainingError: Nothing was learned.
        HostsError: The processes cannot find each other, or have lost one of them.
        ZooError: The weights cannot be had, or the data cannot be used.
    """
    check_strategy(strategy)
    network = as_trained(_network(name), weights)
    size = size_of(network, input_size)
    own = _own(options, last=last, pretrain_epochs=pretrain_epochs, finetune_epochs=finetune_epochs)
    settings = _settings(network, options, data, train, valid)
    if strategy != "auto":
        check_callbacks(settings.callbacks, strategy)
    _check_before_reading(network, settings, size, weights=weights, dropout=dropout, data_format=data_format)
    _passed_over = True  # what is warned of is about the line that calls this
    context = several.scope(devices)
    order = data_format or keras.config.image_data_format()
    drawn: dict[str, Any] = {"dropout": float(dropout), "data_format": order}
    facts = {"network": network.name, "input_size": list(size)}
    asked = {**facts, **drawn, **own, **without_names(as_record(settings))}
    wish = _Wish(network=network, size=size, weights=weights, share=validation_share, settings=settings)
    finished = _finished(settings, wish, strategy, asked, (data, train, valid))
    if finished is not None:
        return finished
    learned, held_out = _divided(data, train, valid, wish=wish)
    choice, given = _settled(strategy, own, learned, wish)
    _say_what_was_chosen(settings, choice)
    _say_what_for(settings, network, weights)
    source = provenance(network, weights, size, shown())
    asked |= {"strategy": choice.strategy, "weights": _digest_in(source), **image_facts(learned, held_out)}
    found = where_from(
        data, train, valid, validation_share=validation_share, weights=weights, devices=devices
    )
    about = {"weights": source, "reason": choice.reason or None, "asked": asked, "sources": found}
    # So that what has no weights of its own starts the same way each time.
    keras.utils.set_random_seed(settings.seed)
    with context:
        model = load_classifier(network.name, len(learned.classes), size=size, weights=weights, **drawn)
        told = {"fit": settings.fit, "about": {**options.get("about", {}), **about}}
        taken = STRATEGIES[choice.strategy]
        chosen = {**options, **({"fresh_head": True} if taken.fresh_head else {}), **given, **told}
        result: Result = resolve_name(taken.function)(model, learned, held_out, **chosen)
        return result


def own_recipe(network: Architecture) -> Preprocessing | None:
    """Return the recipe that a network's model does not tell by its name, or None.

    A whole model may go by another network's name, and a weights set may have images of its own.

    Args:
        network: With the images of its weights.
    """
    if not network.graphs:
        return network.recipe
    return None if network.preprocessing == _network(network.name).preprocessing else network.preprocessing


def _network(name: str | None) -> Architecture:
    if name is None:
        raise ArgumentError("name=None: must be the name of a network, or left out with resume=RUN")
    return architecture(name)


def _settings(network: Architecture, options: Options, *sources: Data) -> Settings:
    """Return the options as they are checked; a recipe of the network's own goes in among them."""
    settings = with_fit(Settings(**options), *sources)
    recipe = own_recipe(network) if settings.preprocessing == "auto" else None
    if recipe is None:
        return settings
    options["preprocessing"] = recipe.name
    return with_fit(Settings(**options), *sources)


def _say_what_was_chosen(settings: Settings, choice: Choice) -> None:
    """Tell why a strategy was chosen, and what of the options means nothing to it."""
    if choice.reason:
        _say(settings, f"strategy {choice.strategy}: {choice.reason}")
    if settings.epochs is not None and not STRATEGIES[choice.strategy].phases:
        _say(settings, f"strategy {choice.strategy}: has no epochs; epochs={settings.epochs} changes nothing")


def _say_what_for(settings: Settings, network: Architecture, weights: Weights) -> None:
    """Tell what images weights at a path are taken to have been trained on, unless the user says it."""
    recipe = network.preprocessing
    asked = settings.preprocessing
    if weights is None or not is_path(weights) or recipe is None or asked not in ("auto", recipe.name):
        return
    taken = set_for(network, weights)
    whose = f"its weights set {taken}" if taken in network.weights_sets else f"the published {network.name}"
    _say(settings, f"weights {Path(weights).name}: preprocessing {recipe.name}, as {whose} has it")


def _settled(
    strategy: str, own: dict[str, Any], learned: Pictures, wish: _Wish
) -> tuple[Choice, dict[str, Any]]:
    """Return the strategy that images, network, weights and options allow, and what it takes of its own."""
    choice = _chosen(strategy, learned)
    given = own_options(own, choice.strategy)
    intended = Intended(network=wish.network, weights=wish.weights, train=learned, own=given)
    _check_strategy_fits(choice.strategy, intended)
    check_callbacks(wish.settings.callbacks, choice.strategy)
    phase_epochs(STRATEGIES[choice.strategy], wish.settings.epochs, own_epochs(given))
    return choice, given


def _own(options: Options, **named: object) -> dict[str, Any]:
    """Take the options that belong to one strategy alone out of the others, and return them."""
    others = cast(dict[str, Any], options)
    given = {name: others.pop(name, None) for name in names_of_own_options()} | named
    return {name: int(value) if is_whole(value) else value for name, value in given.items()}


def features(
    name: str,
    data: Data,
    *,
    input_size: int | tuple[int, int] | None = None,
    fit: Fit | None = None,
    weights: Weights = "imagenet",
    devices: str | int | None = None,
    cache: bool = True,
    fused: bool = False,
    verbose: int = 0,
    progress: Progress | None = None,
    report: Report | None = None,
) -> tuple[Features, Pictures]:
    """Return the bottleneck features of labelled images.

    Args:
        name: Name of an architecture.
        data: As for :func:`finetune`; images of one class or of none will do.
        input_size: As for :func:`finetune`.
        fit: As for :class:`~zoo.finetuning.options.Options`.
        weights: As for :func:`zoo.load`.
        devices: As for :func:`finetune`.
        cache: Whether features are looked up and kept in the zoo's cache.
        fused: As for :class:`~zoo.finetuning.options.Options`.
        verbose: As for Keras' ``predict``.
        progress: As for :func:`finetune`.
        report: Called with one line of text for each step.

    Returns:
        What the main classifier would take, (N, F), and the images, in the same order.

    Raises:
        ZooError: As :func:`finetune`.
    """
    _passed_over = True
    network = as_trained(architecture(name), weights)
    size = size_of(network, input_size)
    settings = with_fit(Settings(cache=cache, fused=fused, report=report, fit=fit), data)
    _check_network(network, size, weights=weights)
    recipe = network.recipe
    context = several.scope(devices)
    pictures = as_pictures(data, size=size, fit=settings.fit or DEFAULT_FIT, labelled=False)
    if report is not None:
        report(f"{counted(len(pictures), 'image')} of {counted(len(pictures.classes), 'class')}")
        for line in pictures.depth.told:
            report(line)
    provenance(network, weights, size, progress)
    with context:
        model = load_classifier(name, _ANY_CLASSES, size=size, weights=weights)
        body = dissect(model).body
        preparation = preparation_for(body, recipe)
        folder = default_home() / FEATURES_FOLDER if cache else None
        return extract(body, pictures, preparation, cache=folder, fused=fused, verbose=verbose), pictures


def load_classifier(
    name: str,
    classes: int,
    *,
    size: Size,
    weights: Weights = "imagenet",
    dropout: float = 0.0,
    data_format: DataFormat | None = None,
) -> keras.Model:
    """Load a network with one fresh classifier for images of any size.

    Where dense layers below the classifier fix the size (VGG), the classifier stands on the average of the
    last feature map at any other.

    Args:
        name: Name of an architecture.
        classes: How many there are.
        size: Height and width of the images in pixels.
        weights: As for :func:`zoo.load`.
        dropout: As for :func:`zoo.load`.
        data_format: As for :func:`zoo.load`.

    Returns:
        A model with one output, (N, classes), that is not compiled.
    """
    network = as_trained(architecture(name), weights)
    body = _prepared(name, classes, size=size, weights=weights, dropout=dropout, data_format=data_format)()
    if _fits(network, size):
        return body
    x = keras.layers.Dropout(dropout, name="dropout")(body.output) if dropout else body.output
    head = keras_name(network.default_graph.heads[-1].layer)
    dense = keras.layers.Dense(classes, activation="softmax", name=head)
    return keras.Model(body.input, dense(x), name=name)


def _prepared(
    name: str,
    classes: int,
    *,
    size: Size,
    weights: Weights,
    dropout: float,
    data_format: DataFormat | None,
) -> Callable[[], keras.Model]:
    """Check all that :func:`load_classifier` is given; return what loads it, or all below the classifier."""
    order = data_format or keras.config.image_data_format()
    network = as_trained(architecture(name), weights)
    is_whole_network = _fits(network, size)
    check_dropout(dropout)
    if not network.graphs:
        _check_own_size(network, size)
        return prepared(
            name,
            num_classes=classes,
            weights=weights,
            dropout=dropout,
            data_format=data_format,
            compile=False,
        )
    return prepared(
        name,
        num_classes=classes if is_whole_network else 0,
        pooling=None if is_whole_network else "avg",
        weights=weights,
        input_shape=(3, *size) if order == "channels_first" else (*size, 3),
        dropout=dropout if is_whole_network else 0.0,
        aux_heads=False,
        data_format=order,
        compile=False,
    )


def _check_own_size(network: Architecture, size: Size) -> None:
    """Check that a whole model is asked for images of its own size.

    Raises:
        ArgumentError: It is not.
    """
    own = (network.input.height, network.input.width)
    if tuple(size) != own:
        text = f"{network.name} is a whole model for images of {own[0]}x{own[1]}"
        raise ArgumentError(f"input_size={size[0]}: must be left out: {text}")


def _fits(network: Architecture, size: Size) -> bool:
    """Tell whether a network takes images of a size with all layers below its main classifier."""
    if not network.graphs:
        return True  # a whole model takes its own size alone
    graph = network.default_graph
    # Of several heads only the auxiliary ones stand on flattened maps: the main one pools.
    flattens = len(graph.heads) == 1 and any(
        layer.flatten for layer in load_structure(graph.structures[0]).layers
    )
    return not flattens or size == (network.input.height, network.input.width)


def provenance(
    network: Architecture, weights: Weights, size: Size, progress: Progress | None = None
) -> dict[str, str] | None:
    """Return name, SHA-256 and, if known, licence of the file that :func:`load_classifier` reads.

    Without a file it is ``None``.

    Args:
        network: The network.
        weights: As for :func:`zoo.load`.
        size: Height and width of the images in pixels.
        progress: Told about the download, which takes place now if there has to be one.
    """
    if weights is None:
        return None
    if is_path(weights):
        path = Path(weights)
    elif not network.graphs:
        path = whole_entries.file_of(network)
    else:
        headless = not _fits(network, size)
        path = choose_weights(network, weights, headless=headless, progress=progress)[1]().path
    # In the cache a file's name is its id and the first digits of its digest.
    identifier = path.name if is_path(weights) else path.stem.rpartition("-")[0]
    licence = _recorded_licence(path) if is_path(weights) else _licence(network, identifier)
    told = {} if licence is None else {"licence": licence}
    return {"id": identifier, "sha256": hash_file(path, ["sha256"])["sha256"], **told}


def _licence(network: Architecture, identifier: str) -> str | None:
    """Return the licence of a file of the registry, or of what was converted from it, by its name."""
    known = {file.id: file.licence for file in network.weights if identifier.startswith(file.id)}
    return known[max(known, key=len)] if known else None


def _recorded_licence(path: Path) -> str | None:
    """Return the licence that a conversion wrote down."""
    record = inspect_file(path).description.record
    return None if record is None else record.licence


def _divided(data: Data, train: Data, valid: Data, *, wish: _Wish) -> tuple[Pictures, Pictures]:
    check_share(wish.share)
    check_sources(data, train, valid)
    size, fit, conflicts = wish.size, wish.settings.fit or DEFAULT_FIT, conflicts_of(wish.settings)
    if data is not None:
        found = counted_once(as_pictures(data, size=size, fit=fit), conflicts=conflicts)
        return split(found, wish.share, wish.settings.seed)
    learned = counted_once(as_pictures(train, size=size, fit=fit), conflicts=conflicts)
    held_out = counted_once(as_pictures(valid, like=learned, size=size), conflicts=conflicts)
    return without_conflicts(*of_one_depth(learned, held_out), conflicts=conflicts)


def _chosen(strategy: str, pictures: Pictures) -> Choice:
    if strategy == "auto":
        return choose_strategy(len(pictures), len(pictures.classes))
    return Choice(strategy=strategy, reason="")


def _say(settings: Settings, text: str) -> None:
    if settings.report is not None and share().is_first:
        settings.report(text)


def _check_network(
    network: Architecture,
    size: Size,
    *,
    weights: Weights,
    dropout: float = 0.0,
    data_format: DataFormat | None = None,
) -> None:
    _prepared(
        network.name, _ANY_CLASSES, size=size, weights=weights, dropout=dropout, data_format=data_format
    )


def _check_before_reading(
    network: Architecture,
    settings: Settings,
    size: Size,
    *,
    weights: Weights,
    dropout: float,
    data_format: DataFormat | None,
) -> None:
    """Check what can be checked before any image is read, and long before anything is fetched.

    Raises:
        ZooError: Something is not allowed.
    """
    check_recipe(settings.preprocessing)
    check_told(network, settings.preprocessing)
    _check_network(network, size, weights=weights, dropout=dropout, data_format=data_format)
    if network.graphs:
        _check_factors(network, settings)
    if settings.out is not None:
        check_folder(settings.out, resume=bool(settings.resume))


def _check_factors(network: Architecture, settings: Settings) -> None:
    """Check that the layers are there whose learning rates are to be multiplied.

    Raises:
        ZooError: They are not.
    """
    graph = network.default_graph
    head = keras_name(graph.heads[-1].layer)
    published = [load_structure(name) for name in graph.structures]
    layers = [keras_name(layer.name) for structure in published for layer in structure.weighted]
    factors_by_layer(settings.learning_rate_factors, layers, [head, f"{head}_hidden"])


def _check_strategy_fits(strategy: str, intended: Intended) -> None:
    """Check what depends on the strategy, before anything is fetched for it.

    Raises:
        ZooError: Something is not allowed, or the images are none for it.
    """
    check = STRATEGIES[strategy].check
    if check is not None:
        resolve_name(check)(intended)


def _digest_in(source: Mapping[str, str] | None) -> str | None:
    return None if source is None else source["sha256"]


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """What images and weights are asked for, before any are read."""

    network: Architecture
    size: Size
    weights: Weights
    share: float
    settings: Settings


def _finished(
    settings: Settings,
    wish: _Wish,
    strategy: str,
    asked: Mapping[str, Any],
    sources: tuple[Data, Data, Data],
) -> Result | None:
    """Return the result of a run that is to be resumed and has come to its end.

    What costs nothing is compared first, then the images, if any are given, then the weights.

    Raises:
        ArgumentError: It was asked for something else, or cannot go on with more epochs.
        TrainingError: It came to nothing.
    """
    if settings.out is None or not settings.resume:
        return None
    folder = RunFolder(path=Path(settings.out))
    if not folder.is_finished:
        return None
    record = read_record(folder)
    was = asked_of(record)
    named = {} if strategy == "auto" else {"strategy": strategy}
    facts = {"network": asked["network"], **named, **asked}
    compare(folder, was, facts)
    why = _why_finished(folder, was, asked)
    if why is None:
        return None
    for more in (_asked_images(settings, wish, sources), _asked_weights(settings, wish)):
        facts |= more
        compare(folder, was, more)
    untold = not_compared(was, facts)
    strategy_of_run = f"strategy {was.get('strategy')}: as the run had it" if not named else None
    return _told_again(folder, settings.report, why, untold, strategy_of_run)


def _told_again(
    folder: RunFolder, report: Report | None, why: str = NOTHING_LEFT, *lines: str | None
) -> Result:
    """Return the result of a finished run, and say that and why it is one.

    Raises:
        TrainingError: It came to nothing.
    """
    told = (f"{folder.path}: {line}" for line in lines if line is not None)
    for line in (said_of_end(folder, why), *told):
        if report is not None:
            report(line)
    result = read_result(folder)
    if result.failure is not None:
        raise TrainingError(result.failure, result)
    return result


def _why_finished(folder: RunFolder, was: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """Return why a finished run has nothing left to do; ``None`` if it has, with other numbers of epochs.

    Raises:
        ArgumentError: It has, but what it needs for it is gone.
    """
    changed = {
        name: value for name, value in asked.items() if is_number_of_epochs(name) and was.get(name) != value
    }
    if not changed:
        return NOTHING_LEFT
    if folder.may_go_on:
        return None
    told = " and ".join(f"{name}={value!r}" for name, value in changed.items() if value is not None)
    record = STRATEGIES[was["strategy"]]
    if not record.phases:
        return f"the strategy {was['strategy']} has no epochs: {told} changes nothing"
    return _ended_by_itself(folder, was, asked, told)


def _ended_by_itself(folder: RunFolder, was: Mapping[str, Any], asked: Mapping[str, Any], told: str) -> str:
    """Return why more epochs change nothing in a run whose checkpoint is not there.

    Raises:
        ArgumentError: They might, or fewer are asked for than it had.
    """
    record, phases = STRATEGIES[was["strategy"]], read_record(folder)["phases"]
    before = phase_epochs(record, was.get("epochs"), own_epochs(was))
    now = phase_epochs(record, asked.get("epochs"), own_epochs(asked))
    if all(_changes_nothing(phase, before[phase["name"]], now[phase["name"]]) for phase in phases):
        return f"it had stopped by itself: {told} changes nothing"
    done = sum(phase["epochs"] for phase in phases)
    raise ArgumentError(
        f"{folder.path}: {told or 'another number of epochs'}: the run is finished after "
        f"{counted(done, 'epoch')}, and what it needs to go on is not in {folder.checkpoint}; make a new run"
    )


def _changes_nothing(phase: Mapping[str, Any], before: int, now: int) -> bool:
    """Tell whether a phase that could have had another number of epochs would have had the same."""
    return now == before or (not phase.get("is_cut", True) and phase["epochs"] <= now)


def _asked_images(settings: Settings, wish: _Wish, sources: tuple[Data, Data, Data]) -> dict[str, Any]:
    if all(source is None for source in sources):
        _say(settings, f"{settings.out}: no images are given: not compared")
        return {}
    return image_facts(*_divided(*sources, wish=wish))


def _asked_weights(settings: Settings, wish: _Wish) -> dict[str, Any]:
    try:
        return {"weights": _digest_in(provenance(wish.network, wish.weights, wish.size, shown()))}
    except DownloadError as error:
        _say(settings, f"{settings.out}: the weights cannot be had: not compared ({error})")
        return {}
