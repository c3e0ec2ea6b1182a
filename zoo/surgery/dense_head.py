"""A classifier that is a 1x1 convolution on maps of one pixel, as the dense layer that it is."""

from __future__ import annotations

import keras

from zoo.surgery.classifiers import SHAPING, is_pointwise
from zoo.surgery.graph import Wiring, copied, ends, wiring
from zoo.surgery.tensors import Tensor

_ACTIVATING = (keras.layers.Activation, keras.layers.Softmax)


def with_dense_classifier(model: keras.Model) -> keras.Model:
    """Return a model whose last output comes from a dense layer where it came from a 1x1 convolution.

    Args:
        model: A functional or ``Sequential`` model, which stays as it is.

    Returns:
        A model of the same outputs, with that one alone, on the same layers: the dense layer has the
        convolution's name and values. Any other model is returned itself.
    """
    graph = wiring(model)
    step, above = graph.origin(graph.outputs[-1]), []
    while isinstance(step.operation, (*SHAPING, *_ACTIVATING)):
        above.append(step.operation)
        step = graph.origin(step.inputs[0])
    classifier, below = step.operation, step.inputs[0] if step.inputs else None
    if below is None or not is_pointwise(classifier) or tuple(below.shape[1:]).count(1) < 2:
        return model
    x = _on_rows(graph, classifier, below)
    for operation in reversed(above):
        if isinstance(operation, _ACTIVATING):
            x = copied(operation)(x)
    return keras.Model(ends(model)[0], x, name=model.name)


def _on_rows(graph: Wiring, classifier: keras.layers.Conv2D, below: Tensor) -> Tensor:
    """Draw a dense layer in the place of a convolution, behind the same dropout if there is one."""
    dropout = graph.origin(below).operation
    has_dropout = isinstance(dropout, keras.layers.Dropout)
    pixels = graph.origin(below).inputs[0] if has_dropout else below
    x = keras.layers.Flatten(name=f"{classifier.name}_rows")(pixels)
    if has_dropout:
        x = copied(dropout)(x)
    dense = keras.layers.Dense(
        classifier.filters,
        activation=classifier.activation,
        use_bias=classifier.use_bias,
        name=classifier.name,
    )
    x = dense(x)
    kernel, *bias = classifier.get_weights()
    dense.set_weights([kernel.reshape(kernel.shape[-2:]), *bias])
    return x
