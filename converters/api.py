"""What users and the command line call: convert, plan, inspect."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converters.arrays.form import TF, Form, Kernels, Layout, checked_axis, ends_of
from converters.errors import (
    AlreadyConvertedError,
    ArgumentError,
    ConversionError,
    UnknownFlattenError,
    checked_path,
    counted,
    warn_of,
)
from converters.formats.description import Description
from converters.formats.dialects import describe
from converters.formats.record import ConversionRecord
from converters.formats.table import FORMATS, OTHERS, format_of, said_by, targets, weights_suffixes
from converters.layers.model import Layer
from converters.planning.activations import CHOICES
from converters.planning.facts import Fact, has_rotated_kernels, learn_kernels, learn_layout
from converters.planning.flatten import Flatten
from converters.planning.making import make_plan
from converters.planning.plan import Plan
from converters.planning.structures import Match, find_structure, recognise
from converters.writing.deviations import with_evidence
from converters.writing.execute import Progress, check_config, planned_texts, write


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A conversion that was carried out.

    Attributes:
        source: The file that was converted: its path, or its address.
        target: The new file.
        plan: What was done to each array.
        record: What the new file says of itself.
    """

    source: Path | str
    target: Path | str
    plan: Plan
    record: ConversionRecord

    def __repr__(self) -> str:
        """Return what was done in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return one line."""
        record = self.record
        proof = f"verified {record.proof}" if record.proof else "not verified"
        return f"{self.source} ({record.source}) converted to {self.target} ({record.form}), {proof}"

    def as_dict(self) -> dict[str, Any]:
        """Return the conversion as plain values that JSON can hold."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "record": self.record.attributes(),
            "plan": {**self.plan.as_dict(), "path": str(self.source)},
        }


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a weights file is and holds.

    Attributes:
        description: Layers, arrays and attributes.
        layout: Its layout and who tells it, or None if nothing does.
        kernels: How its kernels are stored and who tells it, or None if nothing does.
        structure: The name of the known structure that the file holds, or None.
        address: Where the file lies if it was brought here to be read, or None.
    """

    description: Description
    layout: Fact | None
    kernels: Fact | None
    structure: str | None
    address: str | None = None

    @property
    def arrays(self) -> int:
        """The number of arrays."""
        return sum(len(layer.arrays) for layer in self.description.layers)

    def __repr__(self) -> str:
        """Return what it is in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return one line."""
        description = self.description
        what = f"{description.called}, {self.structure or 'no known network'}"
        form = f"layout {self.layout or 'unknown'}, kernels {self.kernels or 'unknown'}"
        counts = f"{counted(self.arrays, 'array')}, {counted(description.parameters, 'parameter')}"
        return f"{self.address or description.path}: {what}; {form}; {counts}"

    def as_dict(self) -> dict[str, Any]:
        """Return the inspection as plain values that JSON can hold."""
        description = self.description
        return {
            "path": self.address or str(description.path),
            "bytes": description.nbytes,
            "dialect": description.called,
            "keras_version": description.keras_version,
            "backend": description.backend,
            "whole_model": description.whole_model,
            "layout": self.layout.value if self.layout else None,
            "layout_from": self.layout.source if self.layout else None,
            "kernels": self.kernels.value if self.kernels else None,
            "kernels_from": self.kernels.source if self.kernels else None,
            "structure": self.structure,
            "record": description.record.attributes() if description.record else None,
            "layers": [_layer_dict(layer) for layer in description.layers],
            "arrays": self.arrays,
            "parameters": description.parameters,
        }


def _layer_dict(layer: Layer) -> dict[str, Any]:
    arrays = [
        {
            "name": array.name,
            "role": array.role and array.full_role,
            "shape": list(array.shape),
            "dtype": str(array.dtype),
        }
        for array in layer.arrays
    ]
    inside = [part for part in layer.parts if part.name != layer.name or part.kind != layer.kind]
    found = {"name": layer.name, "kind": layer.kind, "arrays": arrays}
    return found | ({"holds": [{"name": part.name, "kind": part.kind} for part in inside]} if inside else {})


