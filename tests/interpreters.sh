#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The CPythons to test against, one a line: VERSION KIND PATH [ROOT], separated by tabs.
#   VERSION  3.11 … 3.15
#   KIND     static (one executable), shared (libpython), debug (a Py_DEBUG build)
#   PATH     the real executable; inside ROOT when there is one (run it with `chroot ROOT PATH`)
#   ROOT     a Debian of its own: another libc, another mount namespace away
# usage: interpreters.sh [-o FILE] | --remove
#   GENSCOPE_CACHE   where the roots live (default /var/cache/genscope)
#   GENSCOPE_MIRROR  a Debian mirror (default: the one apt uses)
#   CI               when set, each of 3.11 to 3.15 must be found
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/setup/apt.sh"

versions="3.11 3.12 3.13 3.14 3.15"
suites="trixie sid"
packages_trixie="python3.13"
packages_sid="python3.13 python3.13-dbg python3.14 python3.14-dbg python3.15 python3.15-dbg"

cache=${GENSCOPE_CACHE:-/var/cache/genscope}
uri=
say() { echo "interpreters: $*" >&2; }

# --- the roots -------------------------------------------------------------------------------------------------------

bootstrap() { # SUITE DIRECTORY LOG PACKAGE...
	local suite=$1 directory=$2 log=$3
	shift 3
	rm -rf --one-file-system "$directory"
	debootstrap --variant=minbase --include="$(echo "$@" | tr ' ' ,)" "$suite" "$directory" "$uri" >"$log" 2>&1
}

# What `make layouts` compiles against: the headers out of libpython3.X-dev, which would bring libc's along if it were
# installed. In LISTS is the Packages file of main, verified: it vouches for what is fetched.
lacks_headers() { # ROOT VERSION
	[ -x "$1/usr/bin/python$2" ] && [ ! -e "$1/usr/include/python$2/pyconfig.h" ]
}

