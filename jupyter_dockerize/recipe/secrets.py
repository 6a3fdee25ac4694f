"""Secret files that a step of the build may be handed: a CA bundle and the credentials of indexes.

They are mounts (Dockerfile reference, "RUN --mount=type=secret"): there while the step runs, in
no layer. Each script also works where the builder was not given them.
"""

from __future__ import annotations

from .resolution import Resolution
from .steps import Secret, SecretId

# By id: what its file is called where somebody builds by hand, and what is in it.
FILES: dict[SecretId, str] = {"ca": "ca.pem", "netrc": "netrc"}
CONTENTS: dict[SecretId, str] = {
    "ca": "the certificates of your network's CA, in PEM",
    "netrc": "the logins of the package indexes, each as: machine HOST login USER password PASSWORD",
}

_CA = Secret("ca", "/run/secrets/ca")
_NETRC = Secret("netrc", "/run/secrets/netrc")
_PYTHON_TRUST = ("PIP_CERT", "SSL_CERT_FILE")  # pip, uv
_CONDA_TRUST = ("MAMBA_SSL_VERIFY", "REQUESTS_CA_BUNDLE")
_HOME_NETRC = Secret("netrc", "/root/.netrc")  # where libcurl looks


def for_python(resolution: Resolution) -> tuple[Secret, ...]:
    """What pip and uv may need."""
    known = {"ca": _CA, "netrc": _NETRC}
    return tuple(known[name] for name in resolution.secrets)


def for_conda(resolution: Resolution) -> tuple[Secret, ...]:
    """What micromamba may need."""
    known = {"ca": _CA, "netrc": _HOME_NETRC}
    return tuple(known[name] for name in resolution.secrets)


def trust(secrets: tuple[Secret, ...], *, conda: bool = False) -> tuple[str, ...]:
    """Shell lines that use each secret where it is there, and do nothing where it is not."""
    lines = []
    if _CA in secrets:
        variables = _CONDA_TRUST if conda else _PYTHON_TRUST
        exports = " ".join(f"{name}={_CA.target}" for name in variables)
        lines.append(f"if [ -s {_CA.target} ]; then export {exports}; fi")
    if _NETRC in secrets:
        lines.append(f"if [ -s {_NETRC.target} ]; then export NETRC={_NETRC.target}; fi")
    return tuple(lines)
