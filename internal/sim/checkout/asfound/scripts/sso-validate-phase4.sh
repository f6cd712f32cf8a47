#!/bin/bash
# Validates single sign-on.
set -e
FAIL_COUNT=0
if ! kubectl get ingress -A -o yaml | grep -q "nginx.ingress.kubernetes.io/auth-url"; then
  echo "FAIL no Ingress has auth-url"
  ((FAIL_COUNT++))
fi
kubectl get configmap superset-config-sso -n data-platform
echo "Validation complete"
