# Seller credit passport. `make help` lists what there is to make.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PROFILE ?= demo
OUT ?= artifacts
PYTHON ?= python3
VENV ?= .venv
DATA_DIR ?=
# Who answers for a promotion and why: make register APPROVER="Li Wei" REASON="two more sources"
APPROVER ?=
REASON ?=

export DATA_DIR APPROVER REASON
# Idle OpenMP threads that spin cost a shared machine four times the work they do.
export OMP_WAIT_POLICY ?= passive
# The matrices are small: BLAS threads would cost more than they save, and one thread yields the same bits everywhere.
export OPENBLAS_NUM_THREADS ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true
export GX_ANALYTICS_ENABLED ?= false
# Container images often set it. Each stage is a process, which would then compile all libraries anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PASSPORT := $(BIN)/passport
UV := $(shell command -v uv 2>/dev/null)
# A profile is the name of one in the package, or the path of your own TOML file.
ifneq ($(filter %.toml,$(PROFILE)),)
PROFILE_FILE := $(PROFILE)
P := $(OUT)/$(shell sed -n 's/^name *= *"\([^"]*\)".*/\1/p' '$(PROFILE_FILE)' 2>/dev/null | head -n 1)
else
PROFILE_FILE := pipelines/profiles/$(PROFILE).toml
P := $(OUT)/$(PROFILE)
endif
ifeq ($(wildcard $(PROFILE_FILE)),)
$(error there is no profile '$(PROFILE)'; use one of $(basename $(notdir $(wildcard pipelines/profiles/*.toml))), or a TOML file)
endif
# QUIET=1 prints nothing on success. VERBOSE=1 prints each command, why rows were set aside, and where outputs are.
QUIET ?=
VERBOSE ?=
VOLUME := $(if $(QUIET), --quiet)$(if $(VERBOSE), --verbose)
STAGE = $(if $(VERBOSE),,@)$(PASSPORT)$(VOLUME) $(1) --profile $(PROFILE) --out $(OUT)$(2) && touch $(P)/$(1)/CHECKED

# The folders that decide a stage's output: those that its stage.py names. The stage itself decides by content whether
# it has to run again; a test checks that Make watches every file that the stage hashes.
code = $(shell find $(1) -type f \( -name '*.py' -o -name '*.yaml' -o -name '*.j2' -o -name '*.css' -o -name '*.toml' -o -name '*.json' \) -not -path '*/profiles/*.toml')
rooms = $(call code,$(addprefix pipelines/,$(1) profiles runs signing))
CONTRACTS := $(call code,data_contracts)
FEATURES := $(CONTRACTS) $(call code,features)
MODELS := $(FEATURES) $(call code,models)

# Raw files: those of the synthetic world if the profile has one, otherwise those in the profile's raw_dir.
HAS_WORLD := $(shell grep -c '^\[world\]' $(PROFILE_FILE) 2>/dev/null)
ifneq ($(HAS_WORLD),0)
RAW_TARGET := $(P)/world/CURRENT
RAW_DIR := $(shell test -f $(P)/world/CURRENT && echo "$(P)/world/$$(cat $(P)/world/CURRENT)/raw")
else
RAW_TARGET :=
RAW_SETTING := $(shell sed -n 's/^raw_dir *= *"\([^"]*\)".*/\1/p' $(PROFILE_FILE) 2>/dev/null)
RAW_DIR := $(if $(DATA_DIR),$(DATA_DIR)/$(notdir $(RAW_SETTING)),$(RAW_SETTING))
endif
RATES := $(wildcard $(shell sed -n 's/^exchange_rate_file *= *"\([^"]*\)".*/\1/p' $(PROFILE_FILE) 2>/dev/null))
# Folders too: their time changes when a file is removed. Exports may have spaces and brackets in their names.
RAW_FILES := $(if $(RAW_DIR),$(shell find $(RAW_DIR) 2>/dev/null | sed 's/[][ :*?]/\\&/g'))

# The keys: files that the variables name, else those in the profile's folder of keys.
KEYS := $(filter-out %/trust.json %/heads,$(wildcard $(PASSPORT_SIGNING_KEY_FILE) $(PASSPORT_HMAC_KEY_FILE) $(or $(KEYS_DIR),.keys)/$(notdir $(P))/*))

STAGES := world ingest validate features train explain register score watch monitor

.PHONY: help run test test-fast check setup setup-test setup-docs setup-mutants lock $(STAGES) bench bench-credit bench-world \
        mutants lint types layers docs docs-check pictures prose notebooks site wheel sbom clean clean-registry force

help: ## List the targets
	@awk -F ':.*## ' '/^# ---- /{gsub(/^# -+ | -+$$/, ""); print "\n" $$0} \
	  /^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  variables      PROFILE=$(PROFILE) OUT=$(OUT) DATA_DIR=$(DATA_DIR) PYTHON=$(PYTHON) QUIET=$(QUIET) VERBOSE=$(VERBOSE)"

# ---- Set up ----------------------------------------------------------------------------------------------------------
# With -qq, pip hides warnings about its own configuration and version and still prints errors.
PIP_INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq)
define install
@$(if $(QUIET),,echo "installing into $(VENV)")
@$(if $(UV),$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))
@$(PIP_INSTALL) --require-hashes -r $(1)
@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
@touch $(2)
endef

$(VENV)/.run-ready: requirements.lock pyproject.toml
	$(call install,requirements.lock,$@)

$(VENV)/.test-ready: requirements-test.lock pyproject.toml
	$(call install,requirements-test.lock,$@)

$(VENV)/.docs-ready: requirements-docs.lock $(VENV)/.test-ready
	$(call install,requirements-docs.lock,$@)

$(VENV)/.sbom-ready: requirements-sbom.lock $(VENV)/.run-ready
	$(call install,requirements-sbom.lock,$@)

$(VENV)/.bench-ready: requirements-bench.lock pyproject.toml
	$(call install,requirements-bench.lock,$@)

$(VENV)/.mutants-ready: requirements-mutants.lock $(VENV)/.test-ready
	$(call install,requirements-mutants.lock,$@)

setup: $(VENV)/.run-ready ## Install what the pipeline needs, from the hash lock
setup-test: $(VENV)/.test-ready ## Install what the tests and checks need, from the hash lock
setup-docs: $(VENV)/.docs-ready ## Install what the documentation site needs, beside the tests
setup-mutants: $(VENV)/.mutants-ready ## Install what mutation testing needs, beside the tests

# Each lock keeps the versions that it and the earlier locks have pinned, so that versions change only where they must.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --universal --python-version 3.11 \
           --no-emit-index-url --generate-hashes

lock: ## Resolve the locks again from pyproject.toml (needs uv)
	$(COMPILE) pyproject.toml --group build -o requirements.lock
	$(COMPILE) pyproject.toml --group test -c requirements.lock -o requirements-test.lock
	$(COMPILE) --group pyproject.toml:docs -c requirements-test.lock -o requirements-docs.lock
	$(COMPILE) --group pyproject.toml:sbom -c requirements-test.lock -o requirements-sbom.lock
	$(COMPILE) pyproject.toml --group build --group bench -o requirements-bench.lock
	$(COMPILE) --group pyproject.toml:mutants -c requirements-test.lock -o requirements-mutants.lock

# ---- Run the pipeline ------------------------------------------------------------------------------------------------
# CHECKED is touched when a stage has checked its inputs; CURRENT names the current run and changes only with its content.
# The recipe does nothing. Without it, or without its +, a dry run would assume that every CURRENT is rewritten.
$(P)/%/CURRENT: $(P)/%/CHECKED ; @+:

# A stage without CURRENT has to check again, and so have all stages when the versions of libraries change. Ingest and
# those after it depend on the keys too; a demonstration whose keys are gone makes new ones.
EVERY_CHECK := $(STAGES:%=$(P)/%/CHECKED)
$(foreach stage,$(STAGES),$(if $(wildcard $(P)/$(stage)/CURRENT),,$(P)/$(stage)/CHECKED)): force
$(EVERY_CHECK): requirements.lock
# A version that a person has put in force has to score again.
$(P)/score/CHECKED: $(wildcard $(P)/ledger/promotions.jsonl)
$(P)/ingest/CHECKED $(P)/train/CHECKED $(P)/score/CHECKED: $(or $(KEYS),force)
force:

run: score watch monitor explain ## Set up and run the whole pipeline, from raw files to passports (PROFILE=demo)
	@$(PASSPORT) --quiet index --profile $(PROFILE) --out $(OUT)
	@$(if $(QUIET),:,echo && $(PASSPORT) summary --profile $(PROFILE) --out $(OUT))

ifneq ($(HAS_WORLD),0)
world: $(P)/world/CURRENT ## Simulate the synthetic seller world (profiles that have one)
$(P)/world/CHECKED: $(PROFILE_FILE) $(CONTRACTS) $(call code,simulator) $(call rooms,world) | $(VENV)/.run-ready
	$(call STAGE,world)
else
world: ; @echo "profile $(PROFILE) reads real files; it has no synthetic world"
endif

ingest: $(P)/ingest/CURRENT ## Read raw files into canonical tables; set aside what breaks a contract
$(P)/ingest/CHECKED: $(RAW_TARGET) $(RAW_FILES) $(RATES) $(PROFILE_FILE) $(CONTRACTS) $(call code,models/registry) $(call rooms,ingest) | $(VENV)/.run-ready
	$(call STAGE,ingest)

validate: $(P)/validate/CURRENT ## Check canonical tables; write the validation report
$(P)/validate/CHECKED: $(P)/ingest/CURRENT $(PROFILE_FILE) $(FEATURES) $(call rooms,validate reports) | $(VENV)/.run-ready
	$(call STAGE,validate)

features: $(P)/features/CURRENT ## Build the feature matrix as of each observation date
$(P)/features/CHECKED: $(P)/validate/CURRENT $(PROFILE_FILE) $(FEATURES) $(call rooms,features) | $(VENV)/.run-ready
	$(call STAGE,features)

train: $(P)/train/CURRENT ## Train, calibrate and evaluate the default model; write the signed bundle
$(P)/train/CHECKED: $(P)/features/CURRENT $(P)/validate/CURRENT $(PROFILE_FILE) $(MODELS) $(call rooms,train) | $(VENV)/.run-ready
	$(call STAGE,train)

explain: $(P)/explain/CURRENT ## Write the model report and the SHAP report
$(P)/explain/CHECKED: $(P)/train/CURRENT $(P)/features/CURRENT $(P)/validate/CURRENT $(PROFILE_FILE) $(MODELS) $(call rooms,explain reports score_codes.py) | $(VENV)/.run-ready
	$(call STAGE,explain)

register: $(P)/register/CURRENT ## Pass the gates and register the bundle in MLflow as champion
$(P)/register/CHECKED: $(P)/train/CURRENT $(P)/features/CURRENT $(PROFILE_FILE) $(MODELS) $(call rooms,register features) | $(VENV)/.run-ready
	$(call STAGE,register,$(if $(APPROVER), --approver "$$APPROVER")$(if $(REASON), --reason "$$REASON"))

score: $(P)/score/CURRENT ## Score the profile's applicants and issue their passports
$(P)/score/CHECKED: $(P)/register/CURRENT $(P)/train/CURRENT $(P)/features/CURRENT $(P)/validate/CURRENT \
                    $(PROFILE_FILE) $(MODELS) $(call rooms,score score_rows.py score_codes.py ingest validate features register passports reports) | $(VENV)/.run-ready
	$(call STAGE,score)

watch: $(P)/watch/CURRENT ## Look at every open loan by the rules of the early warning
$(P)/watch/CHECKED: $(P)/validate/CURRENT $(PROFILE_FILE) $(FEATURES) $(call rooms,watch) | $(VENV)/.run-ready
	$(call STAGE,watch)

monitor: $(P)/monitor/CURRENT ## Compare the scored applicants with the training population
$(P)/monitor/CHECKED: $(P)/score/CURRENT $(P)/train/CURRENT $(P)/features/CURRENT $(P)/validate/CURRENT \
                      $(PROFILE_FILE) $(MODELS) $(call rooms,monitor train) | $(VENV)/.run-ready
	$(call STAGE,monitor)

# ---- Check a change --------------------------------------------------------------------------------------------------
check: lint types layers docs-check prose test-fast ## Everything that a commit has to pass

# One process per processor, each with one OpenMP thread. PYTEST_ARGS comes last, so it can override every option:
# PYTEST_ARGS="tests/unit/features -n 0" runs some tests in one process.
test test-fast: export OMP_NUM_THREADS ?= 1
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

test: $(VENV)/.test-ready ## Set up and run all tests on all processors (options in PYTEST_ARGS)
	$(PYTEST) $(PYTEST_ARGS)

test-fast: $(VENV)/.test-ready ## Run all tests but the slow ones: an answer within two minutes
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/.test-ready ## Style, formatting and docstrings: ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test-ready ## Types: mypy strict
	$(BIN)/mypy

layers: $(VENV)/.test-ready ## Import direction: import-linter
	$(BIN)/lint-imports

docs-check: $(VENV)/.test-ready ## Generated pages: fail if one differs from its contract or feature
	$(PASSPORT) docs --folder docs --check

prose: $(VENV)/.test-ready ## Prose: codespell, our word list and proselint
	$(BIN)/codespell
	$(BIN)/python -m tools.prose

# ---- Documents -------------------------------------------------------------------------------------------------------
docs: $(VENV)/.test-ready ## Write the pages of contracts, features and feature sets
	$(PASSPORT) docs --folder docs

pictures: $(VENV)/.run-ready ## Take the pictures of the README from a finished run (needs Chromium)
	$(PASSPORT) pictures --profile $(PROFILE) --out $(OUT)

notebooks: $(VENV)/.test-ready ## Execute the notebooks; with their charts they are in OUT/notebooks
	mkdir -p $(OUT)/notebooks
	for notebook in notebooks/*.py; do \
		executed=$(OUT)/notebooks/$$(basename $$notebook .py).ipynb; \
		$(BIN)/jupytext --quiet --set-kernel python3 --to ipynb --output $$executed $$notebook; \
		$(BIN)/jupyter-execute --inplace $$executed; \
	done

site: notebooks $(VENV)/.docs-ready ## Build the documentation site: OUT/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m tools.site $(OUT)/notebooks $(OUT)/site_pages $(OUT)/site

# ---- Measure ---------------------------------------------------------------------------------------------------------
# These check the synthetic world over many seeds. They take most of an hour and fail if a value is outside its band.
WORLD_BENCHMARKS := benchmarks/fraud_rules.py benchmarks/reconciliation.py benchmarks/world_realism.py

# The peers need an older protobuf than MLflow's lock has, so they live in an environment of their own.
bench-credit: ## Compare the trainer with ten peers on the public credit tables of DATA_DIR: docs/credit_tables.md
	@$(MAKE) --no-print-directory VENV=$(VENV)-bench $(VENV)-bench/.bench-ready
	$(VENV)-bench/bin/python benchmarks/credit_tables.py --data $(or $(DATA_DIR),../shared/data) --out benchmarks/results --page docs/credit_tables.md

bench: $(VENV)/.test-ready ## Run the benchmarks; JSON under OUT/benchmarks
	for benchmark in $(filter-out $(WORLD_BENCHMARKS) benchmarks/credit_tables.py,$(wildcard benchmarks/*.py)); do \
	  $(BIN)/python $$benchmark --out $(OUT)/benchmarks; done

bench-world: $(VENV)/.test-ready ## Check the synthetic world over many seeds
	for benchmark in $(WORLD_BENCHMARKS); do $(BIN)/python $$benchmark --out $(OUT)/benchmarks; done

# How many faults to try, and which sample to draw: make mutants SAMPLE=60 SEED=7
SAMPLE ?= 250
SEED ?= 1
mutants: $(VENV)/.mutants-ready ## Put small faults into a copy and count those that the tests notice (SAMPLE, SEED)
	$(BIN)/python -m tools.mutants --sample $(SAMPLE) --seed $(SEED)

# ---- Package and clean -----------------------------------------------------------------------------------------------
wheel: $(VENV)/.test-ready ## Build the wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

sbom: $(VENV)/.sbom-ready $(P)/train/CURRENT ## List the components of the model bundle in CycloneDX: OUT/<profile>/sbom
	@$(BIN)/python -m tools.sbom $(PROFILE) $(OUT)

# What was promoted cannot be made again, so it stays: the registry, its bundles and the ledger of each profile.
KEPT := -name ledger -o -name '*mlflow.db*' -o -name mlflow-artifacts

clean: ## Remove every output; registries, ledgers and the signing keys in .keys stay
	@if [ -d $(OUT) ]; then find $(OUT) -mindepth 2 -maxdepth 2 ! \( $(KEPT) \) -exec rm -rf {} +; \
	  find $(OUT) -mindepth 1 -maxdepth 1 ! -type d -delete; find $(OUT) -maxdepth 1 -type d -empty -delete; fi
	rm -rf dist build *.egg-info

clean-registry: ## Remove the outputs of PROFILE with its registry and ledger, after a question
	@read -r -p "Remove $(P) with its registry and ledger? They cannot be made again. Type yes: " answer; \
	  [ "$$answer" = yes ] || { echo "nothing was removed"; exit 1; }
	rm -rf $(P) $(or $(KEYS_DIR),.keys)/$(notdir $(P))/heads
