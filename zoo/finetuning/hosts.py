"""Training on several hosts: one process on each, all of one mind, on Keras' JAX backend.

The engine is Keras' own, :class:`keras.distribution.DataParallel`: every process holds all weights, takes its
share of each batch, and sums the gradients with the others (over NCCL on GPUs, over Gloo on processors). A
batch is what it would be in one process, so losses and weights are as well, but for rounding.

All processes take the same steps in the same order. The first of them alone writes the folder of the run,
and speaks.
"""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np

from zoo.errors import ArgumentError, ZooError
from zoo.extras import how_to_install
from zoo.numbers import is_whole

ARGUMENTS = ("hosts", "coordinator", "process", "processes", "devices")
"""What a call says of the processes, and what says nothing besides."""
JOIN_SECONDS = 300
"""How long a process waits for the others to come."""
HEARTBEAT_SECONDS = 30
"""After so long a silence a process counts as dead, and all others end."""
SHUTDOWN_SECONDS = 60
"""How long processes wait for each other to end."""

_ATTEMPT, _PAUSE = 5, 0.2  # seconds that a look for the first process takes, and between two of them
_SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")
"""What JAX reads of Slurm; ``srun`` sets them in each process."""
_BROKEN = ("Gloo", "NCCL", "coordination service", "CoordinationService", "DEADLINE_EXCEEDED")
"""What is in the message of an error of JAX' that another process is the cause of."""

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class HostsError(ZooError):
    """The processes of a run on several hosts cannot find each other, disagree, or have lost one of them."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The processes that train together, as they are asked for.

    Attributes:
        coordinator: ``HOST:PORT`` on which the first of them listens; ``None``: as Slurm has it.
        process: Number of this one, from 0; ``None``: as Slurm has it.
        processes: How many there are; ``None``: as Slurm has it.
    """

    coordinator: str | None = None
    process: int | None = None
    processes: int | None = None


def asked(
    hosts: bool = False,
    coordinator: str | None = None,
    process: int | None = None,
    processes: int | None = None,
    devices: str | int | None = None,
) -> Group | None:
    """Return which processes train together; ``None``: this one alone. No framework is needed to tell.

    Args:
        hosts: Whether Slurm says which there are.
        coordinator: ``HOST:PORT`` of the first, where it does not.
        process: Number of this one, from 0.
        processes: How many there are.
        devices: On how many devices each is to train, which cannot be said.

    Raises:
        ArgumentError: They are not said, or not so that they can be found.
    """
    told = {"coordinator": coordinator, "process": process, "processes": processes}
    missing = [name for name, value in told.items() if value is None]
    if len(missing) == len(told) and not hosts:
        return None
    if devices is not None:
        raise ArgumentError(f"devices={devices!r}: must be left out on several hosts: all of each are taken")
    if len(missing) == len(told):
        return _of_slurm()
    if missing:
        given = next(name for name in told if name not in missing)
        raise ArgumentError(
            f"{given}={told[given]!r}: must be given with {' and '.join(missing)}, by each process"
        )
    _check_coordinator(coordinator)
    if not is_whole(processes) or processes < 1:
        raise ArgumentError(f"processes={processes!r}: must be an integer from 1")
    if not is_whole(process) or not 0 <= process < processes:
        raise ArgumentError(f"process={process!r}: must be an integer from 0 to {processes - 1}")
    return Group(coordinator=coordinator, process=int(process), processes=int(processes))


def _of_slurm() -> Group:
    missing = [name for name in _SLURM if name not in os.environ]
    if missing:
        raise ArgumentError(
            f"hosts=True: must be said in a job of Slurm, each process started with srun: {missing[0]} is "
            "not set; elsewhere say coordinator, process and processes"
        )
    return Group()


def _check_coordinator(coordinator: object) -> None:
    host, colon, port = str(coordinator).rpartition(":")
    if not isinstance(coordinator, str) or not host or not colon or not port.isdecimal():
        raise ArgumentError(
            f"coordinator={coordinator!r}: must be HOST:PORT, the address of process 0 and a port free there"
        )


