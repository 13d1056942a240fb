#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# deps.sh install GROUP   as root on Debian 12 or 13: install what is missing, and nothing if nothing is
# deps.sh missing GROUP   say in one line what is missing, install nothing; exit 1 if something is
# GROUP is build (make, make demo), lint, bench (bpftrace, for comparison), screenshots (what draws the dashboard), or
# all (make check, too).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/apt.sh"

build_packages="gcc libc6-dev make clang bpftool libelf-dev zlib1g-dev libcapstone-dev libncurses-dev libmicrohttpd-dev libgnutls28-dev libyaml-dev libcrypt-dev libcap-ng-dev libseccomp-dev pkg-config git python3"
lint_packages="clang-format clang-tidy"
bench_packages="bpftrace"
screenshots_packages="chromium chromium-driver pngquant"
check_packages="curl openssl python3-prometheus-client tmux libcriterion-dev libjson-c-dev libclang-rt-dev python3-dbg libpython3-dev debootstrap debian-archive-keyring ca-certificates
	chromium chromium-driver systemd python3-yaml"

export DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"
gave_up=$here/../../build/no-backports
log=

say() { echo "deps: $*" >&2; }
die() { [ -z "$log" ] || cat "$log" >&2; say "$*"; exit 1; }
have_multi() { pkg-config --atleast-version=1.3 libbpf 2>/dev/null; }

missing() {
	local absent= tool library
	case $1 in
	lint) for tool in clang-format clang-tidy; do command -v "$tool" >/dev/null || absent="$absent $tool"; done ;;
	*)
		for tool in gcc clang bpftool pkg-config; do command -v "$tool" >/dev/null || absent="$absent $tool"; done
		for library in libbpf libelf zlib capstone ncursesw libmicrohttpd gnutls yaml-0.1 libcrypt libcap-ng libseccomp; do
			pkg-config --exists "$library" 2>/dev/null || absent="$absent $library"
		done ;;
	esac
	[ -z "$absent" ] && return
	echo "genscope: not installed:$absent: run \`make deps\` as root" >&2
	exit 1
}

not_installed() {
	local installed
	installed=" $(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | awk '$1 ~ /^.i/ { print $2 }' | tr '\n' ' ')"
	for package in "$@"; do
		case $installed in *" $package "*) ;; *) echo "$package" ;; esac
	done
}

