"""What people read when a build fails: the cause in words, and what to do."""

# ruff: noqa: E501 - lines as builders print them

import pytest

from jupyter_dockerize.engines.explain import RULES, explain

SAMPLES = [
    ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
    ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))", "TLS"),
    ("error: invalid peer certificate: UnknownIssuer", "TLS certificate"),
    ("x509: certificate signed by unknown authority", "TLS certificate"),
    ("toomanyrequests: You have reached your pull rate limit.", "rate limit"),
    ("Tunnel connection failed: 407 Proxy Authentication Required", "proxy wants"),
    ("exec /bin/sh: exec format error", "another processor"),
    ("no match for platform in manifest: not found", "does not exist for this platform"),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", "does not exist for this platform"),
    ("pull access denied for nosuch, repository does not exist or may require 'docker login'", "nosuch does not"),
    ("manifest for python:9 not found: manifest unknown: manifest unknown", "python:9 is not in its registry"),
    ("failed to resolve source metadata for docker.io/library/python:9: docker.io/library/python:9: not found",
     "docker.io/library/python:9 is not in its registry"),
    ("failed to solve with frontend dockerfile.v0: failed to create LLB definition: localhost:5000/x:1: not found", "x:1 is not in its registry"),
    ('failed to resolve reference "localhost:5000/x:1": localhost:5000/x:1: not found', "x:1 is not in its registry"),
    ("initializing source docker://localhost:5000/x:1: reading manifest 1 in localhost:5000/x: manifest unknown",
     "localhost:5000/x:1 is not in its registry"),
    ("unauthorized: authentication required", "refused the credentials"),
    ("http: server gave HTTP response to HTTPS client", "plain HTTP"),
    ("Temporary failure in name resolution", "names are not resolved"),
    ("dial tcp: lookup registry.example.org on 10.0.0.1:53: no such host",
     "the registry: dial tcp: lookup registry.example.org on 10.0.0.1:53: no such host"),
    ("failed to resolve source metadata for docker.io/library/python:3: failed to do request: Head \"https://r/v2/\": dial tcp 10.0.0.1:443: i/o timeout",
     "could not fetch docker.io/library/python:3: failed to do request"),
    ("ERROR: failed to solve: no http response from session for x", "lost its state: no http response from session"),
    ("failed to prepare sha256:1a as 2b: rename /x /y.tmp-committed: no such file", "lost its state: failed to prepare"),
    ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not the one that was locked"),
    ("E: Failed to fetch http://deb.example.org/x  Hash Sum mismatch", "Debian mirror changed"),
    ("/bin/sh: 1: apt-get: not found", "no Debian or Ubuntu"),
    ("E: Unable to locate package libgl1-mesa", "no package libgl1-mesa"),
    ("E: Package 'python2' has no installation candidate", "no package python2"),
    ("ERROR: Package 'numpy' requires a different Python: 3.8.1 not in '>=3.11'", "Python of the base image"),
    ("ERROR: No matching distribution found for nosuch==1.0", "no index has nosuch==1.0"),
    ("Because nosuch was not found in the package registry and you require nosuch", "no index has nosuch"),
    ("fatal error: libpq-fe.h: No such file or directory", "libpq-fe.h"),
    ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "compiler"),
    ("nothing provides libfoo needed by bar-1.0", "libfoo"),
    ("max depth exceeded", "as many layers"),
    ("invalid secret size 600000", "500 KB"),
    ("The command '/bin/sh -c x' returned a non-zero code: 137", "ran out of memory"),
    ("ReadTimeoutError: HTTPSConnectionPool: Read timed out.", "did not get through"),
    ("unknown flag: --provenance", "does not understand"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), SAMPLES, ids=lambda text: text[:40])
def test_known_causes(line: str, why: str):
    found = explain(["something before", line, "something after"])
    assert found is not None
    assert why in found.why
    assert "{" not in found.why
    assert found.fix


def test_every_rule_has_a_sample():
    unused = [rule.why for rule in RULES if not any(rule.pattern.search(line) for line, _ in SAMPLES)]
    assert unused == []


@pytest.mark.parametrize(
    "line",
    [
        'failed to resolve reference "docker.io/library/python:3": failed to do request: dial tcp: lookup r: no such host',
        "initializing source docker://docker.io/library/python:3: pinging container registry: dial tcp: lookup r: no such host",
    ],
)
def test_a_base_that_the_engine_cannot_fetch_is_not_a_build_without_network(line: str):
    found = explain([f"ERROR: {line}"])
    assert found is not None
    assert found.why.endswith("no such host")
    assert "`docker pull docker.io/library/python:3`" in found.fix


def test_the_cause_wins_over_what_follows_from_it():
    found = explain(["CERTIFICATE_VERIFY_FAILED", "ERROR: No matching distribution found for numpy"])
    assert found is not None
    assert "TLS" in found.why


def test_what_is_not_known_is_not_guessed():
    assert explain(["exit code: 1"]) is None
    assert explain([]) is None
