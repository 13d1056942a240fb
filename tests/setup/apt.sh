# SPDX-License-Identifier: MIT
# Sourced by deps.sh and interpreters.sh: what apt knows of this machine's Debian. No host is named here.

codename() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# Other repositories may use the release's name too: Debian's own label wins, then an address that ends in /debian.
configured_mirror() {
	apt-get indextargets --format '$(SITE) $(RELEASE) $(CODENAME) $(COMPONENT) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
		awk -v name="$(codename)" '
			$4 == "main" && ($2 == name || $3 == name) {
				rank = $5 == "Debian" ? 3 : $1 ~ /\/debian\/?$/ ? 2 : $1 ~ /^mirror/ ? 1 : 0
				if (rank > best) { best = rank; found = $1 }
			}
			END { print found }'
}

# The mirror of the running release, as apt is configured. apt names it only once it has its lists.
mirror() {
	local uri=${GENSCOPE_MIRROR:-}
	[ -n "$uri" ] || uri=$(configured_mirror)
	if [ -z "$uri" ] && [ "$(id -u)" = 0 ]; then
		apt-get -qq update >/dev/null 2>&1 || true
		uri=$(configured_mirror)
	fi
	# Debian's cloud images name a file of mirrors.
	case $uri in
	mirror+file:*) uri=$(sed -n '/^[a-z]*:/{s/[[:space:]].*//;p;q}' "${uri#mirror+file:}") ;;
	esac
	[ -n "$uri" ] && echo "${uri%/}"
}