quiet_apt() { apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" >>"$log" 2>&1; }
apt_install() { quiet_apt install --no-install-recommends "$@"; }

# Package lists may be absent (a fresh image) or too old to fetch from.
install_packages() {
	say "installing $*"
	if [ -z "$(apt-cache show "$@" 2>&1 >/dev/null)" ] && apt_install "$@"; then return; fi
	: >"$log"
	quiet_apt update || true
	apt_install "$@" || die "apt-get could not install these packages (its own words are above)"
}

# uprobe_multi wants libbpf 1.3, Debian 12 has 1.1 and 1.4 in its backports. They are read through a list of our own:
# the machine's apt configuration stays as it is.
install_backport() {
	local suite uri signed=
	suite=$(codename)
	uri=$(mirror) || return 1
	[ -r /usr/share/keyrings/debian-archive-keyring.gpg ] && signed="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
	chmod 755 "$private"	# apt downloads as the user _apt
	mkdir "$private/lists"
	printf "deb $signed%s %s main\n" "$uri" "$suite" "$uri" "$suite-backports" >"$private/sources.list"
	set -- -o Dir::Etc::SourceList="$private/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$private/lists" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none -o Acquire::http::Timeout=20
	quiet_apt "$@" update && quiet_apt "$@" install --no-install-recommends \
		"libbpf-dev/$suite-backports" "libbpf1/$suite-backports"
}

install_libbpf() {
	have_multi && return
	local version
	version=$(apt-cache policy libbpf-dev 2>/dev/null | awk '/Candidate:/ { print $2 }')
	if [ -z "$version" ] || [ "$version" = "(none)" ]; then
		quiet_apt update || true
		version=$(apt-cache policy libbpf-dev 2>/dev/null | awk '/Candidate:/ { print $2 }')
	fi
	if dpkg --compare-versions "${version#*:}" lt 1.3; then
		# Out of reach a while ago: a second run is quick, and `make clean` asks for another try.
		if pkg-config --exists libbpf 2>/dev/null && [ -n "$(find "$gave_up" -mmin -60 2>/dev/null)" ]; then return; fi
		say "installing libbpf from $(codename)-backports (the release's own $version has no uprobe_multi)"
		if install_backport && have_multi; then return; fi
		say "libbpf ≥ 1.3 is out of reach ($(codename)-backports): going on with $version, attach and detach are slower"
		mkdir -p "${gave_up%/*}" && touch "$gave_up"
	fi
	[ -z "$(not_installed libbpf-dev)" ] || install_packages libbpf-dev
}

# For make check. Debian's package of Prometheus starts a server when it is installed: only the programs are taken out
# of it, into a folder that the Makefile puts at the end of PATH.
tools=${GENSCOPE_CACHE:-/var/cache/genscope}/bin
have_prometheus() {
	local program
	for program in prometheus promtool; do command -v $program >/dev/null || [ -x "$tools/$program" ] || return 1; done
}

install_prometheus() {
	say "getting prometheus and promtool (of the package prometheus, which is not installed)"
	mkdir -p "$private/prometheus" "$tools"
	chmod 755 "$private" && chmod 777 "$private/prometheus"	# apt downloads as the user _apt
	[ -n "$(apt-cache show prometheus 2>/dev/null)" ] || quiet_apt update || true
	(cd "$private/prometheus" && quiet_apt download prometheus) || die "apt-get could not download prometheus (its own words are above)"
	dpkg-deb --fsys-tarfile "$private/prometheus/"*.deb | tar -x -C "$private/prometheus" ./usr/bin/promtool ./usr/bin/prometheus
	mv "$private/prometheus/usr/bin/promtool" "$private/prometheus/usr/bin/prometheus" "$tools/"
}

# For make check, too: what chrome://tracing reads traces with, as its authors put it into the npm registry.
viewer=${GENSCOPE_CACHE:-/var/cache/genscope}/viewer
viewer_package=traceviewer@1.0.11
have_viewer() { [ -d "$viewer/node_modules/traceviewer" ]; }

install_viewer() {
	say "getting $viewer_package from the npm registry"
	mkdir -p "$viewer"
	npm install --prefix "$viewer" --no-save --no-audit --no-fund --ignore-scripts $viewer_package >>"$log" 2>&1 && return
	cat "$log" >&2
	say "npm could not install $viewer_package (its own words are above): going on, record.slow will be skipped"
}

# Node.js may have come with an npm, and from elsewhere than Debian.
node_packages() {
	command -v node >/dev/null || echo nodejs
	command -v npm >/dev/null || echo npm
}

install() {
	local packages extras=
	case $1 in
	build) packages=$build_packages ;;
	lint) packages=$lint_packages ;;
	bench) packages=$bench_packages ;;
	screenshots)
		packages="$build_packages $screenshots_packages $(node_packages)"
		have_prometheus || extras=prometheus ;;
	*)
		packages="$build_packages $check_packages $lint_packages $(node_packages)"
		have_prometheus || extras=prometheus
		have_viewer || extras="$extras $viewer_package" ;;
	esac
	if ! command -v apt-get >/dev/null; then
		missing build
		return	# not Debian: what building needs is there, the rest is the user's own affair
	fi
	packages=$(not_installed $packages)
	if [ -z "$packages$extras" ] && { have_multi || [ -n "$(find "$gave_up" -mmin -60 2>/dev/null)" ]; }; then return; fi
	if [ "$(id -u)" != 0 ]; then
		[ -z "$packages$extras" ] && [ -z "$(not_installed libbpf-dev)" ] && return	# an older libbpf will do
		echo "genscope: not installed: $(echo $packages $extras $(not_installed libbpf-dev)): run \`make deps\` as root" >&2
		exit 1
	fi
	private=$(mktemp -d)
	trap 'rm -rf "$private"' EXIT
	log=$private/log
	: >"$log"
	[ -z "$packages" ] || install_packages $packages
	install_libbpf
	case $extras in *prometheus*) install_prometheus ;; esac
	case $extras in *"$viewer_package"*) install_viewer ;; esac
}

case ${1:-}-${2:-} in
missing-*) missing "$2" ;;
install-build | install-lint | install-bench | install-screenshots | install-all) install "$2" ;;
*) echo "usage: deps.sh install|missing build|lint|bench|screenshots|all" >&2; exit 2 ;;
esac
