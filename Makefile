# The habits of this project. Each target sets up what it needs in .venv; only Python 3.10+ and make must be there.

PYTHON ?= python3
VENV ?= .venv
ROUNDS ?= 5
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet
WORDS = src tests docs examples benchmarks .github $(wildcard *.md)
TEMPLATES = $(wildcard examples/lambda/*.yaml examples/aws/*.yaml)
SOURCES = pyproject.toml README.md $(shell find src examples/shop -type f -not -name '*.pyc')

# Python keeps what it compiles, also where the environment says otherwise. Otherwise each worker of the tests, and each
# process that they start, compiles every module.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-kafka test coverage lint words docs docs-site screenshots bench bench-profile bench-instructions bench-gateway bench-kafka compare soak lambda-layer clean

help:
	@echo 'make demo   watch a real shop appear in a local CloudWatch RUM (DEMO_ONCE=1: print and end)'
	@echo 'make test   run the test suite against the built package'
	@echo 'make coverage  run the test suite with branch coverage, and fail below the minimum'
	@echo 'make lint   check style, types, architecture and generated documentation'
	@echo 'make words  check the words of prose, names and files against .codespell/words.txt and common misspellings'
	@echo 'make bench-instructions  count CPU instructions with valgrind, and fail if they are more than 5 % above the last count'
	@echo 'make bench-gateway  measure the gateway beside other receivers of OTLP (ROTEL=path of rotel-agent)'
	@echo 'make bench-kafka  measure 1, 2 and 4 consumers of Kafka'
	@echo 'make demo-kafka  watch two consumers of Kafka deliver everything, although one is killed'
	@echo 'make docs   write the generated parts of the documentation'
	@echo 'make docs-site  build the documentation as a website in build/site; a broken link fails (with Chromium: new screenshots)'
	@echo 'make screenshots  take the pictures of the console for the README, with Chromium'
	@echo 'make bench  measure beside other exporters, and draw docs/performance.png (ROUNDS=5 ONLY="one session")'
	@echo 'make bench-profile  draw where the time goes: profile.svg, a flame graph'
	@echo 'make compare  lose spans under the same faults with three exporters (half an hour)'
	@echo 'make soak   run 1,000 spans/s for ten minutes, with a fault each minute (MINUTES=10)'
	@echo 'make lambda-layer  build the layers for AWS Lambda in build/, for x86_64 and arm64'
	@echo 'make clean  remove what the other targets made'

demo-kafka: $(VENV)/kafka
	@$(BIN)/python examples/kafka/demo.py

demo: $(VENV)/shop
	@$(BIN)/otel-rum demo

test: $(VENV)/test
	@$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

# Branch coverage of the package; the minimum is in pyproject.toml. Properties are tried with more examples.
coverage: $(VENV)/test
	@HYPOTHESIS_EXAMPLES=100 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal --cov --cov-report=term

lint: $(VENV)/lint words
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cfn-lint $(TEMPLATES)
	$(BIN)/kubernetes-validate --strict --quiet $(wildcard examples/kubernetes/*.yaml)
	$(BIN)/jactionlint --shellcheck= --pyflakes=
	PYTHONPATH=. $(BIN)/cog --check docs/settings.md docs/mapping.md docs/gateway.md docs/privacy.md docs/scale.md docs/troubleshooting.md

# The project's own word list first, then codespell's list of misspellings.
words: $(VENV)/lint
	$(BIN)/codespell --dictionary .codespell/words.txt --dictionary - $(WORDS)

docs: $(VENV)/lint
	PYTHONPATH=. $(BIN)/cog -r docs/settings.md docs/mapping.md docs/gateway.md docs/privacy.md docs/scale.md docs/troubleshooting.md

docs-site: $(VENV)/site
	@$(BIN)/python docs/site_pages.py
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then $(MAKE) --no-print-directory screenshots SCREENSHOTS=build/docs; fi
	@$(BIN)/zensical build --strict --clean

screenshots: $(VENV)/package
	@$(PIP) --group screenshots
	@PYTHONPATH=. $(BIN)/python docs/screenshots.py $(SCREENSHOTS)

compare: $(VENV)/bench
	@$(BIN)/python -m benchmarks.compare

soak: $(VENV)/package
	@$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),10)

bench: $(VENV)/bench
	@$(BIN)/python -m benchmarks.bench --rounds $(ROUNDS) --only "$(ONLY)" --plot docs/performance.png

bench-profile: $(VENV)/bench
	@$(BIN)/py-spy record --rate 500 --output profile.svg -- $(BIN)/python -m benchmarks.measure steady aws_rum '{"count": 51200}'

bench-instructions: $(VENV)/test
	@$(BIN)/python -m benchmarks.instructions --check
	@$(BIN)/python -m benchmarks.instructions single --check

bench-gateway: $(VENV)/test
	@$(BIN)/python -m benchmarks.gateway

bench-kafka: $(VENV)/test
	@$(BIN)/python -m benchmarks.kafka

lambda-layer: $(VENV)/python
	@$(BIN)/python examples/lambda/layer.py

clean:
	rm -rf $(VENV) artifacts profile.svg build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/python:
	@echo 'Making a virtual environment in $(VENV) ...'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "$(PYTHON) is older than Python 3.10: name another one with make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@touch $@

# The package is built and installed as users get it; the source tree is never on the path.
$(VENV)/package: $(VENV)/python $(SOURCES)
	@echo 'Building and installing the package ...'
	@$(PIP) '.[gateway,local]'
	@touch $@

$(VENV)/shop: $(VENV)/package
	@echo 'Installing the shop: Flask, requests and their OpenTelemetry instrumentation ...'
	@$(PIP) '.[demo]'
	@touch $@

$(VENV)/kafka: $(VENV)/package
	@echo 'Installing the Kafka client ...'
	@$(PIP) '.[kafka,local]'
	@touch $@

$(VENV)/test: $(VENV)/package
	@echo 'Installing the test tools ...'
	@$(PIP) '.[demo,msk,record]' --group test
	@touch $@

$(VENV)/bench: $(VENV)/package
	@echo 'Installing what is measured beside this package ...'
	@$(PIP) --group bench
	@touch $@

$(VENV)/lint: $(VENV)/test
	@echo 'Installing the lint tools ...'
	@$(PIP) --group lint
	@touch $@

# The API reference is read from the source, so the package itself is not needed.
$(VENV)/site: $(VENV)/python
	@echo 'Installing the site generator ...'
	@$(PIP) --group site
	@touch $@
