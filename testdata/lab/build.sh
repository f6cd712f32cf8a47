#!/usr/bin/env bash
# Builds the servers that the end-to-end tests run against, once, into
#   ${XDG_CACHE_HOME:-~/.cache}/gonogo-lab/KEY
# and prints that folder as its last line. KEY comes from the modules beside it,
# so another version of a server is another folder. A second call with everything
# there returns at once; an interrupted one continues.
#
#   build.sh          build what is missing
#   build.sh --dir    print the folder, build nothing
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
modules=(kubernetes kwok velero minio)
recipe=2 # counts changes to how the same modules are built

# The key, which internal/labtest computes too: they change together.
key_of() {
	cd "$lab"
	{
		echo "recipe $recipe"
		for m in "${modules[@]}"; do cat "$m/go.mod" "$m/go.sum"; done
	} | sha256sum | cut -c1-16
}

cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/gonogo-lab
dir=$cache/$(key_of)
if [[ ${1-} == --dir ]]; then
	echo "$dir"
	exit 0
fi

say() { echo "lab: $*" >&2; }
die() { say "$@"; exit 1; }

# Only what the modules' go.sum files vouch for; no C compiler needed.
export CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=readonly -trimpath -buildvcs=false"

# version MODULE PATH prints the version of a module that the build uses.
version() {
	(cd "$lab/$1" && go list -m -f '{{if .Replace}}{{.Replace.Version}}{{else}}{{.Version}}{{end}}' "$2") ||
		die "reading the version of $2 in $lab/$1 failed (is the Go module proxy within reach?)"
}

# build NAME MODULE PACKAGE [LDFLAGS] makes $dir/bin/NAME unless it is there.
build() {
	local name=$1 module=$2 package=$3 ldflags="-s -w ${4-}" start=$SECONDS next=60 pid
	[[ -x $dir/bin/$name ]] && return
	say "$name: building ($package)"
	(cd "$lab/$module" && exec go build -ldflags "$ldflags" -o "$dir/bin/.$name" "$package") >"$dir/log/$name.log" 2>&1 &
	pid=$!
	building=$pid
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		if ((SECONDS - start >= next)); then
			say "$name: still building, $next s"
			next=$((next + 60))
		fi
	done
	if ! wait "$pid"; then
		tail -n 20 "$dir/log/$name.log" >&2
		die "$name: building $package of module $lab/$module failed after $((SECONDS - start)) s; whole log: $dir/log/$name.log"
	fi
	building=
	mv "$dir/bin/.$name" "$dir/bin/$name"
	say "$name: built in $((SECONDS - start)) s"
}

# files MODULE PATH FROM TO copies a folder of a module's source.
files() {
	local source
	[[ -d $dir/$4 ]] && return
	source=$(cd "$lab/$1" && go mod download "$2" && go list -m -f '{{.Dir}}' "$2") ||
		die "$4: fetching the source of $2 failed"
	mkdir -p "$(dirname "$dir/$4")"
	rm -rf "$dir/$4.part"
	cp -r "$source/$3" "$dir/$4.part" || die "$4: $2 has no folder $3"
	chmod -R u+w "$dir/$4.part"
	mv "$dir/$4.part" "$dir/$4"
}

# there COMMAND tells whether a command is installed, a path or a pattern of paths.
there() { command -v "$1" >/dev/null || compgen -G "$1" >/dev/null; }

# debian COMMAND PACKAGE installs a package of Debian's unless it is there.
debian() {
	there "$1" && return
	[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null ||
		die "$1 is missing: install the package $2 (apt-get install $2)"
	say "$1: installing the package $2"
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$2"; } >"$dir/log/apt-$2.log" 2>&1 || {
		tail -n 20 "$dir/log/apt-$2.log" >&2
		die "$1: installing the package $2 failed; whole log: $dir/log/apt-$2.log"
	}
	there "$1" || die "the package $2 brought no command $1"
}

building=
stop() { [[ -z $building ]] || kill "$building" 2>/dev/null || true; }
trap stop EXIT

command -v go >/dev/null || die "go is missing"
mkdir -p "$dir/bin" "$dir/log"
exec 9>"$cache/lock"
flock -n 9 || { say "another build is running, waiting for it" && flock 9; }

debian prometheus prometheus
debian prometheus-alertmanager prometheus-alertmanager
debian docker-registry docker-registry
debian '/usr/lib/postgresql/*/bin/initdb' postgresql
debian chromium chromium
if [[ ! -e $dir/complete ]]; then
	say "building into $dir; from nothing this takes 15 to 30 minutes on two cores"
	kube=$(version kubernetes k8s.io/kubernetes)
	[[ $kube =~ ^v([0-9]+)\.([0-9]+)\. ]] || die "version of k8s.io/kubernetes is \"$kube\""
	info=k8s.io/component-base/version
	stamp="-X $info.gitVersion=$kube -X $info.gitMajor=${BASH_REMATCH[1]} -X $info.gitMinor=${BASH_REMATCH[2]} -X $info.gitTreeState=clean"
	build etcd kubernetes go.etcd.io/etcd/server/v3
	build kube-apiserver kubernetes k8s.io/kubernetes/cmd/kube-apiserver "$stamp"
	build kube-controller-manager kubernetes k8s.io/kubernetes/cmd/kube-controller-manager "$stamp"
	build kube-scheduler kubernetes k8s.io/kubernetes/cmd/kube-scheduler "$stamp"
	build kwok kwok sigs.k8s.io/kwok/cmd/kwok
	files kwok sigs.k8s.io/kwok kustomize/stage stages
	files kwok sigs.k8s.io/kwok kustomize/crd/bases kwok-crds
	manager=sigs.k8s.io/controller-runtime/pkg/metrics/server # listens on every address otherwise, and no flag of velero's says where
	velero=$(version velero github.com/vmware-tanzu/velero)
	build velero velero github.com/vmware-tanzu/velero/cmd/velero \
		"-X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=$velero -X $manager.DefaultBindAddress=0"
	build velero-plugin-for-aws velero github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws
	files velero github.com/vmware-tanzu/velero config/crd/v1/bases velero-crds/v1
	files velero github.com/vmware-tanzu/velero config/crd/v2alpha1/bases velero-crds/v2alpha1
	build minio minio github.com/minio/minio
	touch "$dir/complete"
	say "complete after $SECONDS s"
fi
echo "$dir"
