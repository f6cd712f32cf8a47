#!/usr/bin/env bash
# Looks whether every declared workload is ready, and names those that are not.
set -euo pipefail

missing=()
while read -r namespace workload; do
  kubectl -n "$namespace" rollout status "$workload" --timeout=5s >/dev/null 2>&1 || missing+=("$namespace/$workload")
done < workloads.txt
printf 'not ready: %s\n' "${missing[@]:-nothing}"
exit "$((${#missing[@]} > 0))"
