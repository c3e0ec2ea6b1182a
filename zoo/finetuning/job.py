"""What all strategies share: the data, the settings, the run folder, and the result."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
from zoo.errors import ArgumentError
from zoo.finetuning.arguments import factors_in_words
from zoo.finetuning.augmentation import Augment, default_augmentation, seeded, seeded_by_row
from zoo.finetuning.backbone import all_layers, recipe_for
from zoo.finetuning.batches import (
    Batches,
    FeatureBatches,
    ImageBatches,
    balanced_weights,
    runs_on_tensorflow,
)
from zoo.finetuning.card import write_card
from zoo.finetuning.classifier import Classifier, check_bias, hidden_name
from zoo.finetuning.data import as_pictures
from zoo.finetuning.digests import ModelDigest, digest_model
from zoo.finetuning.division import divided
from zoo.finetuning.duplicates import counted_once, without_conflicts
from zoo.finetuning.ended import Ended
from zoo.finetuning.features import (
    Anatomy,
    Scale,
    dissect,
    extract,
    features_digest,
    image_size,
    predicted,
    preparation_for,
    scope,
)
from zoo.finetuning.hosts import alone, by_itself, check_agreed, share
from zoo.finetuning.optimizer import factors_by_layer
from zoo.finetuning.options import Options, Settings, as_record, without_names
from zoo.finetuning.pictures import Pictures, Problem, Size, digest_images, of_one_depth
from zoo.finetuning.report import check_libraries, write_report
from zoo.finetuning.resuming import (
    began_before,
    begin,
    check_epochs,
    check_same,
    conflicts_of,
    with_fit,
)
from zoo.finetuning.run_folder import (
    RunFolder,
    TrainingEpoch,
    write_history,
    write_json,
    write_predictions,
)
from zoo.finetuning.schedule import (
    STRATEGIES,
    TrainingPhase,
    batch_size,
    check_callbacks,
    own_epochs,
    phase_epochs,
)
from zoo.finetuning.shelves import Features
from zoo.finetuning.tensorboard import Logs
from zoo.finetuning.training import Outcome, TrainingError, compile_for_phase, train
from zoo.networks import heads
from zoo.networks.fitting import DEFAULT_FIT
from zoo.networks.run_record import INCLUDED, SCHEMA
from zoo.registry import get_registry
from zoo.registry.tables import facts_table
from zoo.storage import disk
from zoo.storage.cache import FEATURES
from zoo.surgery.graph import ends
from zoo.surgery.prefix import with_preprocessing
from zoo.variables import default_home

Data = Any
"""A folder, a CSV file, (images, labels), a loader, or ``Pictures``."""

FEATURES_FOLDER = FEATURES
"""Below the cache's home."""

_THUMBNAIL = 160  # pixels
_TOLD = 10  # problems that are told one by one


@dataclass(frozen=True, kw_only=True)
class Result(Ended):
    """What came of a strategy.

    Attributes:
        strategy: Its name.
        reason: Why it was chosen, where ``auto`` did that.
        model: The model, compiled to go on with; its outputs are in the order of ``classes``.
        classes: Their names.
        accuracy: Share of the validation images correctly classified.
        log_loss: Cross-entropy on them.
        history: The epochs of all phases.
        predictions: Probabilities of the validation images, shape (N, classes).
        valid: The validation images; ``None`` where the result was read from its folder.
        problems: What was left out of the data, and what the user should know.
        seconds: It took; those before an interruption are not in it.
        out: The run folder.
        report: The report in it.
        failure: Why it came to nothing, if it did: what is here is of the best epoch there was.
    """

    model: keras.Model = field(repr=False)
    predictions: NDArray[np.float32] = field(repr=False)
    valid: Pictures | None = field(repr=False)

    def __repr__(self) -> str:
        """Return what came of it, in one line."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return what came of it, in one line."""
        count = len(self.predictions)
        came = f"{self.accuracy:.1%} of {counted(count, 'validation image')}, log loss {self.log_loss:.4f}"
        where = "" if self.out is None else f", run {self.out}"
        return f"{self.strategy}{' FAILED' if self.failure else ''}: {came}{where}"

    def _repr_html_(self) -> str:
        left_out = sum(not one.used for one in self.problems)
        told = {
            "failed": self.failure,
            "accuracy": f"{self.accuracy:.1%} of {counted(len(self.predictions), 'validation image')}",
            "log loss": f"{self.log_loss:.4f}",
            "classes": ", ".join(self.classes),
            "epochs": len(self.history),
            "chosen": self.reason,
            "left out": counted(left_out, "image") if left_out else None,
            "run": self.out,
            "report": self.report,
        }
        return facts_table(
            self.strategy, [(name, value) for name, value in told.items() if value is not None]
        )


