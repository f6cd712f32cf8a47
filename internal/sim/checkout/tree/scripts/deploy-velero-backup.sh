#!/usr/bin/env bash
# Installs Velero and waits for its storage location. Needs VELERO_S3_ACCESS_KEY and VELERO_S3_SECRET_KEY.
set -euo pipefail

printf '[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n' "${VELERO_S3_ACCESS_KEY:?}" "${VELERO_S3_SECRET_KEY:?}" |
  kubectl -n velero create secret generic minio-backup-credentials --from-file=cloud=/dev/stdin --dry-run=client -o yaml |
  kubectl apply -f -
helm upgrade --install velero vmware-tanzu/velero -n velero -f k8s/storage/velero-values.yaml --wait
kubectl -n velero wait backupstoragelocation/default --for=jsonpath='{.status.phase}'=Available --timeout=180s
