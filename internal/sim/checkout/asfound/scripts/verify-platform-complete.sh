#!/bin/bash
# Verifies the platform.
set -e
PASSED=0
check() { echo "✅ $1"; ((PASSED++)); }
if kubectl get pods -n monitoring -l app=prometheus >/dev/null 2>&1; then
  check "Prometheus"
fi
if kubectl get pods -n cloudflare-tunnel -l app=cloudflared >/dev/null 2>&1; then
  check "Tunnel"
fi
echo "$PASSED checks passed"