def inspect_file(
    path: str | os.PathLike[str],
    *,
    keras_version: str | None = None,
    layers: Mapping[str, str] | None = None,
) -> Inspection:
    """Say what a weights file is and holds, without reading its arrays.

    Args:
        path: The file.
        keras_version: The version of Keras that wrote it, if the user says it.
        layers: The kinds of layers that the user says.

    Raises:
        FileFormatError: If it is not a Keras weights file that can be read.
        ArgumentError: If the user names a layer or a kind that is not there.

    Examples:
        >>> import converters
        >>> found = converters.inspect_file("small_th.h5")
        >>> found.layout.value, found.layout.source
        ('th', 'shapes')
        >>> [(layer.name, layer.kind) for layer in found.description.layers]
        [('conv1', 'Conv2D'), ('fc', 'Dense')]
    """
    file = checked_path(path, "path")
    description = describe(file, keras_version=checked_version(keras_version), layers=layers)
    found = recognise(description)
    layout = learn_layout(description, match=found[1] if found else None)
    return Inspection(
        description=description,
        layout=layout,
        kernels=learn_kernels(description, layout),
        structure=found[0].name if found else None,
    )


def plan_file(
    src: str | os.PathLike[str],
    *,
    direction: str | None = None,
    from_layout: str | None = None,
    from_kernels: str | None = None,
    to_layout: str | None = None,
    to_kernels: str | None = None,
    arch: str | None = None,
    flatten: Flatten | None = None,
    registry_form: Form | None = None,
    to: str | None = None,
    keras_version: str | None = None,
    layers: Mapping[str, str] | None = None,
    order: Sequence[str] | None = None,
    as_published: bool = False,
    hard_sigmoid: str = "keep",
) -> Plan:
    """Work out what a conversion would do, without writing a file.

    No array is read, but the vectors of batch normalisations of Keras 1, which may tell its version.

    Args:
        src: The file to convert.
        direction: ``"th-to-tf"`` or ``"tf-to-th"``: layout and kernels both. It says what the file is to
            become; what it is, only as far as nothing more certain tells.
        from_layout: ``"th"`` or ``"tf"``: the file's layout, whatever else says so.
        from_kernels: The same for its kernels.
        to_layout: The layout it is to have; unchanged if only ``to_kernels`` is given.
        to_kernels: The kernels it is to have; unchanged if only ``to_layout`` is given.
        arch: An architecture whose layers the file must have; without it, the file is recognised if it can
            be.
        flatten: For each layer that follows a flattened feature map its (C, H, W), or None for a layer that
            does not. ``*`` in a name stands for any characters, and is said of layers of which nothing else
            tells: ``{"*": None}``.
        registry_form: What a registry says the file is.
        to: Another dialect or container: ``"keras1"``, ``"keras2"``, ``"keras3"``, ``"safetensors"`` or
            ``"npz"``. Without a direction, the form is then TensorFlow's, or for Keras 1 the old one.
        keras_version: The version of Keras that wrote the file, where the file does not say it.
        layers: The kind of each layer that neither its name nor its arrays tell.
        order: The names of all layers with weights in the network's order, which a ``.weights.h5`` of Keras 3
            does not tell and Keras 1 and 2 load weights by.
        as_published: Write a known network to Keras 3 layer by layer as it was published. Without it, it is
            written as ``zoo.load`` draws it, so that ``model.load_weights`` fits: in the order of the drawn
            layers, ``Scale`` layers folded into the batch normalisation before them.
        hard_sigmoid: For ``to="keras3"``: ``"scale"`` multiplies the arrays of recurrent layers' gates that
            go through the older hard sigmoid by 1.2, so that today's gives the same; ``"keep"`` does not.

    Raises:
        ArgumentError: If an argument has a value that is not allowed.
        FileFormatError: If the file is not a Keras weights file that can be read.
        AlreadyConvertedError: If the file is already what it is to become.
        ConversionError: If a layer has no rule, or nothing tells what the file is.
        UnknownFlattenError: If a dense layer may follow a flattened map of unknown shape.
        StructureMismatchError: If the file has not the layers of ``arch``.

    Examples:
        >>> import converters
        >>> plan = converters.plan_file("small_th.h5", direction="th-to-tf", flatten={"fc": (8, 2, 2)})
        >>> print(plan.source)
        layout th, kernels th
        >>> print(plan.target)
        layout tf, kernels tf
    """
    path = checked_path(src, "src")
    user_layout = checked_axis(from_layout, "from_layout")
    user_kernels = checked_axis(from_kernels, "from_kernels")
    _check_hard_sigmoid(hard_sigmoid, to)
    expected, wanted = _ends(direction, to_layout, to_kernels, checked_target(to))
    version = checked_version(keras_version)
    description = describe(path, keras_version=version, layers=layers, order=order)
    _refuse_scaled(description, to)
    _refuse_plain(description, to)
    if to is None and description.dialect == "keras3":
        text = "Keras 3 stores arrays alike in both layouts and rotates no kernels, so nothing is to convert"
        raise ConversionError(f"{description.path}: {text}; --to (to=) writes them as another dialect")
    _check_folded(description, to, as_published=as_published)
    match = match_of(description, arch)
    layout = learn_layout(
        description, user=user_layout, registry_form=registry_form, expected=expected, match=match
    )
    kernels = learn_kernels(description, layout, user=user_kernels, registry_form=registry_form)
    target = _target(wanted, layout, kernels, description, to)
    if _is_today(to) and target.kernels == "th":
        advice = "say the layout alone: --to-layout th or --to-layout tf (to_layout=)"
        raise ArgumentError(f"Keras 3 has no backend that stores kernels as Theano does; {advice}")
    try:
        plan = make_plan(
            description,
            target=target,
            from_layout=user_layout,
            from_kernels=user_kernels,
            registry_form=registry_form,
            expected=expected,
            flatten=flatten,
            match=match,
            to=to,
            fold=_is_today(to) and not as_published,
            hard_sigmoid=hard_sigmoid,
        )
    except UnknownFlattenError:
        if to is None and layout is not None:
            check_config(description, layout.value, target.layout)  # what no answer helps is said first
        raise
    _refuse_same(plan)
    # What could not be written down later is refused before anything is read.
    return with_evidence(replace(plan, texts=planned_texts(plan)))


