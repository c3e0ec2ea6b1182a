"""What a conversion writes into the new file, so that the next one need not be told.

All of it lies in attributes of the file's root, each of them text. Facts, which plans go by:

=======================  ==================================================================================
``zoo_schema``           the number of the record's form, :data:`SCHEMA`; 0.1.0 left it out, which is 1
``zoo_layout``           ``th`` or ``tf``: the order of the file's axes
``zoo_kernels``          ``th`` or ``tf``: how its convolution kernels are stored
``zoo_network``          JSON: what is known of the network in any form (see :mod:`converters.layers.network`)
``zoo_folded``           JSON: the batch normalisations that a ``Scale`` layer is folded into, each with its
                         name. Only there if a conversion folded any
``zoo_trained_in``       the format of other software's file that the values come from, through whatever
                         conversions: its network may be another one. Only there if they come from one
``zoo_scaled``           JSON: the recurrent layers whose gates were multiplied by 1.2, for Keras 3's hard
                         sigmoid. Only there if that was done
``zoo_backend_th``       the ``backend`` attribute that the network's files have with such kernels, and
``zoo_backend_tf``       with such, where the conversion changed it
``zoo_config_th``        the ``model_config`` that they have in such layout, and
``zoo_config_tf``        in such, if undoing the change would not give it back
=======================  ==================================================================================

Provenance, which no plan reads:

=======================  ==================================================================================
``zoo_source_sha256``    SHA-256 of the file that was converted, in hex
``zoo_source_layout``    what that file was
``zoo_source_kernels``   the same for its kernels
``zoo_source_dialect``   who had written it, if the new file is in another dialect
``zoo_licence``          the licence of the weights, as it was told. Only there if it was
``zoo_cudnn``            JSON: the layers that were cuDNN's before. Only there if some were
``zoo_converter``        the converter and its version
``zoo_rules``            the number of the rules that it went by (:mod:`converters.version`)
``zoo_plan_sha256``      SHA-256 of the plan that was carried out, in hex
``zoo_verified``         JSON: how many arrays and values of the new file were read back and gave the source
                         again, and which had to be computed anew for that. Only there if that was done
=======================  ==================================================================================

Version 0.1.0 wrote ``zoo_flatten`` instead of ``zoo_network``. What it left out meant that nothing is
flattened there as well as that nothing had to move, so it is not read. Its ``zoo_source_backend`` and
``zoo_source_config`` are what ``zoo_backend_*`` and ``zoo_config_*`` are now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from converters.arrays.form import Form
from converters.errors import FileFormatError, NewerFileError, ZooError, counted
from converters.hdf5.source import Node
from converters.layers.network import ATTRIBUTE, Network, parse_network
from converters.limits import clipped, load_json
from converters.version import FIRST_SCHEMA, RULES_NUMBER, VERSION, newer_fault

PREFIX = "zoo_"
_LISTED = 3
"""How many arrays a sentence for people names."""
SCHEMA = 1
"""The number of the record's form: raised where an older version would take it for something else."""
CONVERTER = f"keras-weight-zoo {VERSION}"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was compared.

    Attributes:
        arrays: The arrays of the new file, all of them.
        values: The values in them.
        recomputed: The paths of those that arithmetic made, which was done again.
    """

    arrays: int
    values: int
    recomputed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one sentence for people."""
        text = f"{counted(self.arrays, 'array')}, {counted(self.values, 'value')}: "
        text += "the new file gives the source again"
        moved = "bit for bit" if not self.recomputed else "bit for bit but for what was computed anew"
        more = len(self.recomputed) - _LISTED
        names = [*self.recomputed[:_LISTED], *([f"and {more} more"] if more > 0 else [])]
        listed = f" ({', '.join(names)})" if names else ""
        return f"{text}, {moved}{listed}"

    def as_dict(self) -> dict[str, Any]:
        """Return the proof as plain values that JSON can hold."""
        return {"arrays": self.arrays, "values": self.values, "recomputed": list(self.recomputed)}


