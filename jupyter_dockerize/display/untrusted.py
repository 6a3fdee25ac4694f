"""Text that somebody else wrote, made fit to be shown.

Logs, package names and findings may hold anything: escape sequences that move the cursor, set
the title, write the clipboard (OSC 52) or make live links (OSC 8). Colours (SGR) may stay
where a terminal shows the text; everything else goes.
"""

from __future__ import annotations

import re

# ECMA-48, 5th edition: 5.4 control sequences, 5.6 control strings. Unterminated strings end with the text.
_ESCAPES = re.compile(
    r"""
      (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]) .*? (?:\x07|\x1b\\|\x9c|\Z)   # OSC, DCS, SOS, PM, APC
    | (?:\x1b\[|\x9b) (?P<parameters>[0-?]*) [ -/]* (?P<final>[@-~]|\Z)       # CSI
    | \x1b [ -/]* (?:[0-~]|\Z)                                              # other escapes
    """,
    re.VERBOSE | re.DOTALL,
)
_SGR = re.compile(r"[0-9;:]*")
# C0 and C1 controls but tab; bidirectional overrides and isolates; line and paragraph separators.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_KEEP = "\x1b["


def plain(text: str) -> str:
    """``text`` on one line, without any escape sequence or control character."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text))


def coloured(text: str) -> str:
    """``text`` on one line; of the escape sequences only colours are left, closed at the end."""
    parts: list[str] = []
    end = 0
    open_colour = False
    for match in _ESCAPES.finditer(text):
        parts.append(_CONTROLS.sub(" ", text[end : match.start()]))
        end = match.end()
        parameters = match["parameters"]
        if match["final"] == "m" and parameters is not None and _SGR.fullmatch(parameters):
            parts.append(f"{_KEEP}{parameters}m")
            open_colour = parameters.strip("0;") != ""
    parts.append(_CONTROLS.sub(" ", text[end:]))
    return "".join(parts) + (f"{_KEEP}0m" if open_colour else "")


def last_frame(line: str) -> str:
    """What a terminal would show of a line that was redrawn by carriage returns."""
    return line.rstrip("\r").rpartition("\r")[2]
