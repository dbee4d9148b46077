# make demo   the whole job on this machine: train, convert, publish, serve, ask
# make test   the whole test suite
# make serve  the service on the model that the demo made
# make help   every target

PYTHON ?= python3
VENV ?= .venv
RUN ?= demo
SEASON ?= ipl_2024
export SEASON
PY := $(VENV)/bin/python
MINUTES ?= 8
ANSWERS := runs/pretrain/answers.jsonl
# the demo's run follows its inputs; a run of yours is replaced only when you say so
REPLACE := $(if $(filter demo,$(RUN)),--replace)

.DEFAULT_GOAL := help
.PHONY: help venv demo model publish serve test test-slow test-deploy pretrain evaluate bench-engine bench-infer bench-train lint clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/installed  ## the virtual environment from the pinned requirements

$(VENV)/installed: requirements.txt requirements-train.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, found: $$($(PYTHON) --version 2>&1 || echo none); try make PYTHON=python3.12 ..."; exit 1; }
	@command -v $${CC:-cc} >/dev/null && command -v $${CXX:-c++} >/dev/null || \
		{ echo "a C and C++ compiler is needed to build llama-cpp-python: install gcc and g++ (Debian: build-essential)"; exit 1; }
	@test -w . || \
		{ echo "this folder is read-only: copy it to a place where .venv, runs and models can be made, and run make there"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv "$(VENV)"
	@echo "== installing (the first time this compiles llama-cpp-python: about 6 minutes on 2 cores)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-train.txt -r requirements-dev.txt || \
		{ echo "installing failed, pip says why above: it needs a package index, 5 GB of disk and a working compiler"; exit 1; }
	@touch $@

model: venv  ## fine-tune, merge, convert, quantise and gate: models/demo
	@echo "== train: LoRA on $(SEASON)"
	@$(PY) -m train --run $(RUN) --season $(SEASON) --minutes $(MINUTES) $(REPLACE)
	@echo "== convert: merge, GGUF, quantise, gate"
	@$(PY) -m convert --run runs/$(RUN) --out models/$(RUN)

publish: model  ## to MODEL_REPO on the hub with HF_TOKEN, to models/published otherwise
	@echo "== publish"
	@$(PY) -m convert push models/$(RUN)

demo: publish  ## data, train, convert, publish, serve, ask
	@echo "== serve and ask"
	@$(PY) -m serve.demo --model models/$(RUN)

serve: venv  ## start the service (HOST, PORT, SEASON, MODEL_PATH ... as environment)
	@MODEL_PATH=$${MODEL_PATH:-models/$(RUN)} $(PY) -m serve

test: model  ## the whole test suite but for what takes many minutes
	$(PY) -m pytest -m "not deploy and not slow"

test-slow: model  ## memory over thousands of requests
	$(PY) -m pytest -m slow

test-deploy: model  ## chart, image and pods with the real tools
	$(PY) -m pytest -m deploy -rs --junitxml=runs/deploy.xml
	@$(PY) -m tests.support.deploy_stamp passed runs/deploy.xml

pretrain: venv  ## the embedded base from random weights (an hour on 2 cores), with answers of other seasons
	$(PY) -m train.pretrain --pool $(ANSWERS)

evaluate: model  ## accuracy of every variant on unseen phrasings and the fan questions (a quarter of an hour)
	$(PY) -m train.evaluate --model models/$(RUN)
	$(PY) -m train.evaluate --model models/$(RUN)/model-f16.gguf --out runs/eval/f16 --no-control
	$(PY) -m train.evaluate --base train/base --out runs/eval/base --no-control
	$(PY) -m train --run by_heart --closed-book --replace
	$(PY) -m train.evaluate --closed-book runs/by_heart/adapter --no-control
	$(PY) -m train.evaluate --rules
	$(PY) -m train.evaluate.report runs/$(RUN)/eval.json runs/eval/f16/eval.json runs/eval/base/eval.json \
		runs/by_heart/eval.json runs/control/eval.json

bench-engine: venv  ## the engine against llama-server, which is compiled first (or LLAMA_SERVER=path)
	LLAMA_SERVER="$${LLAMA_SERVER:-$$($(PY) -m convert.gguf.llama_cpp_source --server | tee /dev/stderr | tail -n 1)}" \
		$(PY) -m serve.bench.engine

bench-infer: venv  ## latency of /infer by clients and part
	$(PY) -m serve.bench.infer

bench-train: venv  ## training speed against TRL's defaults
	$(PY) -m train.bench

lint: venv  ## ruff
	$(PY) -m ruff check .

clean:  ## forget runs and models, keep the environment
	rm -rf runs/$(RUN) models/$(RUN) models/published/$(RUN)
