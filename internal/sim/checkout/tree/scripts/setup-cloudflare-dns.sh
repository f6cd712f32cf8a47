#!/usr/bin/env bash
# Points the hosts at the tunnel. Needs CLOUDFLARE_API_TOKEN, CLOUDFLARE_ZONE_ID and CLOUDFLARE_TUNNEL_ID.
set -euo pipefail

api=https://api.cloudflare.com/client/v4/zones/${CLOUDFLARE_ZONE_ID:?}/dns_records
for host in portal www grafana superset datahub trino doris vault minio dolphin lakefs; do
  jq -n --arg name "$host" --arg target "${CLOUDFLARE_TUNNEL_ID:?}.cfargotunnel.com" \
    '{type: "CNAME", name: $name, content: $target, proxied: true}' |
    curl -fsS -H "Authorization: Bearer ${CLOUDFLARE_API_TOKEN:?}" -H 'Content-Type: application/json' -d @- "$api"
done