def among_hosts(call: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Let a function join the processes that its arguments name before it does anything else."""

    @functools.wraps(call)
    def joining(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        _passed_over = True  # warnings are about the caller's line
        group = asked(**{name: named[name] for name in ARGUMENTS if name in named})  # type: ignore[arg-type]
        if group is None:
            return call(*given, **named)
        with joined(group):
            return call(*given, **named)

    return joining


@contextmanager
def joined(group: Group) -> Iterator[None]:
    """Join the processes of a group; what is made inside is made for all of their devices.

    They stay together until the process ends, since JAX connects a process once.

    Raises:
        HostsError: The others cannot be found, or one of them is lost.
        ArgumentError: Keras runs on another backend, or JAX has computed something already.
    """
    connect(group)
    import keras

    with _told_of_others(), keras.distribution.DataParallel(auto_shard_dataset=False).scope():
        _check_devices()
        yield


def connect(group: Group) -> None:
    """Connect this process with the others, unless it is.

    Raises:
        HostsError: The others cannot be found.
        ArgumentError: Keras runs on another backend, or JAX has computed something already.
    """
    _check_backend()
    import jax

    if jax.distributed.is_initialized():
        return
    if group.process:
        _await(str(group.coordinator))
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            group.coordinator,
            group.processes,
            group.process,
            cluster_detection_method="slurm" if group.coordinator is None else "deactivate",
            initialization_timeout=JOIN_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
    except RuntimeError as error:
        raise _not_joined(group, error) from error


def _await(coordinator: str) -> None:
    """Wait until the first process listens: JAX would end this one by itself if it did not come.

    Raises:
        HostsError: It does not come, or its address is none.
    """
    host, _, port = coordinator.rpartition(":")
    end = time.monotonic() + JOIN_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ATTEMPT).close()
            return
        except OSError as error:
            if isinstance(error, socket.gaierror) or time.monotonic() > end:
                raise HostsError(
                    f"{coordinator}: no process was found there in {JOIN_SECONDS} s "
                    f"({error.strerror or error}): is process 0 started, and is this its address?"
                ) from error
        time.sleep(_PAUSE)


def _check_backend() -> None:
    import keras

    backend = keras.backend.backend()
    if backend != "jax":
        raise ArgumentError(
            f"hosts: needs Keras on JAX, but it runs on {backend}: set KERAS_BACKEND=jax; "
            f"{how_to_install('jax')} installs JAX"
        )


def _not_joined(group: Group, error: RuntimeError) -> ZooError:
    if "must be called before" in str(error):
        return ArgumentError(
            "hosts: JAX has computed something in this process already, and cannot join others any more: "
            "call zoo.finetune first, before any layer or model of Keras is made"
        )
    where = group.coordinator or "the coordinator that Slurm's variables name"
    first = str(error).splitlines()[0]
    return HostsError(f"{where}: the processes did not find each other in {JOIN_SECONDS} s ({first})")


def _check_devices() -> None:
    """Check that all processes have as many devices, which is how batches are shared out."""
    import jax

    counts = [0] * jax.process_count()
    for device in jax.devices():
        counts[device.process_index] += 1
    if len(set(counts)) > 1:
        told = ", ".join(f"process {number}: {count}" for number, count in enumerate(counts))
        raise HostsError(f"all processes must have the same number of devices ({told})")


@contextmanager
def _told_of_others() -> Iterator[None]:
    """Say in our words that another process is lost."""
    import jax

    try:
        yield
    except AssertionError as error:
        if "not the same on each process" not in str(error):
            raise
        raise HostsError(
            "the processes have come to different weights: all hosts must have the same kind of processors "
            "or GPUs, and the same versions of Keras and JAX"
        ) from error
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if isinstance(error, ZooError) or not any(sign in str(error) for sign in _BROKEN):
            raise
        raise HostsError(
            f"process {jax.process_index()} of {jax.process_count()}: another process has ended, so that "
            "this one cannot go on; its own message says why. Start all of them again with --resume RUN "
            "(resume=RUN) to go on from the last whole epoch"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Share:
    """Which part of each batch is this process'.

    Attributes:
        processes: How many share a batch.
        process: Number of this one, from 0.
    """

    processes: int = 1
    process: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes, and speaks."""
        return self.process == 0

    def of(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return this process' part of the rows of a batch, whose number all processes divide."""
        size = len(rows) // self.processes
        return rows[self.process * size : (self.process + 1) * size]


def share() -> Share:
    """Return which part of each batch is this process'; all of it where it trains alone."""
    import keras

    distribution = keras.distribution.distribution()
    if distribution is None:
        return Share()
    return Share(processes=distribution.num_processes, process=distribution.data_shard_id)


def check_agreed(what: str, told: str) -> None:
    """Check that all processes know the same, and let none go on before all have come here.

    Args:
        what: What it is that they know.
        told: The same in all of them.

    Raises:
        HostsError: They do not.
    """
    own = share()
    if own.processes == 1:
        return
    from jax.experimental import multihost_utils

    digest = np.frombuffer(hashlib.sha256(told.encode()).digest(), np.uint8)
    digests = np.asarray(multihost_utils.process_allgather(digest))
    others = [number for number, one in enumerate(digests) if not np.array_equal(one, digests[0])]
    if others:
        raise HostsError(
            f"process {others[0]} sees other {what} than process 0: they must be the same for all, on a file "
            "system that all hosts share for example"
        )


@contextmanager
def by_itself() -> Iterator[None]:
    """Let this process do something without the others, which writes a model for example.

    Keras makes variables on the way, and would have all processes make them.
    """
    import keras

    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def alone(model: Any) -> Any:  # noqa: ANN401 - a Keras model
    """Return a model that this process can use without the others: a copy, where it is shared with them."""
    import keras

    if keras.distribution.distribution() is None:
        return model
    with by_itself():
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
    return copy
