#!/usr/bin/env bash
# Initialises Vault once; the keys go to the operators' own GPG keys and nowhere else.
set -euo pipefail

if [ "$(kubectl -n vault-prod exec deploy/vault -- vault status -format=json | jq .initialized)" = true ]; then
  echo "Vault is initialised already"
  exit 0
fi
kubectl -n vault-prod exec deploy/vault -- vault operator init -key-shares=5 -key-threshold=3 -pgp-keys="${OPERATOR_KEYS:?}"
