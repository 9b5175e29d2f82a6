# Two commands do everything on a fresh Debian machine: `make demo` and `make test`.
# They install what they need: Debian packages (as root or through sudo) and a Python environment in .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Debian's servers are there, and an ordinary user's PATH leaves them out
export PATH := $(PATH):/usr/sbin:/sbin
# the tests start Python a hundred times: it keeps what it compiles, also where a container says that it should not
export PYTHONDONTWRITEBYTECODE :=

# what builds pymilter, which every command needs
BASE_PACKAGES := python3 python3-venv python3-dev gcc libc6-dev libmilter-dev
# key files of sizes that no library makes any more
CHECK_PACKAGES := openssl
# what they print of a sender's words is compared with tests/evidence/echoes
VERIFIERS := postfix-policyd-spf-python pyspf-milter dkimpy-milter
# what it takes for the author of a message is compared with ours
READERS := rspamd
# the servers of the end-to-end tests
TEST_PACKAGES := postfix opendkim opendkim-tools opendmarc spamassassin spamd spamass-milter unbound miltertest swaks \
                 iproute2 util-linux sasl2-bin libsasl2-modules logrotate postsrsd \
                 $(VERIFIERS) $(READERS)

# what the bench compares with, and what compiles its load
PEERS := opendkim rspamd dkimpy-milter postfix gcc libc6-dev libmilter-dev openssl

.PHONY: demo test check laws format lock clean help

help:
	@echo "make demo     show on built-in messages what the gate does (no Postfix, no configuration)"
	@echo "make test     all tests, with real servers in a network namespace of their own"
	@echo "make check    style, types, the tests that need no servers, and how much they cover: a minute"
	@echo "make coverage  the lines and branches that \`make check\` did not run"
	@echo "make mutants  MODULE=policy/guard.py: which small faults in that module does no test see? Seconds to minutes"
	@echo "make laws     the laws over EXAMPLES=100000 random policies and messages each: an hour on two cores"
	@echo "make bench    how fast it is beside OpenDKIM, rspamd and dkimpy-milter: minutes; QUICK=1: one (see tests/README.md)"
	@echo "make install  into /opt/dkimgate and /etc/dkimgate (see systemd/README.md); starts nothing"
	@echo "make format   put the code into shape"
	@echo "make reference  write the tables of config/configuration.md and config/policy.md anew"
	@echo "make texts     write the words of all errors, and the help, anew into tests/texts: for review"
	@echo "make lock     resolve the dependencies of pyproject.toml anew into requirements*.txt"
	@echo "make clean    remove what the others made"

demo: $(VENV)/runtime
	@$(BIN)/dkimgate demo

check: $(VENV)/dev check-packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	DKIMGATE_DRAWN=$(DRAWN) $(BIN)/python -m pytest -q -n 2 --dist worksteal -p tests.coverage_of_workers \
		-m "not servers and not heavy"
	@$(BIN)/python tests/coverage_report.py .coverage.json $(LEAST_COVERED)

# a quarter of the examples of each property; `make test` draws them all, in the same tests
DRAWN := some
test: DRAWN := all

# percent, of lines and of branches. As root a whole run prints 95 and 91; some tests skip where the user is another
LEAST_COVERED := 90

test: check test-packages
	$(BIN)/pytest -q -n auto --dist worksteal -m heavy $(LAWS)
	$(BIN)/pytest -q -m "servers or heavy" $(addprefix --ignore=,$(LAWS))

.PHONY: coverage
coverage:
	@test -e .coverage.json || { echo "\`make check\` measures it first" >&2; exit 2; }
	@$(BIN)/python tests/coverage_report.py .coverage.json --missing

# the laws over what is drawn at random: 2,000 examples each in `make test`, the same each time; here others, and for as long as
# one likes
LAWS := $(wildcard tests/laws/test_laws_generated*.py) tests/laws/test_laws_monotony.py
EXAMPLES ?= 100000
laws: $(VENV)/dev
	DKIMGATE_SEED=$${DKIMGATE_SEED:-fresh} DKIMGATE_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q -n auto --dist worksteal -m heavy $(LAWS)

# QUICK=1: a minute. TABLES="start sizes": other tables (`.venv/bin/python -m tests.bench --help`), TABLES=all: each of them.
# CHART=FILE: where to write the chart. The machine should have nothing else to do.
.PHONY: bench
bench: $(VENV)/dev bench-packages build/bench/milter_load build/bench/nothing_milter
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(if $(CHART),--svg $(CHART)) $(TABLES)

build/bench/%: tests/bench/%.c
	@mkdir -p build/bench
	gcc -O2 -Wall -Wextra -o $@ $< -lmilter -pthread