class Job:
    """One run of a strategy.

    Attributes:
        strategy: Its name.
        settings: The options.
        anatomy: The model, taken apart.
        train: Images to train on.
        valid: Images to validate with.
    """

    def __init__(
        self, strategy: str, settings: Settings, anatomy: Anatomy, train: Pictures, valid: Pictures
    ) -> None:
        self.strategy = strategy
        self.settings = settings
        self.anatomy = anatomy
        self.train, self.valid = train, valid = of_one_depth(train, valid)
        told = (*train.problems, *valid.problems, *divided(train, valid))
        self.problems = tuple(dict.fromkeys(told))  # both parts of one folder tell the same
        self._recipe = recipe_for(anatomy.model, settings.preprocessing)
        self._preparation = preparation_for(anatomy.body, self._recipe)
        self._folder = None if settings.out is None else RunFolder(path=Path(settings.out))
        self._batch_size = _batch_size(anatomy.model, settings.batch_size)
        self._share = share()
        self._logs = self._logs_of(self._folder)
        self._epochs: tuple[TrainingEpoch, ...] = ()
        self._phases: list[dict[str, Any]] = []
        self._failure: str | None = None
        self._is_cut = False
        self._own: Mapping[str, object] = {}
        self._begun = self._folder.begun() if self._folder is not None and settings.resume else None
        self._started = time.perf_counter()

    def _logs_of(self, folder: RunFolder | None) -> Logs | None:
        """Return the logs for TensorBoard, which TensorFlow writes: there are none on another backend."""
        is_written = folder is not None and self._share.is_first and runs_on_tensorflow()
        return Logs(folder.logs) if folder is not None and is_written else None

    @classmethod
    def start(
        cls,
        strategy: str,
        model: keras.Model,
        train: Data,
        valid: Data,
        options: Options,
        *,
        check: Callable[[Pictures], object] = lambda pictures: None,
        **more: object,
    ) -> Job:
        """Check everything that can be checked before anything is computed, and make the run folder.

        Args:
            strategy: Its name.
            model: What to train.
            train: Images to train on.
            valid: Images to validate with.
            options: As the user gave them.
            check: Called with the images to train on; raises if the strategy cannot use them.
            more: What else decides what the run does.

        Raises:
            TypeError: There is no such option.
            ZooError: Something is not allowed or cannot be used.
        """
        settings = with_fit(Settings(**options), train, valid)
        check_callbacks(settings.callbacks, strategy)
        if settings.out is not None:
            check_libraries()
        anatomy = dissect(model)
        learned, held_out = _usable(train, valid, settings, image_size(anatomy.body), check)
        outputs = anatomy.classifier.units
        if outputs != len(learned.classes):
            raise ArgumentError(
                f"model {model.name!r} has {counted(outputs, 'output')}: the images have "
                f"{counted(len(learned.classes), 'class')}; zoo.load(..., num_classes="
                f"{len(learned.classes)}) makes one that fits"
            )
        job = cls(strategy, settings, anatomy, learned, held_out)
        job._own = more
        job.phases()
        job._factors([anatomy.classifier.name, hidden_name(anatomy)])
        job._check_augmentation()
        if STRATEGIES[strategy].keeps_head:
            check_bias(anatomy)
        job.say(
            f"{strategy}: {counted(len(learned), 'image')} of {counted(len(learned.classes), 'class')} "
            f"to train on, {len(held_out)} to validate with"
        )
        for line in job.train.depth.told:
            job.say(line)
        job._say_problems()
        job._open(more)
        return job

    def _open(self, more: Mapping[str, object]) -> None:
        """Make the run folder, or check that the run in it is this one.

        Raises:
            ArgumentError: It is not.
        """
        if self._folder is None:
            return
        plan = json.loads(json.dumps(self._plan(more)))
        if self._begun is not None and "weights before" in self._begun:
            check_same(self._folder.path, self._begun, plan)
            check_epochs(self._folder, self.phases())
        if self._begun is not None and self._is_old:
            plan.pop("fit")  # so that what its number of epochs means stays known
        check_agreed("images, weights, options or run folder", json.dumps([plan, self._begun]))
        if not self._share.is_first:
            return
        about = self.settings.about
        named = {"network": self.anatomy.model.name, "strategy": self.strategy, "fit": self.settings.fit}
        facts = {**named, **about} if "sources" in about else None
        begin(self._folder, plan, facts, resume=bool(self.settings.resume))

    @property
    def _is_old(self) -> bool:
        """Whether the run was begun by a version that counted the epochs of single phases."""
        return began_before(self._begun)

    def _check_augmentation(self) -> None:
        """Check that what changes images can be drawn anew for each batch: on TensorFlow and on JAX.

        Raises:
            ArgumentError: Keras' layers run on another backend.
        """
        over_pictures = any(phase.trained != "classifier" for phase in STRATEGIES[self.strategy].phases)
        backend = keras.backend.backend()
        if over_pictures and self.settings.augmentation is not False and backend not in _SEEDED:
            raise ArgumentError(
                f"augmentation={self.settings.augmentation!r}: needs TensorFlow or JAX, but Keras runs on "
                f"{backend}; say augmentation=False, or set KERAS_BACKEND=tensorflow"
            )

    def _say_problems(self) -> None:
        """Tell what was noticed about the data: classes each by name, of many files the first few."""
        of_classes = [one for one in self.problems if one.file in self.train.classes or not one.used]
        others = len(self.problems) - len(of_classes)
        for one in of_classes[:_TOLD]:
            self.say(f"{one.file}: {one.problem}{'' if one.used else '; left out'}")
        if len(of_classes) > _TOLD:
            self.say(f"... and {len(of_classes) - _TOLD} more; Result.problems and run.json have all")
        if others:
            what = counted(others, "remark")
            self.say(f"{what} about images that are used, in Result.problems and run.json")

    @property
    def scope(self) -> AbstractContextManager[Any]:
        """What new layers have to be made in."""
        return scope(self.anatomy.body)

    @functools.cached_property
    def _body_before(self) -> ModelDigest:
        """What tells the backbone from any other, while no phase has trained it: all weights are hashed."""
        return digest_model(self.anatomy.body)

    def say(self, text: str) -> None:
        """Tell the user something."""
        if self.settings.report is not None and self._share.is_first:
            self.settings.report(text)

    def features(self, pictures: Pictures, *, keep: bool = True) -> Features:
        """Return bottleneck features of images, (N, F); those that no later run will want are not kept."""
        start = time.perf_counter()
        # Processes that found different features there would part ways.
        cache = _cache(self.settings.cache) if keep and self._share.processes == 1 else None
        found = extract(
            self.anatomy.body,
            pictures,
            self._preparation,
            cache=cache,
            fused=self.settings.fused,
            verbose=self.settings.verbose,
            digest=None if cache is None else self._body_before,
        )
        self.say(
            f"{counted(found.shape[1], 'feature')} of {counted(len(pictures), 'image')} in "
            f"{time.perf_counter() - start:.1f} s"
        )
        return found

    def scale(self, features: Features, pictures: Pictures) -> Scale:
        """Return the scale of features (N, F) of images, without those that could not be read."""
        read = self._known(pictures)
        return Scale.of(features[read] if read.any() else features)

    def _known(self, pictures: Pictures) -> NDArray[np.bool_]:
        """Return which images count, (N,): all where processes each know of their own share alone."""
        return pictures.readable if self._share.processes == 1 else np.ones(len(pictures), np.bool_)

    def phases(self) -> tuple[TrainingPhase, ...]:
        """Return the phases of the strategy as the user wants them."""
        table = STRATEGIES[self.strategy].phases
        settings, epochs = self.settings, self._phase_epochs()
        faster = settings.learning_rate / table[0].learning_rate if settings.learning_rate and table else 1.0
        return tuple(
            replace(
                phase,
                learning_rate=phase.learning_rate * faster,
                epochs=epochs[phase.name],
                patience=settings.patience or phase.patience,
                freeze_batch_norm=_either(settings.freeze_batch_norm, phase.freeze_batch_norm),
            )
            for phase in table
        )

    def _phase_epochs(self) -> dict[str, int]:
        """Return how many epochs each phase has at most."""
        record, own, epochs = STRATEGIES[self.strategy], own_epochs(self._own), self.settings.epochs
        if self._is_old and not any(own.values()) and epochs is not None:
            # What was asked for counted in the last phase alone, and the others had their own number.
            return phase_epochs(record, own={record.phases[-1].name: epochs} if record.phases else {})
        return phase_epochs(record, epochs, own)

    def fit_features(
        self, classifier: Classifier, features: Features, held_out: Features, phase: TrainingPhase
    ) -> None:
        """Train a classifier on features of the images to train on.

        Args:
            classifier: The layers.
            features: Of the images to train on, (N, F).
            held_out: Of those to validate with, (M, F).
            phase: Says how.
        """
        with self.scope:
            inputs = keras.Input(features.shape[1:])
            model = keras.Model(inputs, classifier.draw(inputs))
            compile_for_phase(model, phase, self._factors(classifier.names))
        batches = FeatureBatches(
            features, self.train.labels, counts=self.train.readable, **self._training_options()
        )
        valid = FeatureBatches(
            held_out, self.valid.labels, counts=self.valid.readable, batch_size=self._batch_size
        )
        still = [layer.name for layer in all_layers(self.anatomy.body) if layer.weights]
        self._fit(model, batches, valid, phase, frozen=still, is_fresh=True)

    def fit_images(
        self, classifier: Classifier, phase: TrainingPhase, frozen: Callable[[str], bool], *, is_fresh: bool
    ) -> None:
        """Train a classifier and layers of the backbone on images.

        Args:
            classifier: The layers.
            phase: Says how.
            frozen: Tells by its name whether a layer of the backbone stays as it is.
            is_fresh: Whether the classifier has learned nothing yet.
        """
        if self._failure is not None:  # there is nothing to go on from
            return
        body, layers = self.anatomy.body, all_layers(self.anatomy.body)
        body.trainable = True  # a model that is frozen as a whole lets none of its layers learn
        for layer in layers:
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = not (frozen(layer.name) or (is_norm and phase.freeze_batch_norm))
        with self.scope:
            model = keras.Model(body.input, classifier.draw(body.output))
            compile_for_phase(model, phase, self._factors(classifier.names))
        batches = ImageBatches(
            self.train,
            self._preparation,
            augment=_augment(self.settings.augmentation),
            **self._training_options(),
        )
        valid = ImageBatches(self.valid, self._preparation, batch_size=self._batch_size)
        still = [layer.name for layer in layers if layer.weights and not layer.trainable]
        self._fit(model, batches, valid, phase, frozen=still, is_fresh=is_fresh)

    def _fit(
        self,
        model: keras.Model,
        batches: Batches,
        valid: Batches,
        phase: TrainingPhase,
        *,
        frozen: Sequence[str],
        is_fresh: bool,
    ) -> None:
        length = counted(phase.epochs, "epoch")
        rate = f"{phase.learning_rate:g}{factors_in_words(self.settings.learning_rate_factors)}"
        self.say(f"phase {phase.name}: up to {length}, learning rate {rate}")
        before, is_first = self._epochs, not self._phases
        outcome = train(
            model,
            batches,
            valid,
            phase,
            seed=self.settings.seed,
            folder=self._folder.checkpoint / phase.name if self._folder else None,
            on_epoch=lambda epochs: self._end_epoch(phase, before, epochs),
            verbose=self.settings.verbose,
            is_fresh=is_first and is_fresh,
            callbacks=self.settings.callbacks,
        )
        self._phases.append(_phase_record(phase, outcome, frozen))
        self._epochs, self._is_cut = (*before, *outcome.epochs), outcome.is_cut
        if is_first and not outcome.best and (outcome.diverged or is_fresh):
            self._failure = _said_of_nothing(phase, outcome)
            self.say(f"{self._failure}; {_said_of_kept(outcome)}")
        else:
            self.say(_said_of(phase, outcome))

    def _end_epoch(
        self, phase: TrainingPhase, before: tuple[TrainingEpoch, ...], epochs: tuple[TrainingEpoch, ...]
    ) -> None:
        """Take down the epochs of a phase behind those before it, and tell the last where Keras does not."""
        self._keep_epochs((*before, *epochs))
        if self.settings.verbose == 0:
            self.say(_said_of_epoch(phase, epochs[-1]))

    def _keep_epochs(self, epochs: tuple[TrainingEpoch, ...]) -> None:
        """Take down the epochs so far, the last of them new."""
        self._epochs = epochs
        if self._folder is not None and self._share.is_first:
            write_history(self._folder.history, self._epochs)
        if self._logs is not None:
            self._logs.add(epochs[-1])

    def record_fit(self, learned: NDArray[np.float32], held_out: NDArray[np.float32], seconds: float) -> None:
        """Take down what was fitted without epochs.

        Args:
            learned: Probabilities of the images to train on, (N, classes).
            held_out: Probabilities of those to validate with.
            seconds: It took.
        """
        read, judged = self.train.readable, self._judged()
        loss, accuracy = scores(learned[read], self.train.labels[read])
        val_loss, val_accuracy = scores(held_out[judged], self.valid.labels[judged])
        epoch = TrainingEpoch(
            phase=self.strategy,
            epoch=1,
            loss=loss,
            accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=None,
            seconds=seconds,
        )
        self._phases.append({"name": self.strategy, "epochs": 1, "learning_rate": None, "frozen": "backbone"})
        self._keep_epochs((epoch,))

    def finish(self, model: keras.Model) -> Result:
        """Look at the validation images with the trained model, write the run folder, return the result.

        Args:
            model: The trained model, which takes preprocessed images.

        Raises:
            TrainingError: Nothing was learned; what there is was written all the same, and is in the error.
        """
        batches = ImageBatches(self.valid, self._preparation, batch_size=self._batch_size)
        probabilities = predicted(model, batches, verbose=self.settings.verbose)
        judged = self._judged()
        probabilities, valid = probabilities[judged], self.valid.subset(np.flatnonzero(judged))
        log_loss, accuracy = scores(probabilities, valid.labels)
        if self.settings.include_preprocessing and self._recipe is not None:
            with self.scope:
                model = with_preprocessing(model, self._recipe)
        with self.scope:
            heads.compile_for_finetuning(model)
        result = Result(
            strategy=self.strategy,
            reason=self.settings.about.get("reason"),
            model=model,
            classes=self.train.classes,
            accuracy=accuracy,
            log_loss=log_loss,
            history=self._epochs,
            predictions=probabilities,
            valid=valid,
            problems=self.problems + self._lost(),
            seconds=time.perf_counter() - self._started,
            out=None if self._folder is None else self._folder.path,
            report=None,
            failure=self._failure,
        )
        what = counted(len(valid), "validation image")
        self.say(f"{accuracy:.1%} of {what} correctly classified, log loss {log_loss:.3f}")
        result = replace(result, model=alone(result.model))
        if self._folder is not None and self._share.is_first:
            with by_itself():
                result = self._written(result, valid, self._folder)
        check_agreed("end", "written")  # nobody leaves before
        if self._failure is not None:
            raise TrainingError(self._failure, result)
        return result

    def _judged(self) -> NDArray[np.bool_]:
        """Return which validation images can be judged by, (N,).

        Raises:
            TrainingError: None of them could be read any more.
        """
        readable = self.valid.readable
        if not readable.any():
            raise TrainingError(f"none of the validation images can be read any more; {self.valid.names[0]}")
        return readable

    def _lost(self) -> tuple[Problem, ...]:
        """Return the images that could be read at first and no longer."""
        names = (*self.train.unreadable, *self.valid.unreadable)
        what = "could no longer be read; it counted for nothing from then on"
        return tuple(Problem(file=name, problem=what, used=False) for name in dict.fromkeys(names))

    def _written(self, result: Result, valid: Pictures, folder: RunFolder) -> Result:
        # Keras saves under names that end so alone.
        with disk.replacing(folder.model, folder.path / ".new.keras") as temporary:
            # Not compiled: Keras warns when it opens a file whose optimizer has not taken a step.
            keras.Model(*ends(result.model), name=result.model.name).save(temporary)
        write_history(folder.history, result.history)
        write_predictions(folder.predictions, valid, result.predictions, result.classes)
        record = self._record(result)
        write_json(folder.record, record)
        write_card(folder.path, record)
        report = write_report(folder.path, lambda row: valid.batch([row], _THUMBNAIL, _THUMBNAIL)[0])
        if self._logs is not None:
            self._logs.close()
        folder.close(keep=self._is_cut)
        if self._is_cut:
            self.say(
                f"{folder.checkpoint} is kept, so that the run can go on with more epochs; it may be deleted"
            )
        return replace(result, report=report)

    def _record(self, result: Result) -> dict[str, Any]:
        preparation, settings = self._preparation, self.settings
        about = dict(settings.about)
        takes = INCLUDED if settings.include_preprocessing or self._recipe is None else self._recipe.name
        return {
            "format": SCHEMA,
            "status": "finished" if result.failure is None else "failed",
            "failure": result.failure,
            "network": self.anatomy.model.name,
            "weights": about.pop("weights", None),
            "strategy": self.strategy,
            "reason": about.pop("reason", None),
            "classes": list(result.classes),
            "input": [preparation.height, preparation.width, 3],
            "fit": settings.fit,
            "depth": self.train.depth.as_record(),
            "preprocessing": takes,
            "data_format": preparation.data_format,
            "seed": settings.seed,
            "arguments": about.pop("arguments", None) or as_record(settings),
            "phases": self._phases,
            "data": {
                "train": len(self.train),
                "valid": len(result.predictions),
                "by_class": {"train": self.train.counts.tolist(), "valid": self.valid.counts.tolist()},
                "report": [asdict(problem) for problem in result.problems],
            },
            "result": {"accuracy": result.accuracy, "loss": result.log_loss, "log_loss": result.log_loss},
            "seconds": result.seconds,
            **about,
        }

    def _plan(self, more: Mapping[str, object]) -> dict[str, Any]:
        """Return all that decides what the run does."""
        return {
            "strategy": self.strategy,
            "network": self.anatomy.model.name,
            "input": [self._preparation.height, self._preparation.width, 3],
            "classes": list(self.train.classes),
            "weights before": features_digest(self._body_before, self._preparation),
            "dropout": self.anatomy.dropout,
            "pictures to train on": digest_images(self.train),
            "pictures to validate with": digest_images(self.valid),
            **without_names(as_record(self.settings)),
            **{name: value for name, value in more.items() if value is not None},
        }

    def _training_options(self) -> dict[str, Any]:
        weights = None
        if self.settings.class_weights:
            read = self._known(self.train)
            weights = balanced_weights(self.train.labels[read], len(self.train.classes))
        return {"batch_size": self._batch_size, "seed": self.settings.seed, "class_weights": weights}

    def _factors(self, head: Sequence[str]) -> dict[str, float]:
        # Of all layers, whichever of them a phase trains: a group without layers is a mistake, not a phase.
        backbone = [layer.name for layer in all_layers(self.anatomy.body) if layer.weights]
        return factors_by_layer(self.settings.learning_rate_factors, [*backbone, *head], head)


