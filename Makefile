# Everything that one types to work on Tray. `make` alone says what there is.

.DEFAULT_GOAL := help
.PHONY: help run test fuzz sanitize build format lint

sources = $(shell git ls-files '*.swift' ':!*.pb.swift')

help:  ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

run: build  ## build, and show an order survive the death of a worker
	@scripts/run

build:  ## install what is missing and build in release
	@scripts/install-dependencies
	swift build -c release

test:  ## install what is missing and run every test
	@scripts/install-dependencies --test
	swift test --disable-xctest --no-parallel

fuzz:  ## run every decoder of untrusted bytes on FUZZ_RUNS inputs (docs/fuzzing.md)
	@scripts/fuzz

sanitize:  ## run every test under AddressSanitizer and under ThreadSanitizer
	@scripts/sanitize

format:  ## put the sources into the one format
	@swift format --in-place --parallel $(sources)

lint:  ## check the format
	@swift format lint --strict --parallel $(sources)
