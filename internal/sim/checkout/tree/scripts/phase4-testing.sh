#!/usr/bin/env bash
# Tests the tunnel and the hosts behind it.
set -euo pipefail

failed=0
check() {
  if "${@:2}"; then echo "ok    $1"; else echo "FAIL  $1"; failed=$((failed + 1)); fi
}
connected() {
  [ "$(kubectl -n cloudflare-tunnel get deployment cloudflared -o jsonpath='{.status.readyReplicas}')" = 2 ]
}
resolves() { getent hosts "$1" >/dev/null; }
check "two connectors are ready" connected
for host in portal grafana vault; do
  check "$host resolves" resolves "$host.254carbon.com"
done
exit "$((failed > 0))"
