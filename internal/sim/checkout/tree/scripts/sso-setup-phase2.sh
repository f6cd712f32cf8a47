#!/usr/bin/env bash
# Stores the connector's token and starts the tunnel. Needs CLOUDFLARE_TUNNEL_TOKEN.
set -euo pipefail

kubectl -n cloudflare-tunnel create secret generic cloudflare-tunnel-token \
  --from-literal=token="${CLOUDFLARE_TUNNEL_TOKEN:?}" --dry-run=client -o yaml | kubectl apply -f -
kubectl -n cloudflare-tunnel rollout restart deployment/cloudflared
kubectl -n cloudflare-tunnel rollout status deployment/cloudflared --timeout=120s
