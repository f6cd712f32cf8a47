#!/bin/bash
# Mirrors images to a registry.
set -e
SUCCESS=0
SKIPPED=0
for image in trinodb/trino:424 apache/superset:4.0.1; do
  if docker pull "$image" && docker tag "$image" "$1/${image##*/}" && docker push "$1/${image##*/}"; then
    ((SUCCESS++))
  else
    ((SKIPPED++))
  fi
done
echo "$SUCCESS mirrored, $SKIPPED skipped"
