"""The codes that findings can have; docs/findings.md explains each. A test holds all three together."""

from __future__ import annotations

CODES = frozenset(
    """
apt-half-installed apt-invalid base-not-pinned ca-unreadable compiled-from-source conda-duplicate
conda-extras-left-out conda-invalid-record conda-record-missing conda-removed conda-unfinished
contradicting-pins cuda-differs data-not-included data-outside edited-configuration
edits-not-carried environ-invalid environ-withheld failed-half-way files-not-searched
files-of-no-package files-outside hidden-by-home image-replaced index-credentials index-invalid
index-refused index-unreachable known-image-not-used layers-left-out libraries-unknown
library-carried library-driver library-missing library-not-in-base library-unowned
links-lead-nowhere literal-differs login-in-plain-text login-not-checked machine-unknown many-layers
minimal-kept mounted-files mounted-packages needs-more no-docker no-layers no-notebook no-server
no-wheel-for-target not-carried not-locked not-pinned not-pushed not-recovered not-run not-solved
not-verifiable notebook-not-saved on-known-image path-outside pip-duplicate pip-edited pip-egg-info
pip-half-removed pip-invalid pip-invalid-name pip-invalid-requirement pip-invalid-version
pip-leftover pip-missing-files pip-no-metadata pip-no-record pip-over-conda pip-shadowed
private-files-left-out recipe-differs recipe-not-kept recipe-not-locked registry-only script-not-run
secret-file secret-in-file secret-in-notebook secret-left-out server-carried system-file-unreadable
system-without-dpkg unreadable unreadable-files untracked-files
""".split()  # noqa: SIM905 - a page of quotes and commas says less
)
