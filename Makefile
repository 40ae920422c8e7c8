# Two commands set up everything and then work: `make demo` runs the main job, `make test` passes the tests.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SUDO   := $(shell test "$$(id -u)" = 0 || command -v sudo)

.PHONY: demo app test check soak bench docs picture clean

PUBLISHED := notebooks/daily_orders_by_region/published/orders_by_region_2026-03-31

demo: $(VENV)/.examples
	$(BIN)/nbflow validate
	$(BIN)/nbflow run notebooks/daily_orders_by_region --date 2026-04-01
	@printf '\n%s\n' "Published: $(PUBLISHED).csv, and its chart beside it as .png"
	@sed 's/^/  /' $(PUBLISHED).csv
	@printf '\n%s\n' "Every executed notebook is kept, and is the log of its task:"
	@printf '  %s\n' "$(BIN)/nbflow logs latest clean_orders" "$(BIN)/nbflow logs latest aggregate_orders --html log.html"
	@printf '\n%s\n' "Let a step fail, see what it blocks and what goes on, and repair the run:"
	@printf '  %s\n' "$(BIN)/nbflow run black_friday -p fail_in=join" "$(BIN)/nbflow rerun latest -p fail_in=none"

# The shipped pipelines in the app, until Ctrl-C.
app: $(VENV)/.examples
	$(BIN)/nbflow demo .nbflow/demo

# The same every time: property tests repeat their examples (plain `pytest` looks for new ones), and the tests of a file
# stay together, in its order. The files with the longest tests come first by the alphabet, short ones are left to the end.
test: $(VENV)/.dev system check
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --hypothesis-profile repeated

# Style, types and the floors of the architecture.
check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The same tests with larger numbers; takes hours.
soak: $(VENV)/.dev system
	NBFLOW_SOAK=1 $(BIN)/pytest -n 0 --timeout 36000 -m soak -s

# All of it takes half an hour; ONLY=noop,attempt does a part. The tables go to bench.md as well.
bench: $(VENV)/.dev
	$(BIN)/python tests/bench/compare.py --out bench.md $(if $(ONLY),--only $(ONLY))
	$(if $(ONLY),,$(BIN)/python tests/bench/history.py)
	$(if $(ONLY),,$(BIN)/python tests/bench/drawing.py)
	$(if $(ONLY),,$(BIN)/python tests/bench/viewers.py)
	$(if $(ONLY),,$(BIN)/python tests/bench/printing.py)
	$(if $(ONLY),,$(BIN)/python tests/bench/showing.py)
	$(if $(ONLY),,$(BIN)/python tests/bench/editing.py)
	$(if $(ONLY),,$(BIN)/python tests/bench/canvas.py)

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

# The README's picture of a run, from a real one.
picture: $(VENV)/.dev
	$(BIN)/python docs/picture.py

# --- what a fresh machine lacks --------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nbflow needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory packages WANTED=python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.examples: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[examples]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/.examples

# The tests start a real PostgreSQL server of their own, and look at the app in a real browser.
.PHONY: system packages
system: $(VENV)/node/node_modules/axe-core
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	  || $(MAKE) --no-print-directory packages WANTED=postgresql
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || $(MAKE) --no-print-directory packages WANTED=chromium

# What the tests of the app judge accessibility by.
$(VENV)/node/node_modules/axe-core: | $(VENV)/bin/python
	@command -v npm >/dev/null || $(MAKE) --no-print-directory packages WANTED=npm
	npm install --silent --no-audit --no-fund --prefix $(VENV)/node axe-core@4

packages:
	@command -v apt-get >/dev/null || { echo "please install: $(WANTED)"; exit 1; }
	$(SUDO) apt-get update -qq
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(WANTED)

clean:
	rm -rf $(VENV) .nbflow
