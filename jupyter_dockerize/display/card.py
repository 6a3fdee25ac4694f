"""The cards under a cell: progress while it works, then the result. Every word of data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..events import Finding
from . import text
from .differences import PLAN, Group, Line, Sides, lines, meant, of_choices, of_planned, sides_of
from .style import STYLE
from .untrusted import plain

if TYPE_CHECKING:
    from ..api import Recipe
    from ..engines.base import Container
    from ..environment.compare import Comparison, Difference
    from ..environment.model import Snapshot
    from ..export.build import Built
    from .live import Live

VERDICTS = {
    "identical": ("Same environment", "success"),
    "equivalent": ("Same environment", "success"),
    "different": ("Not the same environment", "error"),
    "skipped": ("Built, not compared", "warn"),
    "impossible": ("Could not be compared", "warn"),
}
NOTE = 80  # characters of what is being done
LAST = 20  # lines of the log
OPEN_FINDINGS = 3  # more are folded, unless one is an error


def progress(live: Live) -> str:
    """The card while the work goes on, or after it ended without a result."""
    kind = {"running": "info", "failed": "error", "cancelled": "warn"}.get(live.state, "success")
    rows = "".join(_step(live, number) for number in range(len(live.steps)))
    parts = [f"<h4>{_text(live.title)}{_state(live)}</h4>", f"<table>{rows}</table>" if rows else ""]
    if live.failed:
        first, *rest = live.failed.splitlines()
        parts.append(f'<p class="jd-{kind}">{_text(first)}</p>')
        parts += [f'<p class="jd-soft">{_text(line)}</p>' for line in rest]
    parts.append(_findings(live.findings))
    parts.append(_log(live))
    return _card(kind, parts)


def of(value: object, title: str) -> str:
    """The card of what a verb returned; ``title`` is what it was about."""
    from ..api import Recipe
    from ..engines.base import Container
    from ..environment.compare import Comparison
    from ..environment.model import Snapshot
    from ..export.build import Built

    if isinstance(value, Built):
        return built(value)
    if isinstance(value, Comparison):
        return compared(value)
    if isinstance(value, Container):
        return opened(value)
    if isinstance(value, Recipe):
        return written(value)
    if isinstance(value, Snapshot):
        return looked(value)
    raise TypeError(f"no card shows a {type(value).__name__}")


def built(value: Built) -> str:
    """The card of a finished build: verdict, size, what to know, the one line that opens it."""
    said = value.verdict in ("identical", "equivalent")  # the summary then counts them
    counted = () if said else (f"{value.packages} packages",)
    size = " · ".join((text.size(value.size), *counted, f"{value.seconds:.0f} s"))
    mark = (value.digest or value.image_id).partition(":")[2][:12]
    parts = [
        _head(value.verdict, value.ref),
        f"<p>{_text(value.summary)}</p>",
        f'<p class="jd-soft">{size} · by {_text(value.engine)} · <code>{_text(mark)}</code></p>',
        _differences(value.differences),
        _findings(value.findings),
        _planned(of_planned(value.differences)),
        _ways(("open it", text.run_line(value.ref)), ("or here", f"%dockerize run {plain(value.ref)}")),
    ]
    return _card(VERDICTS[value.verdict][1], parts)


def compared(value: Comparison) -> str:
    """The card of a comparison."""
    name = value.found if value.image else f"{value.expected} and {value.found}"
    parts = [
        _head(value.verdict, name),
        f"<p>{_text(value.summary())}</p>",
        _differences(value.differences, sides_of(value)),
        _planned(of_planned(value.differences)),
    ]
    return _card(VERDICTS[value.verdict][1], parts)


def opened(value: Container) -> str:
    """The card of an image that is open: the address as a link."""
    parts = [f'<h4>{_mark("success", "✓")} Open<span class="jd-name">{_text(value.ref)}</span></h4>']
    # Only an address of the web may become a link.
    if value.url and value.url.startswith(("http://", "https://")):
        address = escape(plain(value.url), quote=True)
        link = f'<a href="{address}" target="_blank" rel="noopener">{_text(value.url)}</a>'
        parts.append(f"<p>{link}</p>")
    parts.append(f'<p class="jd-soft">{_text(value.note)}</p>' if value.note else "")
    parts.append(_ways(("close it", f"%dockerize stop {plain(value.name)}")))
    return _card("success", parts)


def written(value: Recipe) -> str:
    """The card of a recipe that was written."""
    folder = str(value.folder)
    parts = [
        f'<h4>{_mark("success", "✓")} Recipe written<span class="jd-name">{_text(folder)}</span></h4>',
        f"<p>{_text(', '.join(value.files))}</p>",
        f'<p class="jd-soft">base {_text(value.base)} · {_text(value.plan.platform)}</p>',
        _findings(value.findings),
        _planned(of_choices(value.plan.choices)),
        _ways(("build it", text.build_line(value))),
    ]
    return _card("success", parts)


def looked(value: Snapshot) -> str:
    """The card of a snapshot: how much there is, what to know, the packages folded."""
    packages = value.packages
    kinds = ((packages.pip, "pip"), (packages.conda, "conda"), (packages.apt, "Debian"))
    counts = ", ".join(f"{len(some)} {kind}" for some, kind in kinds if some)
    special, usual = text.packages(value)
    rows = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in special)
    parts = [
        f"<h4>Python {_text(value.python.version)}"
        f'<span class="jd-name">{_text(value.python.prefix)}</span></h4>',
        f"<p>{_text(counts or 'no')} packages</p>",
        f'<p class="jd-soft">{_text(text.system(value))} · <code>{_text(value.fingerprint[7:19])}</code></p>',
        _findings(value.findings),
        _details(f"{len(special)} not from an index", f"<table>{rows}</table>") if special else "",
        _details(f"{len(usual)} from an index", f"<pre>{_text(', '.join(usual))}</pre>") if usual else "",
    ]
    return _card("info", parts)


def _card(kind: str, parts: Iterable[str]) -> str:
    return f'{STYLE}<div class="jd-card jd-is-{kind}">{"".join(parts)}</div>'


def _text(data: str) -> str:
    """Data as text of the page."""
    return escape(plain(data))


def _mark(kind: str, sign: str) -> str:
    return f'<span class="jd-{kind}">{sign}</span>'


def _head(verdict: str, name: str) -> str:
    words, kind = VERDICTS[verdict]
    return f'<h4>{_mark(kind, text.MARKS[verdict])} {words}<span class="jd-name">{_text(name)}</span></h4>'


def _log(live: Live) -> str:
    """Its last line while the work goes on (a card that is redrawn folds what was unfolded); then its end."""
    if live.state == "running":
        return f'<div class="jd-last">{_text(live.log[-1]) if live.log else "&nbsp;"}</div>'
    if live.state == "done" or not live.log:
        return ""
    lines = "\n".join(map(plain, list(live.log)[-LAST:]))
    return _details("the end of the log", f"<pre>{escape(lines)}</pre>", shown=live.state == "failed")


def _state(live: Live) -> str:
    if live.state != "running":
        return f'<span class="jd-name">{live.state}</span>'
    last = live.steps[-1] if live.steps else None
    return f'<span class="jd-name">{last.number} of {last.total}</span>' if last and last.total > 1 else ""


def _step(live: Live, number: int) -> str:
    step, last = live.steps[number], number == len(live.steps) - 1
    state = live.state if last else "done"
    mark = {
        "running": _mark("info", "●"),
        "failed": _mark("error", "✗"),
        "cancelled": _mark("warn", "–"),
    }.get(state, _mark("success", "✓"))
    time = f"{live.seconds(number):.0f} s"
    row = f'<tr><td class="jd-step">{mark} {_text(step.name)}</td><td class="jd-soft jd-time">{time}</td>'
    if state != "running":
        return f"{row}<td></td></tr>"
    # Of n inner steps the last is only begun: the bar is never full while it is worked on.
    bar = f'<progress max="{live.total}" value="{live.count}"></progress>' if live.total else ""
    return f'{row}<td class="jd-soft">{bar}{_text(live.note[:NOTE])}</td></tr>'


def _findings(values: Sequence[Finding]) -> str:
    rows = []
    for value in values:
        fix = f'<br><span class="jd-soft">{_text(value.fix)}</span>' if value.fix else ""
        rows.append(
            f'<li><b class="jd-{value.severity}">{text.SIGNS[value.severity]}</b>{_text(value.message)}'
            f' <code title="its code, for --allow">{_text(value.code)}</code>{fix}</li>'
        )
    if not rows:
        return ""
    listed = f"<ul>{''.join(rows)}</ul>"
    if len(rows) <= OPEN_FINDINGS:
        return listed
    return _details(f"{len(rows)} findings", listed, shown=any(v.severity == "error" for v in values))


def _differences(values: Sequence[Difference], sides: Sides = PLAN) -> str:
    """What nobody planned: the unexpected ones in sight, the tolerated ones folded."""
    every = lines(values, sides)
    unexpected = [line for line in every if line.class_ == "unexpected"]
    tolerated = [line for line in every if line.class_ == "tolerated"]
    parts = [_listed(unexpected, "error", "✗")] if unexpected else []
    if tolerated:
        count = sum(d.class_ == "tolerated" for d in values)
        parts.append(_details(f"{count} tolerated", _listed(tolerated, "soft", "~")))
    return "".join(parts)


def _listed(values: Sequence[Line], kind: str, sign: str) -> str:
    rows = []
    for value in values:
        fix = f'<br><span class="jd-soft">{_text(value.note)}</span>' if value.note else ""
        rows.append(f'<li><b class="jd-{kind}">{sign} </b>{_text(value.text)}{fix}</li>')
    return f"<ul>{''.join(rows)}</ul>"


def _planned(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    rows = "".join(
        f"<li><b></b>{_text(group.kind)}: {_text(group.counted)} "
        f'<span class="jd-soft">{_text(group.shown)}<br>{_text(group.reason)}</span></li>'
        for group in groups
    )
    return _details(meant(groups), f"<ul>{rows}</ul>")


def _details(title: str, inner: str, *, shown: bool = False) -> str:
    return f"<details{' open' if shown else ''}><summary>{_text(title)}</summary>{inner}</details>"


def _ways(*lines: tuple[str, str]) -> str:
    """Lines to copy: a click selects the whole line."""
    rows = "".join(
        f'<span class="jd-soft">{_text(label)}</span>'
        f'<span><code class="jd-copy" title="click, then copy">{_text(line)}</code></span>'
        for label, line in lines
    )
    return f'<div class="jd-open">{rows}</div>'
