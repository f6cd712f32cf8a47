#!/usr/bin/env bash
# Applies the Ingresses of the protected hosts and waits for their endpoints.
set -euo pipefail

kubectl apply -f k8s/ingress/
for service in portal grafana superset datahub-frontend trino-coordinator vault minio-console lakefs; do
  namespace=$(kubectl get services -A --field-selector "metadata.name=$service" -o jsonpath='{.items[0].metadata.namespace}')
  kubectl -n "$namespace" wait --for=jsonpath='{.subsets}' "endpoints/$service" --timeout=60s
done
