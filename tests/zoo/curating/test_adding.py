"""A network of a user's own goes into the registry, and by its name from there on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

import zoo as library
from converters.planning.structures import load_structure
from tests.support.command import Command
from tests.support.forgetting import forget
from tests.support.weight_files import write_empty_numbered
from zoo.curating.recognising import Unsaid
from zoo.practice.server import PracticeServer
from zoo.registry import architecture, load_registry
from zoo.registry.digests import hash_file

SMALL = {"aux_heads": False, "input_shape": (32, 32, 3), "compile": False}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of 17 classes: its weights, and whole."""
    folder = tmp_path_factory.mktemp("mine")
    keras.utils.set_random_seed(3)
    model = library.load("googlenet", weights=None, num_classes=17, **SMALL)
    model.save_weights(folder / "my.weights.h5")
    model.save(folder / "my.keras")
    names = "\n".join(f"class {number}" for number in range(17))
    (folder / "classes.txt").write_text(names, "utf-8")
    keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    ).save(folder / "other.keras")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return where the user's own registry is to be."""
    return tmp_path / "zoo-home" / "registry.yaml"


def test_a_file_goes_by_a_name_from_then_on(zoo: Command, mine: Path, own: Path) -> None:
    """Its network, form, digest and size are found out; nothing has to be said but the name."""
    file = mine / "my.weights.h5"
    code, out, err = zoo("registry", "add", file, "--name", "drivers", "--quiet")
    assert (code, out, err) == (0, "drivers\n", "")
    network = architecture("drivers")
    assert (network.family, network.classes, network.own_heads) == ("googlenet", 17, True)
    assert (network.preprocessing, network.class_index, network.weights_sets) == (None, None, ("own",))
    (entry,) = network.weights
    sha256 = hash_file(file, ["sha256"])["sha256"]
    assert (entry.structure, entry.top, entry.layout, entry.kernels) == ("googlenet", True, "tf", "tf")
    assert (entry.dialect, entry.bytes, entry.path) == ("keras3", file.stat().st_size, str(file))
    assert [str(digest) for digest in entry.digests] == [f"sha256:{sha256}"]
    assert own.read_text("utf-8").startswith("# Networks of your own")
    assert zoo("fetch", "drivers")[:2] == (0, f"{own.parent}/drivers/drivers-own-{sha256[:16]}.h5\n")
    assert zoo("show", "drivers")[0] == zoo("list", "drivers")[0] == 0
    assert json.loads(zoo("list", "drivers", "--json")[1])[0]["parameters"] == network.parameters


def test_what_is_not_known_is_asked_for_by_its_option(mine: Path) -> None:
    """Whoever needs the preprocessing or the names of the classes says so, and nobody goes on without."""
    library.register(mine / "my.weights.h5", "drivers")
    again = (
        "add it again with {0} (zoo registry add FILE --name drivers --replace {0}),"
        " or write {1} into its entry"
    )
    with pytest.raises(library.ArgumentError) as caught:
        library.preprocess_input("drivers", np.zeros((1, 32, 32, 3)))
    assert str(caught.value) == (
        f"drivers: its preprocessing is not known; {again.format('--preprocessing NAME', 'preprocessing')}"
    )
    with pytest.raises(library.ArgumentError) as caught:
        library.load("drivers", include_preprocessing=True, **SMALL)
    assert "its preprocessing is not known" in str(caught.value)
    with pytest.raises(library.ArgumentError) as caught:
        library.decode_predictions("drivers", np.zeros((1, 17)))
    assert str(caught.value) == (
        f"drivers: its classes' names are not known; {again.format('--classes FILE', 'class_names')}"
    )


