# As in the real image: sourced by the shell and the entry point, off until asked for in builds.
if [[ "${MAMBA_SKIP_ACTIVATE}" == "1" ]]; then
  return
fi
if [[ "${ENV_NAME:-base}" == "base" ]]; then
  CONDA_PREFIX="$MAMBA_ROOT_PREFIX"
else
  CONDA_PREFIX="$MAMBA_ROOT_PREFIX/envs/$ENV_NAME"
fi
export CONDA_PREFIX CONDA_DEFAULT_ENV="${ENV_NAME:-base}" CONDA_SHLVL=1
export PATH="$CONDA_PREFIX/bin:$PATH"
