#!/usr/bin/env bash
# As in the real image: activate the environment, become the command.
set -ef -o pipefail
source _activate_current_env.sh
exec "$@"
