# Set up, demonstrate, test and check genrelens. Everything is installed in one virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The folder of GTZAN that `make models` trains on: audio/<genre>/<clip> and clips.csv.
DATA ?= ../shared/gtzan
# The folder of today's music that `make lens` trains on as well: audio/<genre>/<clip> and clips.csv.
MODERN ?= ../shared/modern

# All tests of a module run in one worker, which creates their shared fixtures once.
IN_PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help demo serve site test test-quick lint docs wheel bench load models lens clean

help:
	@echo "make demo        classify a bundled clip with the packaged model"
	@echo "make serve       serve the web page and the API on http://127.0.0.1:8000"
	@echo "make site        write the static site into site-static/ (needs npm)"
	@echo "make test        install what the tests need and run all tests"
	@echo "make test-quick  run the unit tests only"
	@echo "make lint        check style, types and layers"
	@echo "make docs        build the documentation site into site/"
	@echo "make wheel       build the wheel into dist/"
	@echo "make bench       measure speed and memory (see benchmarks/README.md)"
	@echo "make load        measure the server under load"
	@echo "make models      train the packaged networks of 2018 again (a day on two cores, minutes on a GPU; see docs/development.md)"
	@echo "make lens        train the default model again (downloads its inputs; needs Debian)"
	@echo "make clean       remove the virtual environment and build products"

demo: $(VENV)/.run
	$(BIN)/genrelens classify examples/trance.ogg --top 6
	@echo
	@echo "In a browser: make serve"

serve: $(VENV)/.web
	$(BIN)/genrelens serve

# The page without a server. npm provides onnxruntime-web; genrelens verifies its files.
ORT_WEB := build/onnxruntime-web-1.30.0.tgz

site: $(VENV)/.run $(ORT_WEB)
	$(BIN)/genrelens site site-static --runtime $(ORT_WEB)

$(ORT_WEB):
	mkdir -p build
	npm pack --silent onnxruntime-web@1.30.0 --pack-destination build

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(IN_PARALLEL)

# The tests that need neither torch nor another process.
test-quick: $(VENV)/.dev
	$(BIN)/python -m pytest $(IN_PARALLEL) -m quick

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	$(BIN)/python scripts/experiment_page.py --check

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel --outdir dist

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py

load: $(VENV)/.dev
	$(BIN)/python benchmarks/load.py

# mel-cnn-lstm is cross-validated on grouped folds, to measure and calibrate it; the model that is
# trained on all clips is packaged, with these figures. The baseline mfcc-lstm is trained once.
TRAIN = $(BIN)/genrelens train $(1) --data $(DATA)/audio --relabel blues=jazz --resume
FOLDS := runs/mel-cnn-lstm-grouped

models: $(VENV)/.dev
	$(BIN)/genrelens crossval mel-cnn-lstm-22k --data $(DATA)/audio --relabel blues=jazz \
	  --groups $(DATA)/clips.csv --protocol grouped --out $(FOLDS)
	$(call TRAIN,mel-cnn-lstm-22k) --groups $(DATA)/clips.csv --all --name mel-cnn-lstm \
	  --metrics $(FOLDS)/metrics.json --out runs/mel-cnn-lstm
	$(BIN)/genrelens calibrate runs/mel-cnn-lstm/model.onnx $(FOLDS)/mel-cnn-lstm.csv
	$(call TRAIN,mfcc-lstm) --split $(DATA)/clips.csv --out runs/mfcc-lstm-valid
	cp runs/mel-cnn-lstm/model.onnx src/genrelens/models/mel-cnn-lstm.onnx
	cp runs/mfcc-lstm-valid/model.onnx src/genrelens/models/mfcc-lstm.onnx
	$(BIN)/python scripts/halve_weights.py mel-cnn-lstm mfcc-lstm --clips $(DATA)/audio
	$(BIN)/python scripts/golden.py

MUSICNN := runs/musicnn-0.1.0-py3-none-any.whl
LENS_DATA = --data $(DATA)/audio --data $(MODERN)/audio --data $(DATA)/microphone \
  --groups $(DATA)/clips.csv --groups $(MODERN)/clips.csv --groups $(DATA)/clips.csv \
  --relabel scripts/modern-genres.toml
LENS_BESIDE = --musicnn $(MUSICNN) --not-music runs/not-music

# The cross-validation measures the recipe and gives the predictions for the calibration. The
# packaged model is trained on everything, from the same features.
lens: $(VENV)/.dev
	$(BIN)/python -m pip download --no-deps --dest runs musicnn==0.1.0
	$(BIN)/python scripts/not_music.py train runs/not-music
	$(BIN)/genrelens crossval lens $(LENS_DATA) $(LENS_BESIDE) --protocol grouped --rare-genres \
	  --out runs/lens-grouped
	$(BIN)/genrelens train lens $(LENS_DATA) $(LENS_BESIDE) --all \
	  --folds runs/lens-grouped/split.csv --metrics runs/lens-grouped/metrics.json \
	  --resume --out runs/lens
	$(BIN)/genrelens calibrate runs/lens/model.onnx runs/lens-grouped/sets.npz --sure 0.9
	cp runs/lens/model.onnx src/genrelens/models/lens.onnx
	$(BIN)/python scripts/golden.py
	$(BIN)/python scripts/lens_card.py runs/lens-grouped/sets.npz --names GTZAN modern --out runs/lens-card

clean:
	rm -rf $(VENV) build dist site site-static

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Packages for running, serving, documentation and development; each set is installed once.
$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.web: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[web]'
	@touch $@ $(VENV)/.run

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.run $(VENV)/.web

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.run $(VENV)/.web
