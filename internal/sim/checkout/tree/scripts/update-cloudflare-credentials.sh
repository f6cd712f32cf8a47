#!/usr/bin/env bash
# Replaces the connector's token. Reads the new one from standard input.
set -euo pipefail

read -rs token
kubectl -n cloudflare-tunnel create secret generic cloudflare-tunnel-token --from-literal=token="$token" \
  --dry-run=client -o yaml | kubectl apply -f -
kubectl -n cloudflare-tunnel rollout restart deployment/cloudflared
