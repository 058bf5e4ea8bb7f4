# Two commands for a fresh machine: `make app` and `make test`. Both create the environment in .venv first.
# PYTHON chooses the interpreter (3.11 or newer); PIP_ARGS goes to pip, for example another index. On Linux without an NVIDIA card
# torch is taken from its own index of CPU builds, which spares several GB of GPU libraries; with PIP_ARGS it is as they say.
# LOCKED=1 installs the exact packages of requirements.lock, checked by their sha256, instead of the newest in the ranges.

PYTHON ?= python3
PIP_ARGS ?=
LOCKED ?=
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready$(if $(LOCKED),-locked)
# pip 26 closed the last known holes in unpacking archives (CVE-2025-8869, CVE-2026-1703); Python brings a much older one.
PIP_RANGE := pip>=26,<27
INTEROP := "opensim>=4.6,<5" "bpy>=4.2,<5"
TORCH_CPU := https://download.pytorch.org/whl/cpu

.DEFAULT_GOAL := help
.PHONY: help env lock torch-cpu app test quick lint types pytest test-browser test-detector test-interop screenshots bench bench-viewer lab notebooks \
	teacher report docs viewer clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

env: $(READY) ## create .venv and install everything

$(READY): requirements.txt requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11: run make again with PYTHON=/path/to/python3.11 or newer"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make environments: apt-get install python3-venv"; exit 1; }
ifeq ($(LOCKED),)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) "$(PIP_RANGE)"
	@$(MAKE) --no-print-directory torch-cpu
	$(BIN)/pip install --quiet $(PIP_ARGS) -r requirements.txt
	$(BIN)/pip install --quiet $(PIP_ARGS) --no-deps --editable .
else
	@sed -n '/^pip==/,/[^\\]$$/p' requirements.lock > $(VENV)/pip.lock
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --require-hashes --no-deps -r $(VENV)/pip.lock
	@$(MAKE) --no-print-directory torch-cpu
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/pip install --quiet $(PIP_ARGS) "$$(grep '^torch[<>=]' requirements.txt)"
	$(BIN)/pip install --quiet $(PIP_ARGS) --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/pip check
endif
	@touch $(READY)

# Every version already in requirements.lock is kept while the ranges allow it: delete a line to renew that package.
# torch and its GPU libraries are left out: the CPU build of torch comes from another index, under other hashes.
TORCH_ONLY := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

lock: ## requirements.lock again, after a change of requirements.txt; needs uv (pip install uv)
	echo "$(PIP_RANGE)" | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock (torch is left out: its CPU build comes from $(TORCH_CPU))" \
		$(addprefix --no-emit-package ,$(TORCH_ONLY)) requirements.txt - --output-file requirements.lock

torch-cpu: # only where it helps: Linux, no NVIDIA card, no PIP_ARGS, no torch yet, and the index answers within 5 s
	@if [ "$$(uname -s)" != Linux ] || [ -n "$(PIP_ARGS)" ] || [ -e /proc/driver/nvidia/version ] \
			|| command -v nvidia-smi >/dev/null || $(BIN)/python -c 'import torch' 2>/dev/null; then \
		exit 0; \
	fi; \
	if $(BIN)/python -c 'import urllib.request as u; u.urlopen("$(TORCH_CPU)/torch/", timeout=5)' 2>/dev/null; then \
		echo "no NVIDIA card here: the CPU build of torch, from $(TORCH_CPU)"; \
		$(BIN)/pip install --quiet --no-deps --index-url $(TORCH_CPU) "$$(grep '^torch[<>=]' requirements.txt)" && exit 0; \
	fi; \
	echo "no NVIDIA card here, but $(TORCH_CPU) gives no torch: it comes from pip's own index"

app: $(READY) ## open the explorer in the browser
	$(BIN)/streamlit run streamlit_app.py

test: lint types pytest ## lint, types and tests

quick: $(READY) ## the tests that take a moment each, together in less than a minute: no training, notebook, movie or browser
	$(BIN)/pytest -m "not slow and not browser" -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

pytest: $(READY)
	$(BIN)/pytest -rs -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/interop

test-browser: $(READY) ## the tests in a real browser alone; needs chromium (apt-get install chromium)
	@test -x /usr/bin/chromium || { echo "there is no /usr/bin/chromium: apt-get install chromium"; exit 1; }
	$(BIN)/pytest -m browser

test-detector: $(READY) ## from a video to a body with MediaPipe, which is installed first (in an environment of its own)
	$(BIN)/python -m posenet3d detectors | grep -q "^mediapipe *installed" \
		|| $(BIN)/python -m posenet3d detectors --install mediapipe
	$(BIN)/pytest tests/training/test_whole_path.py

test-interop: $(READY) ## exports read by OpenSim and Blender, each installed in .venv-interop first; what pip lacks is skipped
	@for wanted in $(INTEROP); do \
		package=$${wanted%%[<>=]*}; place=.venv-interop/$$package; \
		if [ -n "$$(printenv POSENET3D_INTEROP_$$package)" ] || [ -e $$place/ready ]; then continue; fi; \
		echo "installing $$package in $$place"; \
		{ $(BIN)/python -m venv $$place && $$place/bin/pip install --quiet $(PIP_ARGS) "$$wanted" && touch $$place/ready; } \
			|| { echo "$$package cannot be installed here: its tests are skipped"; rm -rf $$place; }; \
	done
	$(BIN)/pytest -rs tests/interop

screenshots: $(READY) ## docs/screenshots again; needs chromium
	$(BIN)/python tools/screenshots.py

bench: $(READY) ## speed, as ratios against named peers
	$(BIN)/python -m posenet3d bench

bench-viewer: $(READY) ## the 3D viewer beside those of rerun and viser (pip install them first); docs/viewer_speed.md
	$(BIN)/python tools/bench_viewer.py --out docs/viewer_speed.md

lab: $(READY) ## the notebooks in Jupyter Lab
	$(BIN)/jupyter lab notebooks

notebooks: $(READY) ## run the notebooks whose source has changed, and keep their outputs
	$(BIN)/python tools/build_notebooks.py

teacher: $(READY) ## train the bundled teacher again from DATA=folder (with train_2d.npz); about 40 minutes on two cores
	$(BIN)/python -m posenet3d train teacher --data $(DATA)/train_2d.npz --out runs/teacher

report: $(READY) ## docs/results.md from DATA=folder (train_2d.npz, dev.npz, dev_detected.npz); trains what is missing, many hours
	$(BIN)/python -m posenet3d report --data $(DATA)

docs: $(READY) ## the documentation as a site in site/: guide, notebooks, API reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

viewer: ## build explorer/viewer/dist/viewer.js from its source (needs node; users do not)
	cd explorer/viewer && npm ci --no-audit --no-fund && npm run build

clean: ## remove the environment and caches
	rm -rf .venv .venv-interop .pytest_cache .mypy_cache .ruff_cache .hypothesis build site *.egg-info
