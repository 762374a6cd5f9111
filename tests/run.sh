#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: tests/run.sh [CTEST OPTION...]
#
# The whole suite, on a Debian 12 machine, as root or with sudo: install what is
# needed, build with warnings as errors, plain and with sanitizers, fuzz for
# some seconds, and run all tests on both builds.  The tests make devices and
# files of other owners, which takes root; what root would not notice, such as
# a file that cannot be read, they do as another user.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
	exec sudo "$PWD/tests/run.sh" "$@"
fi
# What was built belongs to whoever called.
[ -z "${SUDO_UID-}" ] ||
	trap 'chown -R "$SUDO_UID:$SUDO_GID" build 2>/dev/null' EXIT

conf/packages.sh gcc clang clang-format clang-tidy libclang-rt-14-dev \
	libc6-dev cmake ninja-build \
	pkg-config libarchive-dev libfcgi-dev libinih-dev libjansson-dev \
	libmariadb-dev libssl-dev libcmocka-dev \
	python3 python3-pytest python3-requests python3-selenium \
	nginx-light lighttpd apache2 libapache2-mod-fcgid spawn-fcgi \
	libfcgi-bin systemd curl wget php-cli chromium chromium-driver \
	libarchive-tools tar zstd xz-utils gzip git attr acl util-linux \
	libcap2-bin jq openssl ca-certificates \
	mariadb-server mariadb-client python3-pymysql \
	wordpress wordpress-theme-twentytwentythree php-mysql

for preset in dev asan; do
	echo "Building build/$preset"
	cmake --preset $preset >/dev/null
	cmake --build --preset $preset
done
tests/lint.sh
tests/fuzz/run.sh 5

failed=0
for preset in dev asan; do
	ctest --preset $preset "$@" || failed=1
done
exit $failed
