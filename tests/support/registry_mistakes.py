"""Mistakes that people make in ``registry.yaml``, and the line that each of them is answered with.

``FORM`` are mistakes that the form alone shows, so that the JSON Schema must show them too; ``SENSE`` are
values that do not fit together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Error:
    """One replacement in the shipped registry and the message about it.

    Attributes:
        after: Text behind which the replacement is made.
        old: What is replaced, once.
        new: What it is replaced by.
        message: The message, without the line.
        at: What the line that is meant holds, if that is not the first that is replaced.
    """

    after: str
    old: str
    new: str
    message: str
    at: str | None = None

    def apply(self, text: str) -> str:
        """Return the registry with this mistake in it."""
        start = text.index(self.after)
        place = text.index(self.old, start)
        return text[:place] + self.new + text[place + len(self.old) :]

    def expected(self, text: str) -> str:
        """Return the whole message about the registry with this mistake in it."""
        broken, start = self.apply(text), text.index(self.after)
        place = text.index(self.old, start) if self.at is None else broken.index(self.at, start)
        file, _, rest = self.message.partition(":")
        line = broken.count("\n", 0, place) + 1
        return f"{file}:{line}:{rest}"


def _in(name: str, old: str, new: str, message: str, at: str | None = None) -> Error:
    return Error(
        after=f"\n  {name}:\n",
        old=old,
        new=new,
        message=f"registry.yaml: architectures.{name}.{message}",
        at=at,
    )


_MD5 = "md5:b3baf3070cc4bf476d43a2ea61b0ca5f"

FORM: dict[str, Error] = {
    "unknown key": _in(
        "densenet161",
        "    classes: 1000\n",
        "    classes: 1000\n    clases: 1000\n",
        "clases: is not a known key; did you mean classes?",
        at="clases: 1000",
    ),
    "unknown key that resembles none": _in(
        "densenet161",
        "        bytes: null\n",
        "        bytes: null\n        zzz: 1\n",
        "weights[0].zzz: is not a known key",
        at="zzz: 1",
    ),
    "missing key": _in("resnet50", "    title: ResNet-50\n", "", "title: is missing", at="resnet50:\n"),
    "missing key in a list": _in(
        "resnet50",
        "        dialect: keras1\n",
        "",
        "weights[0].dialect: is missing",
        at="id: resnet50-th-top-v0.2",
    ),
    "text for an integer": _in("vgg16", "year: 2014", 'year: "2014"', "paper.year: '2014' is not an integer"),
    "true for an integer": _in("vgg16", "classes: 1000", "classes: true", "classes: true is not an integer"),
    "a fraction for an integer": _in(
        "vgg16", "classes: 1000", "classes: 1000.5", "classes: 1000.5 is not an integer"
    ),
    "a number for text": _in(
        "vgg16", "title: VGG-16", "title: 16", "title: 16 is not text; put it in quotes"
    ),
    "null for text": _in("vgg16", "title: VGG-16", "title: null", "title: null is not text"),
    "a list for text": _in("vgg16", "title: VGG-16", "title: [VGG, 16]", "title: a list is not text"),
    "text for a flag": _in(
        "vgg16", "top: true", 'top: "true"', "weights[0].top: 'true' is not true or false"
    ),
    "a float that YAML 1.1 takes for text": _in(
        "resnet50",
        "batch_norm_epsilon: 1.0e-3",
        "batch_norm_epsilon: 1e-3",
        "graphs.published.batch_norm_epsilon: '1e-3' is not a number; write it without quotes and with"
        " a point, as in 1.0e-3",
    ),
    "text for a list": _in(
        "vgg16",
        "top: [dense_1, dense_2, dense_3]",
        "top: dense_3",
        "graphs.published.top: 'dense_3' is not a list",
    ),
    "a list for a mapping": _in(
        "vgg16",
        "input: {height: 224, width: 224, channels: 3, min_size: 32}",
        "input: [224, 224, 3]",
        "input: a list is not a mapping",
    ),
    "too few": _in("vgg16", "classes: 1000", "classes: 0", "classes: 0 is less than 1"),
    "too much": _in(
        "vgg16",
        "top5_error_percent: 9.95",
        "top5_error_percent: 995",
        "accuracy.top5_error_percent: 995 is more than 100.0",
    ),
    "bad digest": _in(
        "densenet161",
        "digest: sha256:190946f7fb4e45e4c78c2e320cbb8f6b10f145b09aca98ab06f34f8b20ec8746",
        'digest: "sha256:12"',
        "weights[1].digests[0].digest: 'sha256:12' is not a digest: sha256 needs 64 hexadecimal digits",
    ),
    "digest of another length": _in(
        "inception_v3",
        f"digest: {_MD5}",
        f"digest: {_MD5}0",
        f"weights[0].digests[0].digest: '{_MD5}0' is not a digest: md5 needs 32 hexadecimal digits",
    ),
    "digest of an unknown algorithm": _in(
        "inception_v3",
        f"digest: {_MD5}",
        'digest: "crc32:12345678"',
        "weights[0].digests[0].digest: 'crc32:12345678' is not a digest: it must start with one of sha256,"
        " sha384, sha1, md5, git-blob-sha1, cksum, sha256-prefix8, then a colon",
    ),
    "digest without its algorithm": _in(
        "inception_v3",
        f"digest: {_MD5}",
        f"digest: {_MD5.removeprefix('md5:')}",
        f"weights[0].digests[0].digest: '{_MD5.removeprefix('md5:')}' is not a digest: it must start with"
        " one of sha256, sha384, sha1, md5, git-blob-sha1, cksum, sha256-prefix8, then a colon",
    ),
    "unknown grade": _in(
        "inception_v3",
        "grade: A",
        "grade: E",
        "weights[0].digests[0].grade: 'E' is not one of A, B, C, D, proven, seen, practice",
    ),
    "unknown family": _in(
        "vgg19",
        "family: vgg",
        "family: vgg19",
        "family: 'vgg19' is not one of vgg, googlenet, inception_v3, inception_v4, resnet, densenet,"
        " xception, resnet_keras, resnet_v2, inception_resnet_v2, mobilenet, mobilenet_v2, mobilenet_v3,"
        " densenet_keras, nasnet, efficientnet, efficientnet_v2, convnext, whole_model; did you mean vgg?",
    ),
    "unknown layout": _in(
        "vgg19",
        "layout: th",
        "layout: channels_first",
        "weights[0].layout: 'channels_first' is not one of th, tf",
    ),
    "plain http": _in(
        "inception_v3",
        "- https://github.com",
        "- http://github.com",
        "weights[0].urls[0]: 'http://github.com/fchollet/deep-learning-models/releases/download/v0.2/inceptio…'"
        " must be an https:// URL (plain http:// is for loopback only: localhost, 127.0.0.0/8, [::1])",
    ),
    "no URL": _in(
        "densenet169",
        "urls:\n          - https://drive.google.com/uc?export=download&id=0Byy2AcGyEVxfN0d3T1F1MXg0NlU\n",
        "urls: []\n",
        "weights[0].urls: has 0 entries instead of at least 1",
    ),
    "a number missing from a list": _in(
        "densenet121",
        "blocks: [6, 12, 24, 16]",
        "blocks: [6, 12, 24]",
        "graphs.published.config.blocks: has 3 entries instead of 4",
    ),
    "another family's number": _in(
        "densenet121",
        "          growth_rate: 32\n",
        "          growth_rate: 32\n          naming: caffe\n",
        "graphs.published.config.naming: is not a known key",
        at="naming: caffe",
    ),
    "an id that is no file name": _in(
        "vgg16",
        "id: vgg16-th-gist",
        "id: ../vgg16",
        "weights[0].id: '../vgg16' must consist of letters, digits, '.', '_' and '-' and start with a letter"
        " or digit",
    ),
    "two lines of text": _in(
        "vgg16",
        "licence: CC-BY-4.0 (ported from the Oxford VGG models)",
        'licence: "CC-BY\\n4.0"',
        "weights[0].licence: 'CC-BY\\n4.0' must be one line of text with no blanks around it",
    ),
    "unknown form": Error(
        after="\nschema",
        old=": 1",
        new=": 0",
        message="registry.yaml: schema: 0 is not one of 1",
    ),
}

SENSE: dict[str, Error] = {
    "head that is not a layer": _in(
        "densenet161",
        "{name: prob, layer: fc6}",
        "{name: prob, layer: fc7}",
        "graphs.published.heads[0].layer: 'fc7' is not a dense layer of densenet161, which has fc6",
    ),
    "head that is not dense": _in(
        "densenet161",
        "{name: prob, layer: fc6}",
        "{name: prob, layer: conv1}",
        "graphs.published.heads[0].layer: 'conv1' is not a dense layer of densenet161, which has fc6",
    ),
    "head without weights": _in(
        "densenet161",
        "{name: prob, layer: fc6}",
        "{name: prob, layer: prob}",
        "graphs.published.heads[0].layer: 'prob' is not a dense layer of densenet161, which has fc6",
    ),
    "head with other outputs": _in(
        "googlenet",
        "{name: loss2, layer: loss2/classifier}",
        "{name: loss2, layer: loss2/fc}",
        "graphs.published.heads[1].layer: 'loss2/fc' has 1,024 outputs, but the architecture has "
        "1,000 classes",
    ),
    "head that is not in top": _in(
        "googlenet",
        "loss2/fc, loss2/classifier, loss3/classifier]",
        "loss2/fc, loss3/classifier]",
        "graphs.published.heads[1].layer: 'loss2/classifier' is not in top, so a file without the top would"
        " hold this head",
        at="{name: loss2,",
    ),
    "top that is not a layer": _in(
        "vgg19",
        "top: [dense_1, dense_2, dense_3]",
        "top: [dense_0, dense_2, dense_3]",
        "graphs.published.top[0]: 'dense_0' is not a weighted layer of vgg19; did you mean dense_3?",
    ),
    "unknown structure": _in(
        "densenet161",
        "structures: [densenet161]",
        "structures: [densenet160]",
        "graphs.published.structures[0]: there is no structure 'densenet160'; did you mean densenet169?",
    ),
    "structures of different length": _in(
        "vgg16",
        "structures: [vgg16, vgg16_blocks]",
        "structures: [vgg16, vgg19_blocks]",
        "graphs.published.structures[1]: vgg19_blocks has 19 weighted layers, but vgg16 has 16",
    ),
    "structures of different layers": _in(
        "densenet161",
        "structures: [densenet161]",
        "structures: [inception_v3, inception_v3_2017]",
        "graphs.published.structures[1]: 'conv2d_1' of inception_v3_2017 differs from 'convolution2d_1' of"
        " inception_v3",
    ),
    "one structure in two graphs": _in(
        "inception_v4",
        "structures: [inception_v4_noscale]",
        "structures: [inception_v4]",
        "graphs.release-2.1.structures[0]: 'inception_v4' belongs to the graph 'release-2.0' already",
    ),
    "file of no graph": _in(
        "vgg16",
        "structure: vgg16_blocks",
        "structure: vgg19_blocks",
        "weights[1].structure: 'vgg19_blocks' is not one of vgg16, vgg16_blocks; did you mean vgg16_blocks?",
    ),
    "a set of two graphs": _in(
        "inception_v3",
        "set: imagenet-2017",
        "set: imagenet",
        "weights[4].set: 'imagenet' is for the graph 'v2016', this file for 'v2017'; give it a weights set"
        " of its own",
    ),
    "one id twice": _in(
        "vgg19",
        "id: vgg19-th-gist",
        "id: vgg16-th-gist",
        "weights[0].id: 'vgg16-th-gist' is the id of architectures.vgg16.weights[0] already",
    ),
    "one id but for its case": _in(
        "vgg19",
        "id: vgg19-th-gist",
        "id: VGG16-th-gist",
        "weights[0].id: 'VGG16-th-gist' differs from 'vgg16-th-gist', of architectures.vgg16.weights[0], in"
        " case alone: on many disks that is one name; give it another",
    ),
    "unknown recipe": _in(
        "densenet161",
        "preprocessing: caffe_x0.017",
        "preprocessing: caffe_0.017",
        "preprocessing: 'caffe_0.017' is not one of caffe, caffe_x0.017, inception, inside, torch,"
        " torch_x255; did you mean caffe_x0.017?",
    ),
    "unknown class index": _in(
        "densenet161",
        "class_index: imagenet",
        "class_index: imagenet21k",
        "class_index: 'imagenet21k' is not one of imagenet; did you mean imagenet?",
    ),
    "classes that the index does not name": _in(
        "inception_v4",
        "class_offset: 1",
        "class_offset: 0",
        "classes: 1,001 classes, but class_offset and the class index 'imagenet' make 1000",
        at="classes: 1001",
    ),
}
