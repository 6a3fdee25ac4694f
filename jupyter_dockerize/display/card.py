"""The cards under a cell: progress while it works, then the result. Every word of data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from ..events import Finding
from ..sizes import count, size
from . import text
from .differences import PLAN, Group, Line, Sides, legend, lines, meant, of_choices, of_planned, sides_of
from .style import STYLE
from .untrusted import plain

if TYPE_CHECKING:
    from ..api import Recipe
    from ..engines.base import Container, Pushed
    from ..environment.comparison import Comparison, Difference
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
OPEN_FINDINGS = 3  # warnings in sight; errors always are, notes never
ERROR_LINES = {"why": "why", "fix": "what to do"}  # as `DockerizeError` begins its lines
ASKED = "data-not-included"  # a question: its answer is a line to type, before the image is opened
SEVERITIES = ("error", "warning", "info")


def progress(live: Live) -> str:
    """The card while the work goes on, or after it ended without a result."""
    if live.state == "failed":
        return failed(live)
    kind = {"running": "info", "cancelled": "warn"}.get(live.state, "success")
    rows = "".join(_step(live, number) for number in range(len(live.steps)))
    table = f"<table>{rows}</table>" if rows else ""
    parts = [f"<h4>{_text(live.title)}{_state(live)}</h4>", table, _now(live)]
    parts.append(f"<p>{_text(live.failed)}</p>" if live.failed else "")
    parts.append(_findings(live.findings))
    parts.append(_log(live))
    return _card(kind, parts)


def failed(live: Live) -> str:
    """The card of work that failed: what, why, what to do; the step where; the end of its log folded."""
    what, *rest = live.failed.splitlines() or [""]
    told = []
    for line in rest:
        label, colon, text_ = line.partition(": ")
        words = ERROR_LINES.get(label) if colon else None
        told.append(
            f'<tr><td class="jd-soft">{words or ""}</td><td>{_text(text_ if words else line)}</td></tr>'
        )
    steps = "".join(_step(live, number) for number in range(len(live.steps)))
    where = steps if live.steps and live.steps[-1].total > 1 else ""  # the only step is in the title
    parts = [
        f"<h4>{_mark('error', '✗')} {_text(live.title)}</h4>",
        f'<p class="jd-error">{_text(what)}</p>' if what else "",
        f"<table>{''.join(told)}</table>" if told else "",
        f"<table>{where}</table>" if where else "",
        _findings([value for value in live.findings if not what.startswith(value.message)]),
        _log(live),
    ]
    return _card("error", parts)


def of(value: object) -> str:
    """The card of what a verb returned."""
    from ..api import Recipe
    from ..engines.base import Container, Pushed
    from ..environment.comparison import Comparison
    from ..environment.model import Snapshot
    from ..export.build import Built

    if isinstance(value, Built):
        return built(value)
    if isinstance(value, Comparison):
        return compared(value)
    if isinstance(value, Container):
        return opened(value)
    if isinstance(value, Pushed):
        return pushed(value)
    if isinstance(value, Recipe):
        return written(value)
    if isinstance(value, Snapshot):
        return looked(value)
    raise TypeError(f"no card shows a {type(value).__name__}")


def built(value: Built) -> str:
    """The card of a finished build: verdict and size, the line that opens it, what to know."""
    said = value.verdict in ("identical", "equivalent")  # the summary then counts them
    counted = () if said else (count(value.packages, "package"),)
    minimal = ("minimal",) if text.is_minimal(value) else ()
    about = " · ".join((*counted, *minimal, f"{value.seconds:.0f} s", f"by {_text(value.engine)}"))
    mark = (value.digest or value.image_id).partition(":")[2][:12]
    recipe = "".join(f"<br>{label} {_text(folder)}" for label, folder in text.rebuilds(value))
    asked = [finding for finding in value.findings if finding.code == ASKED]
    differences = _differences(value.differences)
    findings = _findings([finding for finding in value.findings if finding.code != ASKED])
    take = "".join(
        _rows([replace(one, fix="")]) + _ways(("take it along", one.fix.strip("`"))) for one in asked
    )
    ways = text.ways(value, "%dockerize")
    open_it = take + (_ways(*ways) if ways else "")
    parts = [
        _head(value.verdict, value.ref, size(value.size)),
        f"<p>{_text(value.summary)}</p>",
        f"<p>{_text(text.in_registry(value.pushed))}</p>" if value.pushed else "",
        *((open_it, findings, differences) if said else (differences, open_it, findings)),
        _planned(of_planned(value.differences)),
        f'<p class="jd-soft jd-foot">{about} · <code>{_text(mark)}</code>{recipe}</p>',
    ]
    return _card(VERDICTS[value.verdict][1], parts)


def compared(value: Comparison) -> str:
    """The card of a comparison."""
    short = legend(value)
    name = value.found if value.image else "A and B" if short else f"{value.expected} and {value.found}"
    parts = [
        _head(value.verdict, name),
        f"<p>{_text(value.summary())}</p>",
        *(f'<div class="jd-soft">{_text(line)}</div>' for line in short.splitlines()),
        _differences(value.differences, sides_of(value)),
        _planned(of_planned(value.differences)),
    ]
    return _card(VERDICTS[value.verdict][1], parts)


def opened(value: Container) -> str:
    """The card of an image that is open: the address as a link, and how to stop it."""
    parts = [_title(_mark("success", "✓"), value.ref, "Open already" if value.already else "Open", "success")]
    parts.append(f"<p>! {_text(value.note)}</p>" if value.note else "")
    # Only an address of the web may become a link.
    if value.url and value.url.startswith(("http://", "https://")):
        address = escape(plain(value.url), quote=True)
        link = f'<a href="{address}" target="_blank" rel="noopener">{_text(value.url)}</a>'
        parts.append(f"<p>{link}</p>")
    parts.append(_ways(("stop it", f"%dockerize stop {value.name}")))
    return _card("success", parts)


def pushed(value: Pushed) -> str:
    """The card of an image that is in its registry: what went there, and its digest."""
    parts = [
        _title(_mark("success", "✓"), value.ref, "Pushed", "success"),
        f"<p>{_text(text.in_registry(value))}</p>",
        f'<p class="jd-soft jd-foot"><code>{_text(value.digest)}</code></p>',
    ]
    return _card("success", parts)


def written(value: Recipe) -> str:
    """The card of a recipe that was written."""
    parts = [
        _title(_mark("success", "✓"), str(value.folder), "Recipe written", "success"),
        _ways(("build it", text.build_line(value))),
        _findings(value.findings),
        _planned(of_choices(value.plan.choices)),
        f'<p class="jd-soft jd-foot">{_text(", ".join(value.files))}<br>'
        f"base {_text(value.base)} · {_text(value.plan.platform)}</p>",
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
        f' <span class="jd-name">{_text(value.python.prefix)}</span></h4>',
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


def _head(verdict: str, name: str, size: str = "") -> str:
    words, kind = VERDICTS[verdict]
    return _title(_mark(kind, text.MARKS[verdict]), name, words, kind, size)


def _title(mark: str, name: str, words: str, kind: str, amount: str = "") -> str:
    """What it is, what happened to it, how large it is. The dots are for pages that take styles away."""
    dot = '<span class="jd-dot"> · </span>'
    parts = [
        f"<span>{mark}&nbsp;{_text(name)}</span>",
        f'<span class="jd-chip jd-on-{kind}">{_text(words)}</span>',
    ]
    if amount:
        parts.append(f'<span class="jd-amount">{_text(amount)}</span>')
    return f"<h4>{dot.join(parts)}</h4>"


def _log(live: Live) -> str:
    """Its last line while the work goes on (a card that is redrawn folds what was unfolded); then its end."""
    if live.state == "running":
        return f'<div class="jd-last">{_text(live.log[-1]) if live.log else "&nbsp;"}</div>'
    if live.state == "done" or not live.log:
        return ""
    lines = "\n".join(live.log)
    return _details("the end of the log", f"<pre>{escape(lines)}</pre>")


def _state(live: Live) -> str:
    if live.state != "running":
        return f' <span class="jd-name">{live.state}</span>'
    last = live.steps[-1] if live.steps else None
    return f' <span class="jd-name">{last.number} of {last.total}</span>' if last and last.total > 1 else ""


def _step(live: Live, number: int) -> str:
    step, last = live.steps[number], number == len(live.steps) - 1
    state = live.state if last else "done"
    mark = {
        "running": _mark("info", "●"),
        "failed": _mark("error", "✗"),
        "cancelled": _mark("warn", "–"),
    }.get(state, _mark("success", "✓"))
    time = f"{live.seconds(number):.0f} s"
    return (
        f'<tr><td class="jd-step">{mark} {_text(step.name)}</td><td class="jd-soft jd-time">{time}</td></tr>'
    )


def _now(live: Live) -> str:
    """What is being done, how far it is, and what is left. Of inner steps the last is only begun, so their
    bar is never full."""
    told = live.log and live.note == live.log[-1].strip()  # below, as the log's last line
    if live.state != "running" or not live.note or told:
        return ""
    done, total = live.count, live.total
    if not total and live.amount:
        done, total = live.amount.done, live.amount.total
    bar = f'<progress max="{total}" value="{done}"></progress>' if total else ""
    return f'<div class="jd-soft">{bar}{_text(live.note[:NOTE])}{_text(live.left())}</div>'


def _findings(values: Sequence[Finding]) -> str:
    """Errors and the first warnings in sight, the rest folded."""
    ranked = sorted(values, key=lambda value: SEVERITIES.index(value.severity))
    errors = sum(value.severity == "error" for value in ranked)
    warnings = sum(value.severity == "warning" for value in ranked)
    shown = max(errors, min(errors + warnings, OPEN_FINDINGS))
    parts = [_rows(ranked[:shown])] if shown else []
    if rest := ranked[shown:]:
        what = "note" if all(value.severity == "info" for value in rest) else "more finding"
        parts.append(_details(count(len(rest), what), _rows(rest)))
    return "".join(parts)


def _rows(values: Sequence[Finding]) -> str:
    rows = []
    for value in values:
        fix = f'<br><span class="jd-soft">{_text(value.fix)}</span>' if value.fix else ""
        rows.append(
            f'<li><b class="jd-{value.severity}">{text.SIGNS[value.severity]} </b>{_text(value.message)}'
            f' <code title="its code, for --allow">{_text(value.code)}</code>{fix}</li>'
        )
    return f"<ul>{''.join(rows)}</ul>"


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


def _details(title: str, inner: str) -> str:
    return f"<details><summary>{_text(title)}</summary>{inner}</details>"


def _ways(*lines: tuple[str, str]) -> str:
    """Lines to copy: a click selects the whole line."""
    rows = "".join(
        f'<span class="jd-soft">{_text(label)}</span>'
        f'<pre class="jd-copy" title="click, then copy">{_text(line)}</pre>'
        for label, line in lines
    )
    return f'<div class="jd-open">{rows}</div>'
