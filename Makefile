# Two commands do everything on a fresh Debian machine: `make demo` and `make test`.
# They install what they need: Debian packages (as root or through sudo) and a Python environment in .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# what builds pymilter, which every command needs
BASE_PACKAGES := python3 python3-venv python3-dev gcc libc6-dev libmilter-dev
# the servers of the end-to-end tests; none is started outside the tests' own namespace
TEST_PACKAGES := postfix opendkim opendkim-tools opendmarc spamassassin spamd spamass-milter unbound miltertest swaks \
                 iproute2 util-linux sasl2-bin libsasl2-modules openssl logrotate systemd

.PHONY: demo test check format lock clean help

help:
	@echo "make demo    show on built-in messages what the gate does (no Postfix, no configuration)"
	@echo "make test    all tests, with real servers in a network namespace of their own"
	@echo "make check   style, types and the tests that need no servers: under a minute"
	@echo "make lock    resolve the dependencies of pyproject.toml anew into requirements*.txt"
	@echo "make clean   remove what the others made"

demo: $(VENV)/runtime
	@$(BIN)/dkimgate demo

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto -m "not servers"

test: check test-packages
	$(BIN)/pytest -q -m servers

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# $(call install,PACKAGES): apt-get install those that are missing; no service is started
define install
@missing=""; for package in $(1); do \
	dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	if [ "$$(id -u)" = 0 ]; then as=""; elif command -v sudo >/dev/null; then as="sudo"; \
	else echo "missing Debian packages:$$missing (run as root, or install sudo)" >&2; exit 2; fi; \
	echo "installing Debian packages:$$missing"; \
	$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

.PHONY: base-packages test-packages
base-packages:
	$(call install,$(BASE_PACKAGES))

test-packages:
	$(call install,$(TEST_PACKAGES))

$(VENV)/built: requirements-build.txt | base-packages
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dkimgate needs Python 3.11 or later" >&2; exit 2; }
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-build.txt
	@touch $@

$(VENV)/runtime: requirements.txt pyproject.toml $(VENV)/built
	@echo "installing Python packages into $(VENV)"
	@$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation --require-hashes -r requirements.txt
	@$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/runtime
	@$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation --require-hashes -r requirements-dev.txt
	@touch $@

lock: $(VENV)/built
	@$(BIN)/pip install -q uv
	@printf 'setuptools>=77\nwheel\n' | $(BIN)/uv pip compile - --no-annotate $(LOCK) -o requirements-build.txt
	@$(BIN)/uv pip compile pyproject.toml $(LOCK) -o requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --group dev $(LOCK) -o requirements-dev.txt

LOCK := -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist milter/*.egg-info
