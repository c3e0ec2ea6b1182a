# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 or newer, make, the package index.
PYTHON ?= python3
VENV ?= .venv
BACKENDS ?= .venv-backends
TF_KERAS ?= .venv-tf-keras
OLDEST_KERAS ?= .venv-oldest-keras
OLDEST ?= .venv-oldest
EXPORT ?= .venv-export
HOSTS ?= .venv-hosts
ORIGINS ?= .venv-origins
CLUSTERS ?= .venv-clusters
BIN := $(VENV)/bin

# Many tests start processes, each of which would compile the packages anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-nginx test-shells test-browser test-pages test-backends test-tf-keras tf-keras-table test-oldest-keras test-oldest test-export test-clusters test-origins test-hosts test-hosts-briefly test-gpu test-chains torture torture-files lint docs digests table applications schema bench bench-origins wheel clean

demo: $(VENV)/ready
	$(BIN)/zoo demo

test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Those that take long and rarely tell what the others do not as well.
test-all: $(VENV)/ready
	ZOO_MUTATIONS=300 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "long or not long"

# Needs nginx (apt-get install nginx-light), so it is no part of `make test`.
test-nginx: $(VENV)/ready
	$(BIN)/python -m pytest tests/nginx/check_nginx.py

# Needs zsh and fish beside bash (apt-get install zsh fish), so it is no part of `make test`.
test-shells: $(VENV)/ready
	$(BIN)/python -m pytest tests/shells/check_shells.py

# Needs a browser (apt-get install chromium-headless-shell), so it is no part of `make test`.
test-browser: $(VENV)/ready
	$(BIN)/python -m pytest tests/browser/check_report.py

# The commands of the README and of docs/ as they stand, on practice files; what they print is compared.
test-pages: $(VENV)/ready
	$(BIN)/python -m pytest tests/check_pages.py

# All pairs of forms over all samples, and chains of three and four; all eleven networks.
test-chains: $(VENV)/ready
	ZOO_CHAINS=all $(BIN)/python -m pytest -n 2 tests/converters/test_chains.py tests/converters/formats/test_plain.py

# The same tests of kills and races that `make test` runs for a few rounds.
torture: $(VENV)/ready
	ZOO_TORTURE_ROUNDS=100 ZOO_TORTURE_PROCESSES=32 $(BIN)/python -m pytest tests/torture/test_kills.py

# All networks on Keras' other backends, in an environment of its own: JAX and PyTorch take gigabytes.
test-backends: $(BACKENDS)/ready
	KERAS_BACKEND=jax $(BACKENDS)/bin/python -m pytest tests/backends
	KERAS_BACKEND=torch $(BACKENDS)/bin/python -m pytest tests/backends

# Models of tf.keras as tf-keras computes them, against what `zoo upgrade` makes of them: all classes of layers,
# and the page of docs/ that says what came of each, which the second makes anew. Either takes some minutes.
test-tf-keras: $(TF_KERAS)/ready
	$(TF_KERAS)/bin/python -m pytest tests/tf_keras

tf-keras-table: $(TF_KERAS)/ready
	$(TF_KERAS)/bin/python -W ignore -m tests.tf_keras.table

# What `zoo upgrade` makes of all samples, opened by each version of Keras that it says a file may need.
test-oldest-keras: $(OLDEST_KERAS)/ready
	for folder in $(OLDEST_KERAS)/3.*; do \
		PYTHONPATH=$$folder $(BIN)/python -m pytest tests/oldest_keras || exit 1; \
	done

# The tests with the oldest version of every library that pyproject.toml allows, on the oldest Python.
test-oldest: $(OLDEST)/ready
	$(OLDEST)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# All networks exported to SavedModel and ONNX, and run from there, the smallest first: a minute or two of one core
# for each. Keras on TensorFlow writes both, but for VGG's ONNX, for which it takes too much memory; on PyTorch, ONNX.
test-export: $(EXPORT)/ready
	$(EXPORT)/bin/python -m pytest tests/export
	KERAS_BACKEND=torch $(EXPORT)/bin/python -m pytest tests/export

# Two processes that train together, with JAX and without TensorFlow.
test-hosts: $(VENV)/ready $(HOSTS)/ready
	ZOO_TENSORFLOW=$(abspath $(BIN))/python KERAS_BACKEND=jax $(HOSTS)/bin/python -m pytest tests/hosts

# Those of them that are marked `brief`, for .ci/run: a minute, after half a minute of installing.
test-hosts-briefly: $(HOSTS)/ready
	KERAS_BACKEND=jax $(HOSTS)/bin/python -m pytest -m brief tests/hosts

# All networks on a GPU that Keras sees; without one it says so, runs nothing and fails. With TensorFlow for one:
# `pip install 'tensorflow[and-cuda]'` in $(VENV).
test-gpu: $(VENV)/ready
	$(BIN)/python -m tests.gpu

