#!/usr/bin/env bash
# As in the real image: RUN activates the environment only when MAMBA_DOCKERFILE_ACTIVATE is 1.
set -ef -o pipefail
if [[ "${MAMBA_DOCKERFILE_ACTIVATE}" == "1" ]]; then
  source _activate_current_env.sh
fi
exec bash -o pipefail -c "$@"