@pytest.mark.long
def test_three_commands_from_an_own_file_to_one_with_a_new_head(
    zoo: Command, mine: Path, tmp_path: Path
) -> None:
    """Added, loaded with another number of classes, saved: all below the head is the file's, to the bit."""
    file = mine / "my.weights.h5"
    said = ("--preprocessing", "caffe", "--classes", mine / "classes.txt")
    assert zoo("registry", "add", file, "--name", "drivers", *said)[0] == 0
    model = library.load("drivers", num_classes=5, **SMALL)
    model.save(tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras", compile=False)
    old = library.load("drivers", **SMALL)
    assert (new.output_shape, old.output_shape) == ((None, 5), (None, 17))
    assert all(map(np.array_equal, new.get_weights()[:-2], old.get_weights()[:-2]))
    images = np.zeros((1, 32, 32, 3), np.float32)
    whole = keras.saving.load_model(mine / "my.keras", compile=False)
    assert np.array_equal(old(images), whole(images))
    assert library.decode_predictions("drivers", np.eye(17)[:1], top=1) == [[("", "class 0", 1.0)]]
    assert library.preprocess_input("drivers", images).shape == images.shape


def test_a_whole_model_of_any_network_is_loaded_as_it_is(zoo: Command, mine: Path) -> None:
    """Its head can be replaced, left off, and the rest frozen."""
    assert zoo("registry", "add", mine / "other.keras", "--name", "other", "-q") == (0, "other\n", "")
    network = architecture("other")
    assert (network.family, network.classes, network.parameters) == ("whole_model", 3, 16 * 16 * 3 * 3 + 3)
    assert (network.input.height, network.input.channels) == (16, 3)
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    before = keras.saving.load_model(mine / "other.keras")(images)
    assert np.array_equal(library.load("other")(images), before)
    fresh = library.load("other", num_classes=5, freeze="backbone")
    assert (fresh.output_shape, len(fresh.trainable_weights)) == ((None, 5), 2)
    assert library.load("other", num_classes=0).output_shape == (None, 16 * 16 * 3)
    with pytest.raises(library.ArgumentError) as caught:
        library.load("other", input_shape=(32, 32, 3))
    assert str(caught.value) == (
        "input_shape=(32, 32, 3): other is a whole model, which is loaded as it is in its file;"
        " leave that out"
    )
    assert zoo("show", "other")[0] == zoo("list")[0] == 0
    assert zoo("fetch", "other", "--backend", "th")[0] == 0


@pytest.mark.long
def test_weights_alone_of_a_whole_model(mine: Path) -> None:
    """Of a known network, where that is asked for: then its feature maps and sizes are to be had too."""
    added = library.register(mine / "my.keras", "drivers", weights_only=True)
    assert (added.network.family, added.network.weights[0].filename) == ("googlenet", "my.keras")
    maps = library.feature_maps("drivers", strides=[8], input_shape=(32, 32, 3))
    assert maps.output_shape == (None, 4, 4, 480)


def pictures(folder: Path) -> Path:
    """Return a folder with a subfolder of dark images and one of bright ones."""
    draw = np.random.default_rng(0)
    for place, name in enumerate(("dark", "bright")):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            values = draw.integers(0, 100, (16, 16, 3)) + 150 * place
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.long
def test_a_whole_model_is_fine_tuned(zoo: Command, mine: Path, tmp_path: Path) -> None:
    """Three commands, as for any network: added, trained on other classes, asked."""
    photos, run = pictures(tmp_path / "photos"), tmp_path / "run"
    added = ("registry", "add", mine / "other.keras", "--name", "other")
    assert zoo(*added, "-q")[0] == 0
    typed = ("finetune", "other", photos, "--out", run, "--strategy", "svm", "-q")
    code, _, err = zoo(*typed)
    assert code == 2
    assert err.startswith(
        "zoo: other: its preprocessing is not known; add it again with --preprocessing NAME "
    )
    assert zoo(*added, "--preprocessing", "inception", "--replace", "-q")[0] == 0
    assert zoo(*typed, "--input-size", "32")[::2] == (
        2,
        "zoo: --input-size 32: must be left out: other is a whole model for images of 16x16\n",
    )
    assert zoo(*typed)[0] == 0
    told = json.loads(zoo("predict", run, photos / "dark" / "0.png", "--json")[1])
    assert told[0]["classes"][0]["name"] == "dark"
    record = json.loads((run / "run.json").read_text("utf-8"))
    assert (record["network"], record["preprocessing"], record["weights"]["id"]) == (
        "other",
        "inception",
        "other-own",
    )


def test_a_file_that_was_moved_is_in_the_cache(mine: Path, tmp_path: Path, zoo: Command) -> None:
    """And where that was emptied too, what happened is told."""
    file = tmp_path / "my.weights.h5"
    file.write_bytes((mine / "my.weights.h5").read_bytes())
    path = library.register(file, "drivers").path
    assert path is not None
    file.rename(tmp_path / "elsewhere.h5")
    assert library.fetch("drivers") == path
    path.unlink()
    code, _, err = zoo("fetch", "drivers")
    assert (code, f"source         {file}\n  what happened  there is no such file\n" in err) == (1, True)
    (tmp_path / "elsewhere.h5").rename(file)
    assert library.fetch("drivers") == path


def test_a_url_is_fetched_and_pinned(mine: Path, zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the digest of what came."""
    published = "https://files.example.org/my.weights.h5"
    with PracticeServer({published: mine / "my.weights.h5"}) as server:
        url = server.local(published)
        code, out, _ = zoo("registry", "add", url, "--name", "drivers")
        assert (code, out) == (0, "drivers\n")
    (entry,) = architecture("drivers").weights
    assert (entry.urls, entry.path) == ((url,), None)
    assert str(entry.digests[0]) == f"sha256:{hash_file(mine / 'my.weights.h5', ['sha256'])['sha256']}"
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert zoo("fetch", "drivers")[0] == 0


def test_what_is_asked_on_a_terminal(
    mine: Path, tmp_path: Path, zoo: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be worked out, until the answer is one; elsewhere it is told which option says it."""
    file = tmp_path / "old.h5"
    write_empty_numbered(file, load_structure("googlenet"), layout="th")
    typed = ("registry", "add", file)
    assert zoo(*typed) == (2, "", "zoo: the network needs a name; say it with --name NAME (name=)\n")
    reason = f"{file}: nothing in it tells how its kernels are stored"
    assert zoo(*typed, "--name", "mine") == (
        2,
        "",
        f"zoo: {reason}; say it with --kernels th or --kernels tf (kernels=)\n",
    )
    answers = iter(["mine\n", "what\n", "th\n"])
    monkeypatch.setattr("zoo.cli.registry_add._is_asked", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: next(answers), raising=False)
    code, out, err = zoo(*typed, "-q")
    assert (code, out) == (0, "mine\n")
    question = "zoo: kernels: th (as Theano rotates them) or tf (as all others have them)?"
    assert err.splitlines() == ["zoo: name of the network?", question, question]
    assert architecture("mine").weights[0].kernels == "th"


NEW = ["FILE", "--name", "y"]
MISTAKES = {
    "a name that exists": (
        ["FILE", "--name", "vgg16"],
        "vgg16: is a network of the registry already; choose another name",
        1,
    ),
    "the name of a file": (
        ["FILE", "--name", "vgg16-th-gist"],
        "vgg16-th-gist: is a weights file of vgg16; choose another name",
        1,
    ),
    "a name of one's own": (
        ["FILE", "--name", "x"],
        "x: is a network of OWN already; --replace (replace=True) puts this there",
        1,
    ),
    "a URL without https": (
        ["http://files.example.org/a.h5", "--name", "y"],
        "http://files.example.org/a.h5: must be an https:// URL (plain http:// is for loopback only:"
        " localhost, 127.0.0.0/8, [::1])",
        1,
    ),
    "no file": (["nowhere.h5", "--name", "y"], "nowhere.h5: there is no such file", 1),
    "a folder": (
        ["/", "--name", "y"],
        "/: is a folder; of a run, the file to name is its model.keras",
        1,
    ),
    "no network": (
        ["OTHER", "--name", "y", "--weights-only"],
        "OTHER: holds no network of the registry; a whole model (model.save) can be added whatever its"
        " network is",
        1,
    ),
    "classes of another number": (
        [*NEW, "--classes", "imagenet"],
        "--classes imagenet: must name 17 classes, as many as the file has; it names 1000",
        2,
    ),
    "an unknown recipe": ([*NEW, "--preprocessing", "x"], "--preprocessing x: must be one of RECIPES", 2),
    "an unknown network": (
        [*NEW, "--arch", "vgg"],
        "arch='vgg': there is no network of this name; `zoo list` shows all",
        2,
    ),
    "another network": ([*NEW, "--arch", "vgg16"], "FILE: not the layers of vgg16: layer ", 1),
}

OWN = """\
# mine
architectures:
  x:
    title: X
    family: vgg
    input: {height: 224, width: 224, channels: 3, min_size: 32}
    classes: 1000
    class_offset: 0
    graphs:
      published:
        structures: [vgg16]
        config:
          {convolutions: [2, 2, 3, 3, 3], filters: [64, 128, 256, 512, 512], dense: [4096], dropout: 0.5}
        batch_norm_epsilon: null
        heads: [{name: dense_3, layer: dense_3}]
        top: [dense_1, dense_2, dense_3]
    weights: []
"""


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_one_line_and_changes_nothing(kind: str, zoo: Command, mine: Path, own: Path) -> None:
    """The user's file is what it was, byte for byte."""
    words, message, expected = MISTAKES[kind]
    own.parent.mkdir()
    own.write_text(OWN, "utf-8")
    named = {"FILE": str(mine / "my.weights.h5"), "OTHER": str(mine / "other.keras"), "OWN": str(own)}
    code, out, err = zoo("registry", "add", *(named.get(word, word) for word in words))
    for word, text in {**named, "RECIPES": ", ".join(load_registry().preprocessing)}.items():
        message = message.replace(word, text)
    assert (code, out, err.count("\n")) == (expected, "", 1)
    assert err.startswith(f"zoo: {message}")
    assert own.read_text("utf-8") == OWN


TENS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
BROKEN = {
    "a builder not in the package": (
        "architectures: {vgg16: {family: mine}}\n",
        ":1: architectures.vgg16.family: 'mine' is not one of ",
    ),
    "no YAML": ("architectures: [\n", ":2: is not YAML: "),
    "a bomb": (f"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{TENS}", ":"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_registry_is_told_and_left_alone(kind: str, zoo: Command, mine: Path, own: Path) -> None:
    """Whatever somebody wrote into it."""
    text, message = BROKEN[kind]
    own.parent.mkdir()
    own.write_text(text, "utf-8")
    code, out, err = zoo("registry", "add", mine / "my.weights.h5", "--name", "drivers")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"zoo: {own}{message}")
    assert own.read_text("utf-8") == text


def test_comments_stay_and_an_entry_goes_again(zoo: Command, mine: Path, own: Path) -> None:
    """By its name; what was there is there byte for byte."""
    own.parent.mkdir()
    text = "# all mine\nschema: 1  # so it is\n\n# networks: none\n"
    own.write_text(text, "utf-8")
    assert zoo("registry", "add", mine / "my.weights.h5", "--name", "drivers")[0] == 0
    assert own.read_text("utf-8").startswith(text)
    assert yaml.safe_load(own.read_text("utf-8"))["architectures"]["drivers"]["title"] == "drivers"
    dry = zoo("registry", "remove", "drivers", "--dry-run", "--json")
    assert json.loads(dry[1]) == {"name": "drivers", "registry": str(own), "written": False}
    assert zoo("registry", "remove", "drivers")[:2] == (0, "drivers\n")
    assert own.read_text("utf-8").rstrip("\n") == text.rstrip("\n")
    assert zoo("registry", "remove", "drivers")[::2] == (
        2,
        f"zoo: drivers: {own} has no network of this name; there is none in it\n",
    )


def test_dry_run_prints_what_would_be_written(zoo: Command, mine: Path, own: Path) -> None:
    """And writes nothing."""
    code, out, _ = zoo("registry", "add", mine / "my.weights.h5", "--name", "drivers", "--dry-run")
    assert (code, own.exists()) == (0, False)
    assert list(yaml.safe_load(out)) == ["drivers"]


def test_python_asks_as_the_command_does(mine: Path) -> None:
    """With the argument's name."""
    with pytest.raises(Unsaid) as caught:
        library.register(mine / "my.weights.h5")
    assert str(caught.value) == "the network needs a name; say it with --name NAME (name=)"


def test_a_registry_that_is_a_link_stays_one(zoo: Command, mine: Path, own: Path, tmp_path: Path) -> None:
    """What it leads to is changed, as a whole; nothing is left beside either."""
    kept = tmp_path / "dotfiles" / "zoo.yaml"
    for folder in (own.parent, kept.parent):
        folder.mkdir()
    kept.write_text("# kept under version control\nschema: 1\n", "utf-8")
    own.symlink_to(kept)
    assert zoo("registry", "add", mine / "my.weights.h5", "--name", "drivers")[0] == 0
    assert own.readlink() == kept
    assert kept.read_text("utf-8").startswith("# kept under version control\nschema: 1\n")
    assert architecture("drivers").classes == 17
    assert list(kept.parent.iterdir()) == [kept]
    assert zoo("registry", "remove", "drivers")[0] == 0
    assert own.readlink() == kept
    assert kept.read_text("utf-8").rstrip("\n") == "# kept under version control\nschema: 1"


def test_a_link_that_leads_nowhere_is_told(zoo: Command, mine: Path, own: Path, tmp_path: Path) -> None:
    """The registry that somebody meant is elsewhere: none is begun in its place."""
    own.parent.mkdir()
    own.symlink_to(tmp_path / "zoo.yaml")
    said = zoo("registry", "add", mine / "my.weights.h5", "--name", "drivers")
    assert said == (1, "", f"zoo: {own}: cannot be read: No such file or directory\n")
    assert (own.is_symlink(), own.exists()) == (True, False)


@pytest.mark.parametrize("form", ["safetensors", "npz"])
def test_files_of_other_formats_are_added_as_the_message_says(
    form: str, zoo: Command, mine: Path, tmp_path: Path
) -> None:
    """By way of a file of Keras, whose arrays are the same."""
    other = tmp_path / f"my.{form}"
    assert zoo("convert", mine / "my.weights.h5", other, "--to", form, "--quiet")[0] == 0
    code, out, err = zoo("registry", "add", other, "--name", "drivers")
    advice = f"zoo convert {other} --to keras3 makes one of it, which can be added"
    why = "is no file of Keras, and an entry's file is kept, fetched and mirrored as one"
    assert (code, out, err) == (1, "", f"zoo: {other}: {why}; {advice}\n")
    code, out, _ = zoo("convert", other, "--to", "keras3", "--json")
    assert code == 0
    assert zoo("registry", "add", json.loads(out)["target"], "--name", "drivers", "--quiet")[0] == 0
    loaded = library.load("drivers", **SMALL)
    whole = keras.saving.load_model(mine / "my.keras")
    images = np.ones((1, 32, 32, 3), np.float32)
    assert np.array_equal(np.asarray(loaded(images)), np.asarray(whole(images)))


def test_processes_that_add_at_once_lose_nothing(mine: Path, own: Path) -> None:
    """Each waits for the other, and finds what that one wrote."""
    names = ["first", "second", "third"]
    command = [
        sys.executable,
        "-m",
        "zoo",
        "registry",
        "add",
        str(mine / "my.weights.h5"),
        "--quiet",
        "--name",
    ]
    running = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names]
    assert [(process.communicate()[0].splitlines()[0], process.returncode) for process in running] == [
        (name, 0) for name in names
    ]
    assert set(yaml.safe_load(own.read_text("utf-8"))["architectures"]) == set(names)
    assert [architecture(name).classes for name in names] == [17, 17, 17]


def test_a_head_that_is_a_convolution_is_recognised(zoo: Command, tmp_path: Path) -> None:
    """Its classes are counted, and it is taken over and replaced as others are."""
    sides = {"input_shape": (64, 64, 3), "data_format": "channels_last", "compile": False}
    model = library.load("mobilenet_0.25", weights=None, num_classes=7, **sides)
    model.save_weights(tmp_path / "my.weights.h5")
    assert zoo("registry", "add", tmp_path / "my.weights.h5", "--name", "phones", "--quiet")[0] == 0
    network = architecture("phones")
    assert (network.classes, network.own_heads, network.family) == (7, True, "mobilenet")
    loaded, images = library.load("phones", **sides), np.ones((1, 64, 64, 3), np.float32)
    assert np.array_equal(np.asarray(loaded(images)), np.asarray(model(images)))
    fresh = library.load("phones", num_classes=3, **sides)
    assert fresh.output_shape == (None, 3)
    assert np.array_equal(
        fresh.get_layer("conv1").get_weights()[0], model.get_layer("conv1").get_weights()[0]
    )