# Caffe's and PyTorch's files as OpenCV and PyTorch themselves read and compute them, in an environment of its own.
test-origins: $(ORIGINS)/ready
	$(ORIGINS)/bin/python -m pytest tests/origins

# Converting such files beside torch.load and OpenCV's reader.
bench-origins: $(ORIGINS)/ready
	$(ORIGINS)/bin/python -m benchmarks origins

# Work shared out to a Dask scheduler with two workers on this machine, and to pools: the same as alone, to the bit.
test-clusters: $(CLUSTERS)/ready
	$(CLUSTERS)/bin/python -m pytest tests/clusters

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site in docs/_build: warnings are errors, and so is a reference to something that is not there.
docs: $(VENV)/docs-ready
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs docs/_build

# What the converter makes of every sample; refused where that changed and RULES_NUMBER did not.
digests: $(VENV)/ready
	$(BIN)/python -m tests.support.conversion_digests

# The tables of networks in the README and in docs/networks.md, from the registry; those of filters and columns in
# docs/finding.md; the public names in docs/stability.md; the registry's JSON Schema, from its records.
table: $(VENV)/ready
	$(BIN)/python -m tests.readme_table
	$(BIN)/python -m tests.networks_page
	$(BIN)/python -m tests.finding_page
	$(BIN)/python -m tests.origins_page
	$(BIN)/python -m tests.stability_names

# The structures of the networks that Keras brings with it, as the installed Keras draws them: some minutes.
applications: $(VENV)/ready
	$(BIN)/python -m tests.applications_facts

schema: $(VENV)/ready
	$(BIN)/python -m zoo.registry.schema > .schema.new
	mv .schema.new zoo/registry.schema.json

bench: $(VENV)/ready
	$(BIN)/pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks --write

# The wheel as users get it, looked into by a test of its own and imported from a folder that is not the checkout.
wheel: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2> /dev/null || date +%s)
wheel: $(VENV)/ready
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python tests/check_wheel.py dist

# 10,000 damaged weights files and 10,000 with odd configurations and records, each converted right or refused,
# and 3,000 each of Caffe's and PyTorch's; `make test` meets the first 100 of any, `make test-all` the first 300.
torture-files: $(VENV)/ready
	ZOO_MUTATIONS=10000 $(BIN)/python -m pytest tests/torture/test_mutations.py
	ZOO_MUTATIONS=3000 $(BIN)/python -m pytest -k mutated tests/converters/formats/test_caffemodel.py tests/converters/formats/test_pytorch.py

# TensorFlow asks for a later Keras than it needs: each lies in a folder that is looked at first.
$(OLDEST_KERAS)/ready: $(VENV)/ready converters/upgrading/today.py converters/upgrading/optimizers.py
	rm -rf $(OLDEST_KERAS)
	for version in $$($(BIN)/python -m tests.oldest_keras.versions); do \
		$(BIN)/python -m pip install --quiet --no-deps --target $(OLDEST_KERAS)/$$version keras==$$version || exit 1; \
	done
	touch $@

clean:
	rm -rf $(VENV) $(BACKENDS) $(TF_KERAS) $(OLDEST_KERAS) $(OLDEST) $(EXPORT) $(CLUSTERS) $(ORIGINS) $(HOSTS) dist build docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

# Libraries that no line of pyproject.toml names come in their newest version that goes with these.
$(OLDEST)/ready: pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet uv
	$(OLDEST)/bin/uv pip install --quiet --resolution lowest-direct --python $(OLDEST)/bin/python --editable '.[dev]'
	touch $@

$(VENV)/docs-ready: $(VENV)/ready
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

$(BACKENDS)/ready: pyproject.toml
	$(PYTHON) -m venv $(BACKENDS)
	$(BACKENDS)/bin/pip install --quiet --editable '.[backends]'
	touch $@

$(TF_KERAS)/ready: pyproject.toml
	$(PYTHON) -m venv $(TF_KERAS)
	$(TF_KERAS)/bin/pip install --quiet --editable '.[tf-keras]'
	touch $@

# All that pyproject.toml has the package need but TensorFlow, and JAX.
$(HOSTS)/ready: pyproject.toml tests/hosts/requirements.py
	$(PYTHON) -m venv $(HOSTS)
	$(HOSTS)/bin/pip install --quiet $$($(PYTHON) -m tests.hosts.requirements)
	$(HOSTS)/bin/pip install --quiet --no-deps --editable .
	touch $@

$(ORIGINS)/ready: pyproject.toml
	$(PYTHON) -m venv $(ORIGINS)
	$(ORIGINS)/bin/pip install --quiet --editable '.[origins]'
	touch $@

$(EXPORT)/ready: pyproject.toml
	$(PYTHON) -m venv $(EXPORT)
	$(EXPORT)/bin/pip install --quiet --editable '.[export,backends]'
	touch $@

$(CLUSTERS)/ready: pyproject.toml
	$(PYTHON) -m venv $(CLUSTERS)
	$(CLUSTERS)/bin/pip install --quiet --editable '.[dev,dask,parquet]'
	touch $@
