#!/bin/sh
# azd runs this before it deploys: stop here if a value is missing, or if `aoai setup check` finds what would fail.
set -eu
cd "$(dirname "$0")/../../.."
if [ -z "${PUBLISHER_EMAIL:-}" ]; then
  echo "PUBLISHER_EMAIL is not set: azd env set PUBLISHER_EMAIL you@example.com" >&2
  exit 1
fi
case "${AZURE_ENV_NAME:-}" in
  *[!A-Za-z0-9-]* | -* | *- | *--* | '' | ? | ?? | ?????????????*)
    echo "The azd environment '${AZURE_ENV_NAME:-}' names the resources: use 3 to 12 letters, digits and single hyphens inside." >&2
    exit 1
    ;;
esac
if command -v aoai >/dev/null 2>&1 && [ -f aoai.toml ]; then
  aoai setup check --config aoai.toml
else
  echo "Not checked before the deployment: needs the aoai command and an aoai.toml (docs/setup.md)."
fi