def convert_file(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str] | None = None,
    *,
    direction: str | None = None,
    from_layout: str | None = None,
    from_kernels: str | None = None,
    to_layout: str | None = None,
    to_kernels: str | None = None,
    arch: str | None = None,
    flatten: Flatten | None = None,
    registry_form: Form | None = None,
    to: str | None = None,
    keras_version: str | None = None,
    layers: Mapping[str, str] | None = None,
    order: Sequence[str] | None = None,
    as_published: bool = False,
    hard_sigmoid: str = "keep",
    force: bool = False,
    verify: bool | None = None,
    licence: str | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert a weights file into another layout, other kernels, another dialect, or all of these.

    Args:
        src: The file to convert; it is not touched.
        dst: The new file; by default beside the old one, ``OLD_tf.h5`` or ``OLD_th.h5``, or
            ``OLD_keras2.h5``, ``OLD.weights.h5``, ``OLD.safetensors``, ``OLD.npz``.
        direction: See :func:`plan_file`, for this and all others up to ``hard_sigmoid``.
        from_layout: The file's layout.
        from_kernels: The file's kernels.
        to_layout: The new layout.
        to_kernels: The new kernels.
        arch: An architecture whose layers the file must have.
        flatten: The feature maps that are flattened, by layer.
        registry_form: What a registry says the file is.
        to: Another dialect or container.
        keras_version: The version of Keras that wrote the file.
        layers: The kinds of layers.
        order: The layers in the network's order.
        as_published: Write a known network to Keras 3 as it was published.
        hard_sigmoid: ``"keep"`` or ``"scale"``.
        force: Replace a file that has the new file's name.
        verify: Read the new file back and compare it with the old one; by default below 1 GiB.
        licence: Of the weights: written into the new file's record; by default what the old one's says.
        progress: Called with the bytes done and the bytes in all.

    Returns:
        What was done, and where the new file is.

    Raises:
        ZooError: As :func:`plan_file`, and ConversionError if the new file cannot be written.

    Warns:
        ConversionWarning: What had to be taken for granted, before anything is written; see
            :class:`converters.ConversionWarning` for how to silence it or to make it an error.

    Examples:
        >>> import converters
        >>> done = converters.convert_file("small_th.h5", direction="th-to-tf", flatten={"fc": (8, 2, 2)})
        >>> done.target.name
        'small_th_tf.h5'
        >>> converters.inspect_file(done.target).layout.source
        'record'
    """
    plan = plan_file(
        src,
        direction=direction,
        from_layout=from_layout,
        from_kernels=from_kernels,
        to_layout=to_layout,
        to_kernels=to_kernels,
        arch=arch,
        flatten=flatten,
        registry_form=registry_form,
        to=target_format(dst, to),
        keras_version=keras_version,
        layers=layers,
        order=order,
        as_published=as_published,
        hard_sigmoid=hard_sigmoid,
    )
    warn_of(plan.path, plan.typed_notes, stacklevel=2)
    return carry_out(plan, dst, force=force, verify=verify, licence=licence, progress=progress)


def carry_out(
    plan: Plan,
    dst: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    verify: bool | None = None,
    licence: str | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Do what a plan says; the arguments are those of :func:`convert_file`.

    Raises:
        ConversionError: If the new file cannot be written.
    """
    held = format_of(plan.description.format)
    endings = (held.ending, *held.suffixes) if held else ()
    ending = next((end for end in endings if end and plan.path.name.lower().endswith(end)), "")
    old = plan.path.with_name(plan.path.name[: len(plan.path.name) - len(ending)])
    target = Path(dst) if dst is not None else default_target(old, plan.target, plan.to)
    record = write(plan, target, force=force, progress=progress, verify=verify, licence=licence)
    return Conversion(source=plan.path, target=target, plan=plan, record=record)


