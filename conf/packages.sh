#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: conf/packages.sh PACKAGE...
#
# Install those of the Debian packages that are missing; as root, or with sudo.
# No service is started by it: a web server that is only wanted for a trial
# would otherwise open port 80 to the world.
set -eu

missing=()
for package in "$@"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) ||
		status=
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "$0: run it as root, or install sudo" >&2
		exit 1
	}
	exec sudo "$0" "${missing[@]}"
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --no-install-recommends -o Dpkg::Use-Pty=0 \
	"${missing[@]}" >/dev/null
