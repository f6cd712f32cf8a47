#!/usr/bin/env bash
# Builds the tools that bench-mirror measures beside gonogo into a cache, and prints the folder. skopeo comes from Debian.
set -euo pipefail
crane=github.com/google/go-containerregistry/cmd/crane@v0.22.1
regsync=github.com/regclient/regclient/cmd/regsync@v0.11.7
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gonogo-bench/$(printf '%s\n' "$crane" "$regsync" | sha256sum | cut -c1-16)
if [ ! -x "$cache/crane" ] || [ ! -x "$cache/regsync" ]; then
  mkdir -p "$cache"
  GOBIN=$cache GOFLAGS=-mod=mod CGO_ENABLED=0 go install "$crane"
  GOBIN=$cache GOFLAGS=-mod=mod CGO_ENABLED=0 go install "$regsync"
fi
echo "$cache"
