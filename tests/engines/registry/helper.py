"""A credential helper: a real small program that keeps logins in a file beside it, and can misbehave."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

_PROGRAM = """\
#!{python} -S
import json, sys
kept = {kept!r}
logins = json.load(open(kept))
asked = sys.stdin.read()
if sys.argv[1] == "get":
    if asked.strip() not in logins:
        print("credentials not found in native keychain")
        sys.exit(1)
    user, secret = logins[asked.strip()]
    print(json.dumps({{"ServerURL": asked.strip(), "Username": user, "Secret": secret}}))
elif sys.argv[1] == "store":
    new = json.loads(asked)
    logins[new["ServerURL"]] = (new["Username"], new["Secret"])
    json.dump(logins, open(kept, "w"))
"""


def install(
    environ: Mapping[str, str], name: str, logins: Mapping[str, tuple[str, str]] | None = None
) -> Path:
    """Puts it into the first folder of PATH; returns the file of what it keeps."""
    folder = Path(environ["PATH"].partition(":")[0])
    kept = folder / f"{name}.json"
    kept.write_text(json.dumps(dict(logins or {})))
    program(environ, name, _PROGRAM.format(python=sys.executable, kept=str(kept)))
    return kept


def program(environ: Mapping[str, str], name: str, text: str) -> None:
    path = Path(environ["PATH"].partition(":")[0]) / f"docker-credential-{name}"
    path.write_text(text)
    path.chmod(0o755)
