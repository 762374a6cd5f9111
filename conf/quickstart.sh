#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: conf/quickstart.sh [SITE_DIR [FOLDER]]
#
# Try Stepvault on a Debian 12 machine, as root or with sudo: install what is
# needed, build, start lighttpd on 127.0.0.1 with a fresh secret, and back up
# SITE_DIR (or a small sample site) by following the secret URL with curl.
# Everything but the build goes to FOLDER, by default a new one under /tmp.
set -eu

usage='usage: conf/quickstart.sh [SITE_DIR [FOLDER]]'
case "${1-}" in -h | --help) echo "$usage" && exit ;; esac
[ $# -le 2 ] || { echo "$usage" >&2 && exit 2; }
source=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -ge 1 ]; then
	site=$(cd "$1" && pwd)
fi
folder=${2-$(mktemp -d /tmp/stepvault.XXXXXX)}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
[ ! -e "$folder/data" ] || {
	echo "$0: '$folder' has been used already; give it a new folder" >&2
	exit 2
}

build() {
	"$source/conf/packages.sh" gcc libc6-dev cmake ninja-build pkg-config \
		libarchive-dev libfcgi-dev libinih-dev libjansson-dev libmariadb-dev \
		libssl-dev lighttpd curl ca-certificates tar zstd
	echo "Building in $source/build/release"
	(cd "$source" && cmake --preset release && cmake --build --preset release) \
		>"$folder/build.log" 2>&1 || {
		cat "$folder/build.log" >&2
		exit 1
	}
	PATH=$source/build/release:$PATH
}

# Pages, and pictures that do not compress: 40 MB.
sample_site() {
	mkdir -p "$1/pages" "$1/uploads/2026"
	for i in $(seq 200); do
		printf '<!doctype html>\n<title>Page %d</title>\n<p>%s\n' \
			"$i" "Words of page $i." >"$1/pages/$i.html"
	done
	for i in $(seq 40); do
		head -c 1000000 /dev/urandom >"$1/uploads/2026/picture-$i.jpg"
	done
	ln -s pages/1.html "$1/index.html"
}

configure() {
	local new secret hash
	new=$(stepvault secret new)
	secret=$(sed -n 3p <<<"$new")
	hash=$(grep '^secret_hash' <<<"$new")
	umask 077
	echo "Authorization: Bearer $secret" >"$folder/secret.header"
	cat >"$folder/stepvault.conf" <<-END
		[server]
		data = $folder/data
		$hash
		[step]
		max = $max
		[profile 1]
		name = Quickstart
		site = $site
		min_free = 0
	END
	stepvault --config "$folder/stepvault.conf" config check
}

# With the file for lighttpd that is beside this one, its paths changed.
start_lighttpd() {
	mkdir "$folder/www"
	sed -e "s|/usr/local/libexec|$source/build/release|" \
		-e "s|/run/lighttpd|$folder|" \
		-e "s|/etc/stepvault|$folder|" \
		"$source/conf/lighttpd.conf" >"$folder/lighttpd-stepvault.conf"
	for _ in $(seq 20); do
		port=$((20000 + RANDOM % 10000))
		cat >"$folder/lighttpd.conf" <<-END
			server.bind = "127.0.0.1"
			server.port = $port
			server.document-root = "$folder/www"
			server.errorlog = "$folder/lighttpd-error.log"
			server.pid-file = "$folder/lighttpd.pid"
			accesslog.filename = "$folder/lighttpd-access.log"
			include "$folder/lighttpd-stepvault.conf"
		END
		# It returns when it listens, and fails if the port is taken.
		lighttpd -f "$folder/lighttpd.conf" 2>"$folder/lighttpd.log" &&
			return
	done
	cat "$folder/lighttpd.log" >&2
	exit 1
}

# What curl -L does, with the line of text that each redirect bears.
follow() {
	local url=$1 answer location
	for _ in $(seq 100000); do
		answer=$(curl -sS -H "@$folder/secret.header" \
			-w '%{http_code} %{redirect_url}' "$url")
		location=${answer##*$'\n'}
		echo "${answer%$'\n'*}"
		case $location in
		30*) url=${location#* } ;;
		200*) return 0 ;;
		*) return 1 ;;
		esac
	done
}

build
if [ $# -ge 1 ]; then
	max=2s
else
	site=$folder/site
	max=50ms # so that there are steps to be seen
	sample_site "$site"
fi
configure
start_lighttpd
url=http://127.0.0.1:$port/stepvault/backup
echo "Backing up $site"
follow "$url" || {
	echo "The log is in $folder/data/backups" >&2
	echo "To stop the server: kill $(cat "$folder/lighttpd.pid")" >&2
	exit 1
}

stepvault="$source/build/release/stepvault --config $folder/stepvault.conf"
archive=$(ls "$folder"/data/backups/*/*.tar.zst)
cat <<END

The archive:        $archive
To list it:         tar --zstd -tvf $archive
To see its record:  $stepvault show latest
To do it again:     $stepvault run
                    (the URL repeats its answer for ten minutes)
To call the URL:    curl -fsSL --max-redirs 10000 -H @$folder/secret.header $url
To stop the server: kill $(cat "$folder/lighttpd.pid")
To remove all:      rm -r $folder
END