# MODULE: one or more paths below milter/dkimgate; TESTS: in the place of those that tests/mutants/plan.py names; MUTANTS: options
MODULE ?= policy/guard.py
.PHONY: mutants
mutants: $(VENV)/dev check-packages
	$(BIN)/python -m tests.mutants.run $(MODULE) $(if $(TESTS),--tests $(TESTS)) $(MUTANTS)

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# $(call install,PACKAGES): apt-get install those that are missing. No service is started: under systemd SYSTEMD_OFFLINE sees to it,
# elsewhere RUNLEVEL. --no-remove: Postfix must not push out another mail server that is in use.
define install
@missing=""; for package in $(1); do \
	dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	if [ "$$(id -u)" = 0 ]; then as=""; elif command -v sudo >/dev/null; then as="sudo"; \
	else echo "missing Debian packages:$$missing (run as root, or install sudo)" >&2; exit 2; fi; \
	echo "installing Debian packages:$$missing"; \
	$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		SYSTEMD_OFFLINE=1 apt-get install -y -qq --no-install-recommends --no-remove $$missing >/dev/null || exit; \
	if [ -d /run/systemd/system ]; then \
		units=$$(dpkg-query -L $$missing | sed -nE 's,^(/usr)?/lib/systemd/system/([^/@]+\.service)$$,\2,p' | \
			xargs -r systemctl list-unit-files --state=enabled --no-legend 2>/dev/null | cut -d' ' -f1 | tr '\n' ' '); \
		if [ -n "$$units" ]; then echo "not started, but enabled for the next boot: \`systemctl disable $$units\` if you don't want them"; fi; \
	fi; \
fi
endef

.PHONY: base-packages check-packages test-packages bench-packages
base-packages:
	$(call install,$(BASE_PACKAGES))

check-packages:
	$(call install,$(CHECK_PACKAGES))

test-packages:
	$(call install,$(TEST_PACKAGES))

bench-packages:
	$(call install,$(PEERS))

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

.PHONY: reference
reference: $(VENV)/runtime
	$(BIN)/python -m dkimgate.config.reference config/configuration.md
	$(BIN)/python -m dkimgate.policy.describe.reference config/policy.md

.PHONY: texts
texts: $(VENV)/dev
	$(BIN)/python -m tests.texts.write

lock: $(VENV)/built
	@$(BIN)/pip install -q uv
	@printf 'setuptools>=77\nwheel\n' | $(BIN)/uv pip compile - --no-annotate $(LOCK) -o requirements-build.txt
	@$(BIN)/uv pip compile pyproject.toml $(LOCK) -o requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --group dev $(LOCK) -o requirements-dev.txt

LOCK := -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

clean:
	rm -rf $(VENV) .coverage.json .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist milter/*.egg-info

# into /opt/dkimgate and /etc/dkimgate; what is configured already stays, nothing is started
PREFIX ?= /opt/dkimgate
# not the first in PATH: one below /root or /home is hidden from the daemon (ProtectHome= in the unit)
SYSTEM_PYTHON ?= /usr/bin/python3
.PHONY: install
install: base-packages
	@test "$$(id -u)" = 0 || { echo "make install writes to $(PREFIX) and /etc: run it as root" >&2; exit 2; }
	@sh systemd/install-python.sh $(PREFIX) $(SYSTEM_PYTHON)
	@install -D -m 0644 systemd/dkimgate.service /etc/systemd/system/dkimgate.service
	@if [ "$$(systemctl --version 2>/dev/null | sed -nE '1s/^systemd ([0-9]+).*/\1/p')" -ge 254 ] 2>/dev/null; then \
		install -D -m 0644 systemd/dkimgate-restart.conf /etc/systemd/system/dkimgate.service.d/dkimgate-restart.conf; fi
	@install -D -m 0644 systemd/dkimgate.sysusers /etc/sysusers.d/dkimgate.conf
	@install -D -m 0644 systemd/dkimgate.tmpfiles /etc/tmpfiles.d/dkimgate.conf
	@install -D -m 0644 systemd/dkimgate.logrotate /etc/logrotate.d/dkimgate
	@for file in *.md config/*.md config/policy.yaml config/speed.svg systemd/*.md milter/*.md tests/*.md; do install -D -m 0644 $$file $(PREFIX)/share/$$file; done
	@getent passwd dkimgate >/dev/null || systemd-sysusers dkimgate.conf 2>/dev/null || \
		useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin dkimgate
	@install -d -o root -g dkimgate -m 0750 /etc/dkimgate /etc/dkimgate/keys
	@install -d -o dkimgate -g dkimgate -m 0750 /var/log/dkimgate
	@if getent group postfix >/dev/null; then install -d -o dkimgate -g postfix -m 2750 /var/spool/postfix/dkimgate; fi
	@for file in dkimgate.yaml policy.yaml; do \
		test -e /etc/dkimgate/$$file || install -o root -g dkimgate -m 0640 config/$$file /etc/dkimgate/$$file; done
	@ln -sfn $(PREFIX)/share /etc/dkimgate/doc
	@if [ -L /etc/dkimgate/README.md ]; then rm /etc/dkimgate/README.md; fi
	@install -d $(PREFIX)/share/examples && install -m 0644 milter/dkimgate/cli/demo_messages/*.eml $(PREFIX)/share/examples/
	@for folder in config/policies config/policies/cases; do \
		install -d $(PREFIX)/share/$$folder && install -m 0644 $$folder/*.yaml $(PREFIX)/share/$$folder/; done
	@ln -sf $(PREFIX)/bin/dkimgate /usr/local/bin/dkimgate
	@if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "installed. Next: edit /etc/dkimgate/dkimgate.yaml, then \`dkimgate check\`"
