# make run    the daemon, with defaults that need no file, no GPU and no server
# make test   every test and every check
# make bench-collector, bench-store, bench-forecast, bench-anomalies, bench-logs, bench-log-parts, bench-log-faults,
#      bench-log-schedules, bench-log-anomalies   beside their peers, see docs/benchmarks.md
# make demo   a simulated node of 8 GPUs: forecasts, a coming breach and its alert within a minute
#
# TORCH replaces the torch wheel whole, for instance by the CPU-only one:
#   make install TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
#   make install TORCH="torch==2.13.0 --no-index --find-links /mnt/wheels"
# DATA is the folder of measured series, or of labelled logs, for the benchmarks that need one.

PYTHON ?= python3
DATA ?= data/forecast
TORCH ?= --require-hashes -r requirements-torch.lock
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: run demo test check install install-dev servers docs lock wheel clean bench-peers bench-collector bench-store \
  bench-forecast bench-anomalies bench-logs bench-log-parts bench-log-faults bench-log-schedules bench-log-anomalies

run: install
	@.venv/bin/forewarn run $(ARGS)

demo: install
	@.venv/bin/forewarn demo $(ARGS)

test: install-dev servers
	@tests/run $(ARGS)

check: install-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

install: .venv/installed

.venv/installed: requirements.lock requirements-torch.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Forewarn needs Python 3.11 or later; name one with PYTHON=python3.12" >&2; exit 1; }
	@echo "installing into .venv (torch with CUDA is about 4.7 GB and takes minutes; see TORCH in the README)" >&2
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) $(TORCH)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

install-dev: .venv/installed-dev

.venv/installed-dev: .venv/installed requirements-dev.lock
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

servers: install-dev
	@tests/install-servers

bench-peers:
	@PYTHON=$(PYTHON) bench/install-peers

bench-collector: install bench-peers
	.venv/bin/python -m bench.collector $(ARGS)

bench-store: install bench-peers
	.venv/bin/python -m bench.store $(ARGS)

bench-forecast: install bench-peers
	.venv/bin/python -m bench.forecast --data $(DATA) $(ARGS)

bench-anomalies: install
	.venv/bin/python -m bench.anomalies --data $(DATA) $(ARGS)

bench-logs: install-dev bench-peers
	.venv/bin/python -m bench.logs $(ARGS)

bench-log-parts: install-dev
	.venv/bin/python -m bench.engine $(ARGS)
	.venv/bin/python -m bench.spool $(ARGS)
	.venv/bin/python -m bench.journal $(ARGS)
	.venv/bin/python -m bench.patterns --data $(DATA) $(ARGS)

bench-log-faults: install-dev
	.venv/bin/python -m bench.log_faults $(ARGS)

bench-log-schedules: install-dev
	.venv/bin/python -m bench.log_schedules --count 1000 $(ARGS)

bench-log-anomalies: install
	.venv/bin/python -m bench.log_anomalies --data $(DATA) $(ARGS)

wheel: install
	@$(PIP) build
	.venv/bin/python -m build --wheel --no-isolation

docs: install
	.venv/bin/python -m forewarn.reference docs
	.venv/bin/python -m dashboards.generate
	.venv/bin/python -m bench.document

lock:
	@printf "torch ; sys_platform == 'never'\n" > .venv/no-torch.txt
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  pyproject.toml --extra all --group build --override .venv/no-torch.txt --no-emit-package torch \
	  -o requirements.lock
	echo torch==2.13.0 | .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements.lock - -o requirements-torch.lock
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements.lock -c requirements-torch.lock --group dev -o requirements-dev.lock
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  bench/requirements.in -o bench/requirements.lock

clean:
	rm -rf .venv bench/.venv dist build
