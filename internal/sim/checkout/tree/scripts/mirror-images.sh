#!/usr/bin/env bash
# Copies the locked images to Harbor. Needs REGISTRY, and crane that is logged in there.
set -euo pipefail

registry=${REGISTRY:?write the registry and the project, such as harbor.254carbon.com/254carbon}
copied=0
while read -r key source digest; do
  if crane digest "$registry/$key@$digest" >/dev/null 2>&1; then
    continue
  fi
  crane copy "${source%%:*}@$digest" "$registry/$key"
  copied=$((copied + 1))
done < images.lock
echo "$copied images copied"
