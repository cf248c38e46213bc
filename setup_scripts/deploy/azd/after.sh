#!/bin/sh
# azd runs this after it has deployed: check what was made against its requirements.
set -eu
cd "$(dirname "$0")/../../.."
if command -v aoai >/dev/null 2>&1 && [ -f aoai.toml ]; then
  aoai setup verify --config aoai.toml
else
  echo "Not verified: needs the aoai command and an aoai.toml (docs/setup.md)."
fi
echo "The gateway's URL is apiUrl in 'azd env get-values', the logs' source is source. Try: aoai doctor --source SOURCE"