add_headers() { # ROOT LISTS
	local root=$1 lists=$2 deb=$1/headers.deb version name sum
	for version in $versions; do
		lacks_headers "$root" "$version" || continue
		read -r name sum < <(awk -v package="libpython$version-dev" '
			/^Package: / { here = $2 == package }
			here && /^Filename: / { name = $2 }
			here && /^SHA256: / { sum = $2 }
			END { print name, sum }' "$lists"/*_Packages) || true
		if [ -z "$sum" ] || ! wget -q -T 20 -t 2 -O "$deb" "$uri/$name" || ! echo "$sum  $deb" | sha256sum -c --status ||
			! dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" ./usr/include; then
			say "${root##*/}: no headers of Python $version: libpython$version-dev could not be fetched"
			rm -rf "$root/usr/include/python$version"
		fi
		rm -f "$deb"
	done
}

# A root that was made without them: the index has to be fetched first, by an apt that knows of nothing else.
complete_root() { # SUITE
	local suite=$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg private signed=
	private=$(mktemp -d)
	[ -r $keyring ] && signed="[signed-by=$keyring] "
	chmod 755 "$private"	# apt downloads as the user _apt
	mkdir "$private/lists"
	echo "deb $signed$uri $suite main" >"$private/sources.list"
	say "$suite: fetching the headers of its Pythons"
	if apt-get -qq -o Dir::Etc::SourceList="$private/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$private/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none \
		-o Acquire::GzipIndexes=false -o Acquire::http::Timeout=20 update >/dev/null 2>&1; then
		add_headers "$cache/$suite" "$private/lists"
	else
		say "$suite: its package lists could not be fetched, going on without headers"
	fi
	rm -rf "$private"
	is_complete "$suite" || touch "$cache/$suite.incomplete"
}

# Tried in vain a while ago counts: a run without the network is not to wait for it every time.
is_complete() { # SUITE
	local version
	[ -z "$(find "$cache/$1.incomplete" -mmin -60 2>/dev/null)" ] || return 0
	for version in $versions; do ! lacks_headers "$cache/$1" "$version" || return 1; done
}

# Made beside its place and moved there when it is whole, so that a root which exists is a good one.
make_root() { # SUITE
	local suite=$1 half=$cache/$1.half log=$cache/$1.log packages gone started=$SECONDS
	packages=$(eval "echo \$packages_$suite")
	say "$suite: unpacking $packages with debootstrap, about a minute"
	if ! bootstrap "$suite" "$half" "$log" $packages; then
		# sid moves: a Python may have left it, or not have come yet.
		gone=$(sed -n "s/.*Couldn't find these debs: //p" "$log")
		if [ -n "$gone" ]; then
			say "$suite has no $gone any more: going on without"
			packages=$(comm -23 <(printf '%s\n' $packages | sort) <(printf '%s\n' $gone | sort))
			[ -n "$packages" ] && bootstrap "$suite" "$half" "$log" $packages && gone=
		fi
		if [ -n "$gone" ] || [ ! -x "$half/usr/bin/env" ] || ! tail -n 1 "$log" | grep -q successfully; then
			say "$suite: debootstrap failed, going on without: $(tail -n 1 "$log") (all of it: $log)"
			rm -rf --one-file-system "$half"
			return
		fi
	fi
	add_headers "$half" "$half"/var/lib/apt/lists
	# Two thirds of it is archives, manuals and symbols that no test reads.
	rm -rf "$half"/var/cache/apt/archives/*.deb "$half"/var/lib/apt/lists/* "$half"/usr/share/{doc,man,locale} "$half"/usr/lib/debug
	find "$half/usr/lib" -name 'libpython*.a' -delete
	mv "$half" "$cache/$suite"
	rm -f "$log"
	say "$suite: done after $((SECONDS - started)) s"
}

make_roots() {
	local suite absent=
	for suite in $suites; do [ -d "$cache/$suite" ] && is_complete "$suite" || absent="$absent $suite"; done
	[ -n "$absent" ] || return 0
	if [ "$(id -u)" != 0 ]; then say "no Debian$absent, or not all of it: only root can unpack them"; return 0; fi
	if ! command -v debootstrap >/dev/null; then say "no Debian$absent: debootstrap is not installed (\`make deps\`)"; return 0; fi
	if ! uri=$(mirror); then say "no Debian$absent: apt names no Debian mirror, set GENSCOPE_MIRROR"; return 0; fi
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9	# another run may be at it
	for suite in $absent; do
		if [ ! -d "$cache/$suite" ]; then make_root "$suite" & elif ! is_complete "$suite"; then complete_root "$suite" & fi
	done
	wait
	exec 9>&-
}

# --- the list --------------------------------------------------------------------------------------------------------

about='import sys, sysconfig
print("%d.%d" % sys.version_info[:2], "debug" if hasattr(sys, "gettotalrefcount") else "plain",
      "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "gil", sys.implementation.name)'

list_one() { # PATH [ROOT]: prints its line if it is what it seems to be and runs
	local path=$1 root=${2:-} kind=static version build gil name
	if ! read -r version build gil name < <(${root:+chroot "$root"} "$path" -I -c "$about" 2>/dev/null); then
		say "$root$path does not run: left out"
		return
	fi
	case " $versions " in *" $version "*) ;; *) return ;; esac
	if [ "$name" != cpython ] || [ "$gil" != gil ]; then say "$root$path is $name, $gil: left out"; return; fi
	[ "$build" = debug ] && kind=debug
	[ $kind = static ] && ${root:+chroot "$root"} ldd "$path" 2>/dev/null | grep -q libpython && kind=shared
	printf '%s\t%s\t%s%s\n' "$version" "$kind" "$path" "${root:+	$root}"
}

is_elf() { [ "$(head -c 4 "$1" 2>/dev/null | tr -d '\0')" = $'\x7fELF' ]; }

list_all() {
	local version suite path real directory seen=" "
	for suite in $suites; do
		for version in $versions; do
			for path in /usr/bin/python$version /usr/bin/python${version}d; do
				[ -x "$cache/$suite$path" ] || continue
				if [ "$(id -u)" = 0 ]; then list_one "$path" "$cache/$suite"; else say "$cache/$suite$path: only root can run it: left out"; fi
			done
		done
	done
	# This machine's own: Debian's, pyenv's, and whatever else PATH leads to. Links and shims are followed or passed over.
	local pyenv=${PYENV_ROOT:-${HOME:-/root}/.pyenv} search
	IFS=: read -r -a search <<<"$PATH"
	for directory in /usr/bin "$pyenv"/versions/*/bin "${search[@]}"; do
		for version in $versions; do
			for path in "$directory/python$version" "$directory/python${version}d"; do
				[ -x "$path" ] && is_elf "$path" || continue
				real=$(readlink -f "$path")
				case $seen in *" $real "*) continue ;; esac
				seen="$seen$real "
				list_one "$real"
			done
		done
	done
}

remove_roots() {
	local suite
	for suite in $suites; do
		[ -e "$cache/$suite" ] || [ -e "$cache/$suite.half" ] || continue
		say "removing $cache/$suite"
		rm -rf --one-file-system "$cache/$suite" "$cache/$suite.half" "$cache/$suite.log" "$cache/$suite.incomplete"
	done
	rm -f "$cache/lock"
	[ ! -d "$cache" ] || rmdir --ignore-fail-on-non-empty "$cache"
}

main() {
	local output=- list absent= version
	case ${1:-} in
	--remove) remove_roots; return ;;
	-o) output=${2:?a file name} ;;
	?*) echo "usage: interpreters.sh [-o FILE] | --remove" >&2; exit 2 ;;
	esac
	make_roots
	list=$(list_all | sort -s -t '	' -k1,1V)
	for version in $versions; do
		grep -q "^$version	" <<<"$list" || absent="$absent $version"
	done
	list=${list:+$list$'\n'}
	if [ "$output" = - ]; then printf %s "$list"; else printf %s "$list" >"$output"; fi
	say "$(printf %s "$list" | wc -l) found, of CPython $(printf %s "$list" | cut -f1 | uniq | paste -sd ' ')"
	[ -n "$absent" ] || return 0
	say "not found: CPython$absent"
	[ -z "${CI:-}" ] || exit 1
}

main "$@"