def default_target(source: Path, form: Form, to: str | None = None) -> Path:
    """Return where a conversion goes if nobody says: ``OLD_tf.h5`` beside ``OLD.h5``.

    Args:
        source: The file to convert.
        form: What it becomes; where layout and kernels differ, the name says both.
        to: The dialect or container that it becomes, if it is another: ``OLD_keras2.h5``,
            ``OLD.weights.h5``, ``OLD.safetensors``.
    """
    ending = form.layout if form.layout == form.kernels else f"{form.layout}_{form.kernels}_kernels"
    if to is not None and (new := FORMATS[to].ending) is not None:
        return source.with_name(f"{source.name.removesuffix('.h5').removesuffix('.weights')}{new}")
    if to is not None:
        return source.with_name(f"{source.stem}_{to}{'' if form == TF else f'_{ending}'}.h5")
    return source.with_name(f"{source.stem}_{ending}{source.suffix or '.h5'}")


def target_format(dst: str | os.PathLike[str] | None, to: str | None) -> str | None:
    """Return what a new file is to be: what the user says, or else what the ending of its name does.

    Args:
        dst: The new file, if it has a name yet.
        to: The dialect or container that the user says.

    Raises:
        ArgumentError: If they contradict each other, or the name is that of a whole model.
    """
    if dst is None:
        return to
    name, wanted = checked_path(dst, "dst").name.lower(), format_of(checked_target(to))
    said = said_by(name)
    if said is not None and not FORMATS[said].writes:
        text = "is the name of a whole model, and weights alone are none"
        advice = f"call it NAME{FORMATS['keras3'].ending}; of a whole old model zoo upgrade makes one"
        raise ArgumentError(f"{dst}: {text}: {advice}")
    if name.endswith(OTHERS):
        endings = ", ".join((".h5", *(one.ending for one in FORMATS.values() if one.ending)))
        raise ArgumentError(f"{dst}: no {Path(name).suffix} file is written; its name may end in {endings}")
    if wanted is None:
        return said
    if said is None:
        wrong = wanted.plain and name.endswith(weights_suffixes())
    else:
        wrong = said != to and (wanted.plain or FORMATS[said].plain)
    if wrong:
        ending = wanted.ending or wanted.suffixes[0]
        raise ArgumentError(f"{dst}: files of the format {to} are called NAME{ending}; see --to (to=)")
    return to


def checked_target(to: str | None) -> str | None:
    """Return a dialect or container that a user gave.

    Raises:
        ArgumentError: If there is none of that name.
    """
    if to is not None and to not in targets():
        raise ArgumentError(f"to must be one of {', '.join(map(repr, targets()))}, not {to!r}")
    return to


def checked_version(version: str | None) -> str | None:
    """Return a version of Keras that a user gave.

    Raises:
        ArgumentError: If it is no version.
    """
    if version is not None and not re.fullmatch(r"\d+(\.\d+){1,2}\S*", version):
        raise ArgumentError(f"keras_version={version!r}: must be a version such as 1.0.6")
    return version


def _is_today(to: str | None) -> bool:
    """Return whether today's Keras loads a format."""
    found = format_of(to)
    return found is not None and found.today


def _check_hard_sigmoid(value: str, to: str | None) -> None:
    if value not in CHOICES:
        raise ArgumentError(f"hard_sigmoid must be one of {', '.join(map(repr, CHOICES))}, not {value!r}")
    if value == "scale" and not _is_today(to):
        text = "is for files that Keras 3 reads, whose hard_sigmoid is another: say --to keras3 (to='keras3')"
        raise ArgumentError(f"hard_sigmoid 'scale' {text}")


