"""Functions as Lambda layers held them, stored by the Python that runs this: prints them as JSON.

``python2.7 tests/support/lambda_code.py`` and so on made ``tests/data/lambda_code.json``, a version each: it
is written so that Python 2.7 reads it, too.
"""

import base64
import json
import marshal
import sys

K = tf = None


def euclidean(values):
    """Return how far apart two vectors are, as the examples of Keras have it."""
    x, y = values
    squares = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(squares, K.epsilon()))


def squeezed(x, axis=-1):
    """Import what is needed, and leave out an axis."""
    import keras

    return keras.backend.squeeze(x, axis=axis)


def mean(x):
    """Import part of a module."""
    from keras import backend as made_of

    return made_of.mean(x, axis=1)


def made(n):
    """Return a function that shares a number."""
    return lambda x: x * n + 1


def exchanged(values):
    """Name things anew."""
    a, b = values
    a, b = b, a
    a -= b
    return a


def jumps(x):
    """Ask before something is returned."""
    if x:
        return x
    return -x


FUNCTIONS = {
    "identity": lambda x: x,
    "abs_difference": lambda x: K.abs(x[0] - x[1]),
    "square": lambda x: x**2,
    "scale": lambda x: (x - 127.5) / 127.5,
    "half": lambda x: x * (1 / 2),
    "l2_normalize": lambda x: K.l2_normalize(x, axis=-1),
    "stretch": lambda x: x[:, 1:3],
    "first": lambda x: x[0:2],
    "last": lambda x: x[:, -1, :],
    "backwards": lambda x: x[:, ::-1],
    "channel": lambda x: x[..., 0],
    "joined": lambda x: K.concatenate([x, -x], axis=-1),
    "relu": lambda x: tf.nn.relu(x),  # noqa: PLW0108 - its code is what counts
    "euclidean": euclidean,
    "squeezed": squeezed,
    "mean": mean,
    "shared": made(3),
    "exchanged": exchanged,
    "jumps": jumps,
    "method": lambda x: x.sum(1),
    "list": lambda x: [one for one in x],
    "any": lambda *x: x[0],
    "within": lambda x: (lambda y: y)(x),  # noqa: PLW0108, PLC3002 - its code is what counts
}


def stored(function):
    """Return a function's code, the defaults of its arguments, and what it shares, as Keras writes them."""
    code = base64.b64encode(marshal.dumps(function.__code__)).decode("ascii")
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [code, list(function.__defaults__ or ()) or None, cells or None]


if __name__ == "__main__":
    found = {name: stored(function) for name, function in FUNCTIONS.items()}
    sys.stdout.write(json.dumps(found, sort_keys=True) + "\n")