def _usable(
    train: Data, valid: Data, settings: Settings, size: Size, check: Callable[[Pictures], object]
) -> tuple[Pictures, Pictures]:
    """Return the images of both parts in the way that they are to be seen, if a strategy can use them."""
    fit = settings.fit or DEFAULT_FIT
    conflicts = conflicts_of(settings)
    learned = counted_once(as_pictures(train, size=size, fit=fit), conflicts=conflicts)
    check(learned)
    held_out = counted_once(as_pictures(valid, like=learned, size=size), conflicts=conflicts)
    return without_conflicts(learned, held_out, conflicts=conflicts)


def scores(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return cross-entropy and accuracy.

    Args:
        probabilities: Shape (N, classes).
        labels: Shape (N,).
    """
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # As Keras does: no certainty is rewarded or punished without limit.
    loss = -np.log(np.clip(right, 1e-7, 1.0)).mean()
    return float(loss), float(np.mean(probabilities.argmax(axis=1) == labels))


def _batch_size(model: keras.Model, asked: int | None) -> int:
    known = get_registry().architectures.get(model.name)
    return batch_size(known.family if known else None, asked)


def _either(asked: bool | None, usual: bool) -> bool:
    return usual if asked is None else asked


def _cache(asked: bool | str | os.PathLike[str]) -> Path | None:
    if isinstance(asked, bool):
        return default_home() / FEATURES_FOLDER if asked else None
    return Path(asked)


def _augment(asked: bool | keras.Layer) -> Augment | None:
    if asked is False:
        return None
    layer = default_augmentation() if asked is True else asked
    return _SEEDED[keras.backend.backend()](layer)


_SEEDED: Mapping[str, Callable[[keras.Layer], Augment]] = {"tensorflow": seeded, "jax": seeded_by_row}
"""How what is drawn at random is drawn anew for each batch, by Keras' backend."""


def _phase_record(phase: TrainingPhase, outcome: Outcome, frozen: Sequence[str]) -> dict[str, Any]:
    return {
        "name": phase.name,
        "epochs": len(outcome.epochs),
        "best_epoch": outcome.kept,
        "is_cut": outcome.is_cut,
        "learning_rate": phase.learning_rate,
        "frozen": list(frozen),
    }


def _said_of_nothing(phase: TrainingPhase, outcome: Outcome) -> str:
    count, rate = len(outcome.epochs), phase.learning_rate
    what = "the loss is not a number" if outcome.diverged else "nothing was learned: no epoch was better"
    than = "" if outcome.diverged else " than the start"
    return (
        f"phase {phase.name}: {what}{than} after {counted(count, 'epoch')}; "
        f"try a smaller learning rate than {rate:g}, {rate / 10:g} for example"
    )


def _said_of_kept(outcome: Outcome) -> str:
    if not outcome.kept:
        return "the weights stay as they were"
    return f"the weights of the best epoch, {outcome.kept}, are kept"


def _said_of_epoch(phase: TrainingPhase, done: TrainingEpoch) -> str:
    """Return an epoch on one line, its numbers by the names that they have in ``history.csv``."""
    return (
        f"epoch {done.epoch}/{phase.epochs}: loss {done.loss:.4f}, accuracy {done.accuracy:.1%}, "
        f"val_loss {done.val_loss:.4f}, val_accuracy {done.val_accuracy:.1%}, {done.seconds:.1f} s"
    )


def _said_of(phase: TrainingPhase, outcome: Outcome) -> str:
    count = counted(len(outcome.epochs), "epoch")
    if outcome.best == 0:
        why = "the loss was no longer a number" if outcome.diverged else "no epoch was better"
        advice = f"a smaller learning rate than {phase.learning_rate:g} may help"
        return f"phase {phase.name}: {count}; {why}, so the weights stay as they were; {advice}"
    best = outcome.epochs[outcome.best - 1]
    return (
        f"phase {phase.name}: {count}, best {outcome.best}: "
        f"validation loss {best.val_loss:.3f}, accuracy {best.val_accuracy:.1%}"
    )