@dataclass(frozen=True, kw_only=True)
class ConversionRecord:
    """What a conversion left in a file; the fields are the attributes in the module's tables.

    Attributes:
        form: What the file is.
        network: What is known of the network; None if the record does not say.
        folded: The batch normalisations that hold a ``Scale`` layer, each with that layer's name.
        backends: The ``backend`` attribute by kernels.
        configs: The ``model_config`` by layout.
        source: What the file was made from.
        source_sha256: That file's digest.
        converter: Who made it.
        plan_sha256: The plan's digest.
        proof: What was compared.
        source_dialect: Who had written the source.
        licence: Of the weights, where it was told.
        trained_in: The format of other software that the values come from, None if from none.
    """

    form: Form
    source: Form
    source_sha256: str
    network: Network | None = None
    folded: Mapping[str, str] | None = None
    scaled: tuple[str, ...] = ()
    backends: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    converter: str = CONVERTER
    rules: int | None = RULES_NUMBER
    plan_sha256: str | None = None
    proof: Proof | None = None
    source_dialect: str | None = None
    cudnn: tuple[str, ...] = ()
    licence: str | None = None
    trained_in: str | None = None

    def attributes(self) -> dict[str, str]:
        """Return the record as the attributes that hold it."""
        values = {
            "zoo_schema": str(SCHEMA),
            "zoo_layout": self.form.layout,
            "zoo_kernels": self.form.kernels,
            "zoo_source_sha256": self.source_sha256,
            "zoo_source_layout": self.source.layout,
            "zoo_source_kernels": self.source.kernels,
            "zoo_source_dialect": self.source_dialect,
            "zoo_converter": self.converter,
            "zoo_rules": None if self.rules is None else str(self.rules),
            "zoo_plan_sha256": self.plan_sha256,
            "zoo_folded": json.dumps(dict(self.folded)) if self.folded else None,
            "zoo_verified": json.dumps(self.proof.as_dict()) if self.proof else None,
            ATTRIBUTE: self.network.as_text() if self.network else None,
            **{f"zoo_backend_{kernels}": text for kernels, text in self.backends.items()},
            **{f"zoo_config_{layout}": text for layout, text in self.configs.items()},
            "zoo_scaled": json.dumps(self.scaled) if self.scaled else None,
            "zoo_cudnn": json.dumps(self.cudnn) if self.cudnn else None,
            "zoo_licence": self.licence,
            "zoo_trained_in": self.trained_in,
        }
        return {name: value for name, value in values.items() if value is not None}


def read_record(top: Node) -> ConversionRecord | None:
    """Read the record of a file, or None if no conversion wrote it.

    Args:
        top: The file's root.

    Raises:
        NewerFileError: If a later version wrote it.
        FileFormatError: If there is a record but it cannot be understood.
    """
    if all(top.attribute(name) is None for name in ("zoo_schema", "zoo_layout", "zoo_kernels")):
        return None
    try:
        _check_schema(top)
        return _read_record(top)
    except NewerFileError as error:
        raise NewerFileError(f"{top.file}: {error}") from error
    except (ZooError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"{top.file}: the record of an earlier conversion is damaged ({error})"
        ) from error


def _check_schema(top: Node) -> None:
    """Raise if the record is of a form that a later version brought."""
    text = top.text("zoo_schema")
    if fault := newer_fault(FIRST_SCHEMA if text is None else int(text), SCHEMA):
        raise NewerFileError(f"the record of its conversion {fault}")


def _read_record(top: Node) -> ConversionRecord:
    form = Form(layout=_axis(top, "zoo_layout"), kernels=_axis(top, "zoo_kernels"))
    source = Form(layout=_axis(top, "zoo_source_layout"), kernels=_axis(top, "zoo_source_kernels"))
    network = top.text(ATTRIBUTE)
    return ConversionRecord(
        form=form,
        source=source,
        source_sha256=top.text("zoo_source_sha256") or "",
        network=None if network is None else parse_network(network),
        folded=_folded(top.text("zoo_folded")),
        scaled=_listed(top, "zoo_scaled"),
        cudnn=_listed(top, "zoo_cudnn"),
        backends=_either(top, "backend", source.kernels),
        configs=_either(top, "config", source.layout),
        converter=top.text("zoo_converter") or "",
        rules=_number(top.text("zoo_rules")),
        plan_sha256=top.text("zoo_plan_sha256"),
        proof=_proof(top.text("zoo_verified")),
        source_dialect=top.text("zoo_source_dialect"),
        licence=top.text("zoo_licence"),
        trained_in=top.text("zoo_trained_in"),
    )


def _either(top: Node, what: str, of_source: str) -> dict[str, str]:
    """Return a text in each of the two forms, by form; version 0.1.0 kept the source's alone."""
    old = {of_source: top.text(f"zoo_source_{what}")}
    found = {**old, **{form: text for form in ("th", "tf") if (text := top.text(f"zoo_{what}_{form}"))}}
    return {form: text for form, text in found.items() if text}


def _axis(top: Node, name: str) -> Literal["th", "tf"]:
    value = top.text(name)
    if value in ("th", "tf"):
        return "th" if value == "th" else "tf"
    raise ValueError(f"{name} is {clipped(str(value))}")


def _listed(top: Node, name: str) -> tuple[str, ...]:
    text = top.text(name)
    return () if text is None else tuple(map(str, load_json(text, name)))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _folded(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    return {str(norm): str(scale) for norm, scale in load_json(text, "zoo_folded").items()}


def _proof(text: str | None) -> Proof | None:
    if text is None:
        return None
    found = load_json(text, "zoo_verified")
    recomputed = tuple(str(path) for path in found["recomputed"])
    return Proof(arrays=int(found["arrays"]), values=int(found["values"]), recomputed=recomputed)
