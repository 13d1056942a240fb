#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# image.sh BINARY NAME:TAG OUT.tar
# Packs genscope and the shared libraries it needs into a container image, without a container engine, a registry or a
# base image. The tar is an OCI layout and a `docker save` archive at once:
#   ctr -n k8s.io images import OUT.tar · docker load -i OUT.tar · podman load -i OUT.tar · skopeo copy oci-archive:OUT.tar …
# The same binary and libraries make the same bytes.
set -euo pipefail
umask 022

usage() { sed -n '3p' "$0" | sed 's/^# /usage: /' >&2; exit 2; }
die() { echo "image.sh: $*" >&2; exit 1; }

[ $# = 3 ] || usage
binary=$1 name=$2 out=$3
[ -x "$binary" ] || die "$binary: no such program: run make first"
case $name in *:*) tag=${name##*:} ;; *) usage ;; esac
[ "$(uname -m)" = x86_64 ] || die "$(uname -m): genscope knows x86_64 only"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root image=$work/image
mkdir -p "$root"/{usr/bin,etc,proc,sys,dev,tmp} "$image/blobs/sha256"

# Libraries go where the loader looks first, by the names that it asks for.
libraries() { ldd "$binary" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }'; }
! ldd "$binary" | grep 'not found' >&2 || die "$binary: the libraries above are missing"
install -m 755 "$binary" "$root/usr/bin/genscope"
libraries | while read -r library; do install -D -m 755 "$library" "$root$library"; done
# Whom the exporter becomes: privileges are given up to a user by name.
printf '%s\n' 'root:x:0:0::/:/nonexistent' 'genscope:x:64964:64964::/:/nonexistent' >"$root/etc/passwd"
printf '%s\n' 'root:x:0:' 'genscope:x:64964:' >"$root/etc/group"

pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu -C "$1" -cf "$2" .; }
digest() { sha256sum "$1" | cut -d' ' -f1; }
# Moves a file to where its content says, and prints its digest.
blob() {
	local sum
	sum=$(digest "$1")
	mv "$1" "$image/blobs/sha256/$sum"
	echo "$sum"
}
size() { stat -c %s "$image/blobs/sha256/$1"; }

pack "$root" "$work/layer"
layer=$(blob "$work/layer")
cat >"$work/config" <<END
{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z",
 "config":{"Entrypoint":["/usr/bin/genscope"],"Cmd":["export","--all","--listen",":9964"],"ExposedPorts":{"9964/tcp":{}},"WorkingDir":"/"},
 "rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
END
config=$(blob "$work/config")
cat >"$work/manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
 "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:$config","size":$(size "$config")},
 "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:$layer","size":$(size "$layer")}]}
END
manifest=$(blob "$work/manifest")
cat >"$image/index.json" <<END
{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:$manifest","size":$(size "$manifest"),
 "annotations":{"io.containerd.image.name":"$name","org.opencontainers.image.ref.name":"$tag"}}]}
END
echo '{"imageLayoutVersion":"1.0.0"}' >"$image/oci-layout"
cat >"$image/manifest.json" <<END
[{"Config":"blobs/sha256/$config","RepoTags":["$name"],"Layers":["blobs/sha256/$layer"]}]
END
pack "$image" "$out"
echo "$out: $name, $(stat -c %s "$out") bytes"
