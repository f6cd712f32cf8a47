#!/usr/bin/env bash
# Compares where the hosts point with the tunnel. Needs CLOUDFLARE_TUNNEL_ID.
set -euo pipefail

wrong=0
for host in portal grafana superset vault minio dolphin lakefs; do
  if ! dig +short CNAME "$host.254carbon.com" | grep -q "${CLOUDFLARE_TUNNEL_ID:?}"; then
    echo "$host points elsewhere"
    wrong=$((wrong + 1))
  fi
done
exit "$((wrong > 0))"
