"""The names of systems and processors that an image may be for: Go's GOOS and GOARCH."""

from __future__ import annotations

# > […] implementations SHOULD understand, values listed in the Go Language document for GOARCH
ARCHITECTURES = frozenset({
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
    "riscv64", "s390x", "wasm",
})  # fmt: skip
SYSTEMS = frozenset({
    "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd",
    "plan9", "solaris", "wasip1", "windows",
})  # fmt: skip

__all__ = ["ARCHITECTURES", "SYSTEMS"]
