"""Networks that are drawn, as Caffe's text form of a graph: what OpenCV needs beside a file of weights."""

from __future__ import annotations

import re

_LRN = re.compile(r"(.*)__(norm\d)(?:__.*)?")


def prototxt_of(model, names=()):
    """Return a graph as Caffe's text, and the names of its outputs, which are tops of the same name.

    Batch normalisations become two layers, borders the padding of what follows them, and the layers that
    compute a local response normalisation one.

    Args:
        model: A network of this package's families, channels last.
        names: What layers are called in the file of weights, which may have ``/`` where Keras has ``_``.
    """
    return _Graph(model, names).text()


class _Graph:
    """A graph on its way to Caffe's text: which blob each tensor is, and which border it still lacks."""

    def __init__(self, model, names):
        self._model = model
        self._called = {name.replace("/", "_"): name for name in names}
        self._lines = []
        self._tops = {}
        self._borders = {}
        self._helped = set()

    def text(self):
        """Return the text, and the names of the outputs."""
        (height, width, channels), name = self._model.input.shape[1:], "data"
        self._lines.append(f'name: "drawn" input: "{name}"')
        self._lines.append(f"input_dim: 1 input_dim: {channels} input_dim: {height} input_dim: {width}")
        self._tops[id(self._model.input)] = name
        for layer in self._model.layers[1:]:
            self._put(layer)
        outputs = self._model.outputs
        return "\n".join(self._lines), [self._tops[id(one)] for one in outputs]

    def _put(self, layer):
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if found := _LRN.fullmatch(layer.name):
            self._lrn(layer, "/".join(found.groups()), inputs)
            return
        getattr(self, f"_{type(layer).__name__.lower()}")(layer, inputs)

    def _layer(self, name, kind, bottoms, settings="", top=None):
        top = top or name
        ends = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        called = self._called.get(name, name)
        self._lines.append(f'layer {{ name: "{called}" type: "{kind}" {ends} top: "{top}" {settings} }}')
        return top

    def _through(self, layer, inputs, top):
        self._tops[id(layer.output)] = top
        for source in inputs:
            if id(source) in self._borders and type(layer).__name__ in ("Dropout", "Activation"):
                self._borders[id(layer.output)] = self._borders[id(source)]

    def _names(self, inputs):
        return [self._tops[id(one)] for one in inputs]

    def _lrn(self, layer, name, inputs):
        # All of its layers come from one tensor; the last of them stands for the whole.
        source = next((one for one in inputs if id(one) not in self._helped), None)
        self._helped.add(id(layer.output))
        if source is not None and name not in self._tops.values():
            settings = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
            self._layer(name, "LRN", self._names([source]), settings)
        self._tops[id(layer.output)] = name

    def _zeropadding2d(self, layer, inputs):
        (border, behind), _ = layer.padding
        self._tops[id(layer.output)] = self._names(inputs)[0]
        # A border behind alone is what Caffe's rounding up reaches over.
        self._borders[id(layer.output)] = border if border == behind else None

    def _cropping2d(self, layer, inputs):
        # GoogLeNet's: the first row and column of a border go, so that windows lie as Caffe's do.
        self._tops[id(layer.output)] = self._names(inputs)[0]
        self._borders[id(layer.output)] = None

    def _conv2d(self, layer, inputs):
        name = layer.name.replace("__", "/")
        border = self._borders.get(id(inputs[0]), 0)
        pad = border or (layer.kernel_size[0] // 2 if layer.padding == "same" else 0)
        bias = layer.use_bias and not name.startswith("res")
        settings = (
            f"num_output: {layer.filters} kernel_size: {layer.kernel_size[0]} stride: {layer.strides[0]}"
        )
        settings += f" pad: {pad} bias_term: {str(bias).lower()}"
        top = self._layer(name, "Convolution", self._names(inputs), f"convolution_param {{ {settings} }}")
        self._tops[id(layer.output)] = self._activated(layer, top)

    def _activated(self, layer, top):
        kind = {"relu": "ReLU", "softmax": "Softmax"}.get(layer.get_config().get("activation"))
        return self._layer(f"{layer.name}_{kind}", kind, [top]) if kind else top

    def _dense(self, layer, inputs):
        name = layer.name.replace("__", "/")
        bottoms = self._names(inputs)
        if name == "fc6":  # DenseNet's is a convolution of one place
            settings = f"convolution_param {{ num_output: {layer.units} kernel_size: 1 }}"
            top = self._layer(name, "Convolution", bottoms, settings)
        else:
            settings = f"inner_product_param {{ num_output: {layer.units} }}"
            top = self._layer(name, "InnerProduct", bottoms, settings)
        self._tops[id(layer.output)] = self._activated(layer, top)

    def _batchnormalization(self, layer, inputs):
        name = layer.name
        scale = f"{name[:-3]}_scale" if name.endswith("_bn") else name.replace("bn", "scale", 1)
        settings = f"batch_norm_param {{ eps: {layer.epsilon} }}"
        top = self._layer(name, "BatchNorm", self._names(inputs), settings)
        self._tops[id(layer.output)] = self._layer(scale, "Scale", [top], "scale_param { bias_term: true }")

    def _activation(self, layer, inputs):
        kind = {"relu": "ReLU", "softmax": "Softmax"}[layer.get_config()["activation"]]
        self._through(layer, inputs, self._layer(layer.name, kind, self._names(inputs)))

    def _pooling(self, layer, inputs, kind):
        border = self._borders.get(id(inputs[0]), 0)
        pad = border or (layer.pool_size[0] // 2 if layer.padding == "same" else 0)
        settings = f"pool: {kind} kernel_size: {layer.pool_size[0]} stride: {layer.strides[0]} pad: {pad}"
        # Without its first row and column a border is what Caffe's rounding up reaches over.
        settings += "" if border is None else " ceil_mode: false"
        name = layer.name.replace("__", "/")
        top = self._layer(name, "Pooling", self._names(inputs), f"pooling_param {{ {settings} }}")
        self._tops[id(layer.output)] = top

    def _maxpooling2d(self, layer, inputs):
        self._pooling(layer, inputs, "MAX")

    def _averagepooling2d(self, layer, inputs):
        self._pooling(layer, inputs, "AVE")

    def _globalaveragepooling2d(self, layer, inputs):
        top = self._layer(
            layer.name, "Pooling", self._names(inputs), "pooling_param { pool: AVE global_pooling: true }"
        )
        self._tops[id(layer.output)] = top

    def _add(self, layer, inputs):
        self._tops[id(layer.output)] = self._layer(layer.name, "Eltwise", self._names(inputs))

    def _concatenate(self, layer, inputs):
        self._tops[id(layer.output)] = self._layer(layer.name, "Concat", self._names(inputs))

    def _dropout(self, layer, inputs):
        self._tops[id(layer.output)] = self._names(inputs)[0]

    _flatten = _dropout
