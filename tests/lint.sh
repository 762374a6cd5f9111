#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: tests/lint.sh
#
# Whether the sources are as .clang-format and .clang-tidy say (clang 14).
set -eu
cd "$(dirname "$0")/.."

find engine cgi cli tests -name '*.[ch]' -print0 |
	xargs -0 clang-format --dry-run -Werror
cmake --preset clang >/dev/null
find engine cgi cli -name '*.c' -print0 |
	xargs -0 -P "$(nproc)" -n 4 clang-tidy -p build/clang --quiet 2>/dev/null
