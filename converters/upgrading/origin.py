"""What an old model is: which Keras wrote it, on what it ran, and in which order its maps are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converters.arrays.form import Kernels, Layout
from converters.errors import ConversionError, Doubt
from converters.formats.description import Description
from converters.planning.facts import has_rotated_kernels, learn_kernels, learn_layout


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What an old model is.

    Attributes:
        description: The file that its weights are in.
        version: The version of Keras, as numbers.
        layout: The order of its maps, where a layer does not say its own; None if nothing tells it.
        kernels: How its kernels are stored.
        theano: Whether it ran on Theano, which pads and pools otherwise than TensorFlow does.
        turned: Whether it is to become channels last.
        doubts: What had to be taken for granted.
    """

    description: Description
    version: tuple[int, ...]
    layout: Layout | None
    kernels: Kernels
    theano: bool
    turned: bool
    doubts: tuple[Doubt, ...] = ()

    @property
    def tf_keras(self) -> bool:
        """Whether TensorFlow's own Keras wrote it, whose versions end in ``tf`` or are later than 2.3."""
        return self.version >= (2, 4) or "tf" in (self.description.keras_version or "")

    @property
    def zeroes_masked(self) -> bool:
        """Whether a Bidirectional gave zeros for masked steps, as it does today, and not the step before.

        force_zero_output_for_mask() in tensorflow/python/keras/layers/wrappers.py, TensorFlow 1.14 to 2.15.
        """
        return self.tf_keras and self.version >= (2, 2, 4)

    @property
    def keras1(self) -> bool:
        """Whether Keras 1 or an older one wrote it."""
        return self.version < (2,)


def learn_origin(
    description: Description,
    *,
    version: tuple[int, ...],
    backend: str | None,
    said: str | None,
    turned: bool,
) -> Origin:
    """Return what an old model is.

    Args:
        description: The file that its weights are in.
        version: The version of Keras that the file or the configuration says.
        backend: The backend that the configuration says, which a weights file may not.
        said: The backend that the user says.
        turned: Whether it is to become channels last.

    Raises:
        ConversionError: If nothing tells the version, or how kernels are stored that Theano rotates.
    """
    if not version:
        text = "neither the file nor its configuration says which version of Keras wrote it"
        raise ConversionError(f"{description.path}: {text}; say it (--keras-version, keras_version=)")
    layout = learn_layout(description)
    kernels = learn_kernels(description, layout)
    told = kernels is not None and kernels.source != "assumed" and said is None
    ran = said or description.backend or backend
    if ran is None and not told and layout is None and has_rotated_kernels(description):
        text = "nothing tells on which backend it ran, and Theano rotates kernels that no other does"
        raise ConversionError(f"{description.path}: {text}; say --backend theano or tensorflow (backend=)")
    # Where nothing tells it, as much as the order of maps may: most that were channels first ran on Theano.
    guessed: Kernels = "th" if ran == "theano" or (ran is None and layout and layout.value == "th") else "tf"
    value: Kernels = kernels.value if kernels is not None and told else guessed
    record = description.record
    theano = record.source.kernels == "th" if record is not None and said is None else value == "th"
    doubts = []
    if not told and ran is None and description.weighted:
        doubts.append(Doubt(_ASSUMED[value]))
    if ran == "cntk":
        doubts.append(Doubt(_CNTK))
    return Origin(
        description=description,
        version=version,
        layout=layout.value if layout else None,
        kernels=value,
        theano=theano,
        turned=turned,
        doubts=tuple(doubts),
    )


_ASSUMED: Mapping[Kernels, str] = {
    "th": "nothing tells on which backend the model ran: taken for Theano",
    "tf": "nothing tells on which backend the model ran: taken for TensorFlow",
}
_CNTK = "it ran on CNTK, which is taken to pad as TensorFlow does"
