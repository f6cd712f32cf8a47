#!/usr/bin/env bash
# Asks the connectors how many connections they have.
set -euo pipefail

short=0
for pod in $(kubectl -n cloudflare-tunnel get pods -l app=cloudflared -o name); do
  ready=$(kubectl -n cloudflare-tunnel get --raw "/api/v1/namespaces/cloudflare-tunnel/pods/${pod#pod/}:2000/proxy/ready" | jq .readyConnections)
  echo "$pod has $ready connections"
  if [ "$ready" -lt 2 ]; then
    short=$((short + 1))
  fi
done
exit "$((short > 0))"
