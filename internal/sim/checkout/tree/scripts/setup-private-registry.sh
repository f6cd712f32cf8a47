#!/usr/bin/env bash
# Creates the project and the robot account of the mirror. Needs HARBOR_URL, HARBOR_USER and HARBOR_PASSWORD.
set -euo pipefail

api=${HARBOR_URL:?}/api/v2.0
login="${HARBOR_USER:?}:${HARBOR_PASSWORD:?}"
status=$(curl -sS -o /dev/null -w '%{http_code}' -u "$login" -I "$api/projects?project_name=254carbon")
if [ "$status" = 404 ]; then
  curl -fsS -u "$login" -H 'Content-Type: application/json' -d '{"project_name":"254carbon","public":false}' "$api/projects"
fi
