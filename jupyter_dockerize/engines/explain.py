"""What the last lines of a failed build mean, and what to do about it.

One table, first match wins: what is decisive stands before what follows from it (a certificate
that is not trusted also ends as "no matching distribution").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a step failed, in our words with the decisive part of the log's, and the next thing to do."""

    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    why: str  # {0}, {1} … are the pattern's groups that matched
    fix: str  # the same


def _rule(pattern: str, why: str, fix: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), why, fix)


_STATUS = re.compile(
    r"did not complete successfully: exit code: (\d{1,3})\b"  # BuildKit
    r"|returned a non-zero code: (\d{1,3})\b"  # the classic builder
    r"|while running runtime: exit status (\d{1,3})\b"  # Podman
)

LOST = "the builder lost its state"
RULES: Sequence[Rule] = (
    _rule(
        r"no space left on device|disk quota exceeded",
        "the engine's disk is full",
        "make room with `docker system prune`, then build again",
    ),
    _rule(
        r"((?:failed to prepare \S+ as \S+: |no http response from session|[^\n]*\.tmp-committed)[^\n]*)",
        f"{LOST}: {{0}}",
        "try again; if it stays so, restart the engine",
    ),
    _rule(
        r"CERTIFICATE_VERIFY_FAILED|certificate signed by unknown authority|invalid peer certificate"
        r"|self[- ]signed certificate|unable to get local issuer certificate|certificate verification failed",
        "a TLS certificate is not trusted inside the build: this network has its own certificate authority",
        "name its CA bundle in PIP_CERT or SSL_CERT_FILE: it is handed to the build as a secret; "
        "for the registry, install it where the engine runs",
    ),
    _rule(
        r"toomanyrequests|429 too many requests|pull rate limit",
        "the registry's rate limit is reached",
        "log in with `docker login`, or wait and try again",
    ),
    _rule(
        r"407 proxy authentication required",
        "the proxy wants a user name and password",
        "set HTTPS_PROXY with credentials: they reach the build as predefined arguments and stay in no layer",
    ),
    _rule(
        r"exec format error|exec user process caused.{0,20}format",
        "the image is for another processor, and the engine has no emulation for it",
        "install it with `docker run --privileged --rm tonistiigi/binfmt --install all`, or drop --platform",
    ),
    _rule(
        r"no match(?:ing manifest)? for (?:platform in manifest|(\S+ ?\S*) in the manifest list)"
        r"|does not match the specified platform|no match for platform",
        "the base image does not exist for this platform",
        "choose another --base or --platform",
    ),
    _rule(
        r"(?:pull access denied for|repository) (\S+?),? (?:repository )?(?:does not exist|not found)",
        "the base image {0} does not exist, or it is private",
        "correct --base, or log in with `docker login`",
    ),
    _rule(
        r"manifest for (\S+) not found|failed to resolve source metadata for (\S+?): .{0,300}not found"
        r"|failed to create LLB definition: (\S+?): not found"
        r"|failed to resolve reference \"(\S+?)\": .{0,300}not found"
        r"|initializing source docker://(\S+?): .{0,300}(?:manifest|not found)|manifest unknown|no such image"
        r"|name unknown",
        "the base image {0} is not in its registry",
        "correct the name and tag of --base",
    ),
    _rule(
        r"unauthorized: |401 unauthorized|no basic auth credentials|403 forbidden",
        "the registry or package index refused the credentials, or wants some",
        "log in (`docker login REGISTRY`), or configure the index's credentials in pip.conf or netrc",
    ),
    _rule(
        r"server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP",
        "add it to insecure-registries in the engine's daemon.json",
    ),
    _rule(
        r"(?:failed to resolve source metadata for |failed to resolve reference \"|initializing source docker://)"
        r"(\S+?)\"?: ([^\n]+)",
        "the engine could not fetch {0}: {1}",
        "try `docker pull {0}`: until that works, the engine needs another network, proxy or mirror",
    ),
    _rule(
        r"((?:(?:Get|Head) \"?https?://\S+: [^\n]*)?dial tcp:? [^\n]+)",
        "the engine could not reach the registry: {0}",
        "try `docker pull NAME`: until that works, the engine needs another network, proxy or mirror",
    ),
    _rule(
        r"temporary failure (?:in name resolution|resolving)|could not resolve|name or service not known"
        r"|dns error|failed to lookup address|name resolution|no such host",
        "names are not resolved inside the build: it has no network, or no DNS server",
        "check the network of the engine (`docker run --rm busybox nslookup example.org`); "
        "behind a proxy, set HTTPS_PROXY",
    ),
    _rule(
        r"DO NOT MATCH THE HASHES|hash mismatch",
        "a package's file is not the one that was locked",
        "an index or mirror serves other files than before: build again with the index that the lock names",
    ),
    _rule(
        r"Hash Sum mismatch",
        "the Debian mirror changed while it was read",
        "build again",
    ),
    _rule(
        r"apt-get: (?:command )?not found|executable file not found.{0,40}apt-get",
        "the base image is no Debian or Ubuntu: it has no apt",
        "choose a --base that is made of one of them",
    ),
    _rule(
        r"unable to locate package (\S+)|package '?(\S+?)'? has no installation candidate",
        "Debian has no package {0} in the release of the base image",
        "choose a --base of the release that has it, or leave the package out",
    ),
    _rule(
        r"(?:requires a different python|requires-python|requires python)[: ]*(.{0,80})",
        "a package does not support the Python of the base image: {0}",
        "choose a --base with the Python version of the environment",
    ),
    _rule(
        r"no matching distribution found for (\S+)",
        "no index has {0} for this Python and platform",
        "give the index that has it (PIP_EXTRA_INDEX_URL), or install it again so that it is carried along",
    ),
    _rule(
        r"because (\S+) was not found in the package registry|no solution found when resolving"
        r"|has no wheels with a matching|there are no versions of (\S+)",
        "no index has {0} for this Python and platform",
        "give the index that has it (pip.conf, UV_INDEX), or install it again so that it is carried along",
    ),
    _rule(
        r"fatal error: (\S+\.h): no such file|unable to execute '(?:\S+-)?(?:gcc|cc|g\+\+)'"
        r"|command '?\S*?(?:gcc|g\+\+|cc|clang)'?(?: failed|: no such| not found)",
        "a package is compiled during the build and lacks a compiler or header ({0})",
        "add the Debian package that has it with --apt, or use a version of the package that has a wheel",
    ),
    _rule(
        r"PackagesNotFoundError|nothing provides (\S+)|could not solve for environment",
        "a conda channel no longer has what the environment was made of ({0})",
        "build with the copy of the channel that has it, or update the environment first",
    ),
    _rule(
        r"max depth exceeded|too many layers",
        "the base image already has as many layers as the engine allows",
        "choose a --base with fewer layers",
    ),
    _rule(
        r"invalid secret size|secret .{0,40}too big",
        "a secret is larger than the 500 KB that BuildKit takes",
        "use a CA bundle that holds only the certificates that are needed",
    ),
    _rule(
        r"signal: killed|exit code: 137|returned a non-zero code: 137|cannot allocate memory|out of memory",
        "the step was killed: most likely the engine ran out of memory",
        "give the engine more memory (Docker Desktop → Settings → Resources), or close what else runs there",
    ),
    _rule(
        r"connection (?:timed out|refused)|i/o timeout|read timed out|network is unreachable"
        r"|TLS handshake timeout|connection reset by peer",
        "a download did not get through",
        "try again; behind a proxy, set HTTPS_PROXY",
    ),
    _rule(
        r"unknown flag: (\S+)|dockerfile parse error|unknown instruction|failed to parse dockerfile",
        "the builder does not understand what it was sent",
        "upgrade the docker CLI and buildx; where they are new, this is a fault of ours: please report it",
    ),
)


def explain(lines: Iterable[str]) -> Explanation | None:
    """What the log lines of a failed step mean; None where the table does not know."""
    text = "\n".join(lines)
    for rule in RULES:
        if found := rule.pattern.search(text):
            words = [word if " " in word else word.strip("\"'`,;:()") for word in found.groups() if word]
            why, fix = (
                text.format(*words) if words else _without_group(text) for text in (rule.why, rule.fix)
            )
            return Explanation(why, fix)
    return None


def status_in(words: Iterable[str]) -> int | None:
    """The exit status of the step's command, where that is what the engine's ``words`` say failed."""
    found = _STATUS.search("\n".join(words))
    return int(next(filter(None, found.groups()))) if found else None


def meaning(said: str, fix: str = "") -> Explanation:
    """What the table knows of ``said``; else that itself, with ``fix``."""
    return explain([said]) or Explanation(said, fix)


def _without_group(why: str) -> str:
    return re.sub(r" \(\{0\}\)|: \{0\}| \{0\}", "", why)
