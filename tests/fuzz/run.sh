#!/bin/bash
# SPDX-License-Identifier: MIT
# Build the fuzz targets and run each over its corpus for SECONDS, two at a
# time.  What makes one fail is kept, and named.
#
# usage: tests/fuzz/run.sh [SECONDS]
set -eu
seconds=${1:-10}
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build/fuzz
targets=()
# Syncs cost nothing in memory.
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" \
	stepvault-fuzz.XXXXXX)
export TMPDIR=$scratch
trap 'rm -rf "$scratch"' EXIT

cd "$top"
cmake --preset fuzz
cmake --build --preset fuzz -j2
for source in tests/fuzz/fuzz_*.c; do
	targets+=("$(basename "$source" .c)")
done

# Run one target; its output is shown when it has ended.
run() {
	local name=${1#fuzz_} status=0
	local corpus=$scratch/corpus-$name artifacts=$scratch/artifacts-$name

	mkdir "$artifacts"
	cp -r "tests/data/fuzz/$name" "$corpus"
	"$build/tests/fuzz/$1" -max_total_time="$seconds" -timeout=20 \
		-rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$artifacts/" "$corpus" \
		>"$scratch/log-$name" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		echo "$1: $(grep -o 'Done [0-9]* runs' "$scratch/log-$name")"
		return 0
	fi
	mkdir -p "$build/artifacts"
	cp -r "$artifacts/." "$build/artifacts/"
	cat "$scratch/log-$name"
	echo "$1: FAILED; what made it fail is in $build/artifacts"
	return 1
}

failed=0
for ((i = 0; i < ${#targets[@]}; i += 2)); do
	pids=()
	for target in "${targets[@]:i:2}"; do
		run "$target" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
done
exit "$failed"