def _refuse_plain(description: Description, to: str | None) -> None:
    """Raise for a container of plain arrays that is to stay one without that being said."""
    if to is None and description.format is not None:
        text = f"files of the format {description.format} have no dialect to stay in"
        same = FORMATS[description.format].writes
        advice = f"say what it is to become: --to {description.format if same else 'keras3'} or another (to=)"
        raise ConversionError(f"{description.path}: {text}; {advice}")


def _refuse_scaled(description: Description, to: str | None) -> None:
    """Raise for arrays that were scaled for Keras 3 and are to be read by something else."""
    record = description.record
    if record is not None and record.scaled and not (to is None or _is_today(to)):
        text = f"the gates of {', '.join(map(repr, record.scaled))} were multiplied by 1.2 for Keras 3's"
        hint = f"convert the file that this one was made of (SHA-256 {record.source_sha256})"
        raise ConversionError(f"{description.path}: {text} hard_sigmoid, which cannot be undone; {hint}")


def _ends(
    direction: str | None, to_layout: str | None, to_kernels: str | None, to: str | None
) -> tuple[Form | None, tuple[Any, Any]]:
    """Return where the direction starts from, and the layout and kernels wanted (None: unchanged)."""
    if direction is not None:
        if to_layout or to_kernels:
            raise ArgumentError("give either direction, or to_layout and to_kernels, not both")
        start, end = ends_of(direction)
        return start, (end.layout, end.kernels)
    wanted = (checked_axis(to_layout, "to_layout"), checked_axis(to_kernels, "to_kernels"))
    if wanted == (None, None) and to is None:
        raise ArgumentError(_SAY)
    keeps = to is None or FORMATS[to].keeps_form
    return None, wanted if keeps else (wanted[0] or "tf", wanted[1] or "tf")


_SAY = (
    "say what the file is to become: --th-to-tf, --tf-to-th or --to "
    "(direction=, to=, or to_layout= and to_kernels=)"
)


def _target(
    wanted: tuple[Any, Any],
    layout: Fact | None,
    kernels: Fact | None,
    description: Description,
    to: str | None,
) -> Form:
    # Where no kernel is, another dialect's file reads alike in either form.
    either: Layout | None = "tf" if to is not None and not has_rotated_kernels(description) else None
    new_layout: Layout | None = wanted[0] or (layout.value if layout else either)
    new_kernels: Kernels | None = wanted[1] or (kernels.value if kernels else either)
    if new_layout is None or new_kernels is None:
        text = "nothing in the file tells its layout; say --from-layout th or --from-layout tf (from_layout=)"
        raise ArgumentError(f"{description.path}: {text}")
    return Form(layout=new_layout, kernels=new_kernels)


def match_of(description: Description, arch: str | None) -> Match | None:
    """Return the structure that a file holds: that of an architecture, or whichever it is, if any.

    Raises:
        StructureMismatchError: If the file has not the layers of the architecture.
    """
    if arch is not None:
        return find_structure(description, arch)[1]
    found = recognise(description)
    return found[1] if found else None


def _check_folded(description: Description, to: str | None, *, as_published: bool) -> None:
    """Check that nothing is asked for that folding has made impossible, or that has no meaning.

    Raises:
        ArgumentError: ``as_published`` goes with Keras 3 alone.
        ConversionError: The file's ``Scale`` layers are folded, and were to be layers again.
    """
    if as_published and not _is_today(to):
        raise ArgumentError("as_published (--as-published) is for to='keras3' (--to keras3): all others are")
    folded = description.record.folded if description.record else None
    if folded and (not _is_today(to) or as_published):
        count = counted(len(folded), "Scale layer", "is", "are")
        text = f"{count} folded into its batch normalisation and cannot be told apart"
        advice = "convert the file that it was made of, or write that with --as-published (as_published=True)"
        raise ConversionError(f"{description.path}: {text} again; {advice}")


def _refuse_same(plan: Plan) -> None:
    if plan.source != plan.target or plan.to is not None or any(array.changes for array in plan.arrays):
        return
    text = f"{plan.path}: is already in layout {plan.layout} with kernels {plan.kernels}"
    certain = plan.layout.source == plan.kernels.source == "record"
    hint = "" if certain else "; if that is wrong, say what it is with --from-layout and --from-kernels"
    raise AlreadyConvertedError(text + hint)
