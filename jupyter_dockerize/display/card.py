"""The card under a cell: progress while it works, then the result. Every word is escaped.

Colours come from JupyterLab's own variables where there are some, so that the card suits
light and dark themes; elsewhere from the fallbacks beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..events import Finding
from . import text
from .untrusted import plain

if TYPE_CHECKING:
    from ..environment.compare import Difference
    from ..export.build import Built
    from .live import Live

VERDICTS = {
    "identical": ("Same environment", "success"),
    "equivalent": ("Same environment", "success"),
    "different": ("Not the same environment", "error"),
    "skipped": ("Not verified", "warn"),
    "impossible": ("Could not be verified", "warn"),
}
_STYLE = """<style>
.jd-card{border:1px solid var(--jp-border-color1,#bdbdbd);border-radius:4px;padding:10px 14px;max-width:52em;
 font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;color:var(--jp-ui-font-color1,inherit)}
.jd-card h4{margin:0 0 4px;font-size:15px;font-weight:600}
.jd-card code,.jd-card pre{font-family:var(--jp-code-font-family,monospace);font-size:12px;
 background:var(--jp-layout-color2,rgba(127,127,127,.13));border-radius:3px;padding:2px 5px}
.jd-card pre{margin:4px 0 0;padding:6px 8px;overflow:auto;max-height:14em;white-space:pre-wrap}
.jd-card ol,.jd-card ul{margin:4px 0;padding-left:0;list-style:none}
.jd-card table{font-size:12px;border-collapse:collapse;margin:4px 0}
.jd-card td,.jd-card th{padding:1px 12px 1px 0;text-align:left;background:none;color:inherit}
.jd-card .jd-soft{color:var(--jp-ui-font-color2,#757575)}
.jd-card .jd-success{color:var(--jp-success-color1,#2e7d32)}.jd-card .jd-error{color:var(--jp-error-color1,#c62828)}
.jd-card .jd-warn,.jd-card .jd-warning{color:var(--jp-warn-color1,#b26a00)}.jd-card .jd-info{color:var(--jp-info-color1,#0277bd)}
.jd-card progress{width:14em;height:8px;vertical-align:middle}
.jd-card summary{cursor:pointer}
</style>"""


def progress(live: Live) -> str:
    """The card while the work goes on, or after it failed."""
    rows = [_step(live, number) for number in range(len(live.steps))]
    parts = [f"<h4>{escape(live.title)}</h4>", f"<ol>{''.join(rows)}</ol>"]
    if live.failed:
        parts.append(f'<div class="jd-error">{_lines(live.failed)}</div>')
    parts.append(_findings(live.findings))
    if live.log:
        lines = escape("\n".join(map(plain, live.log)))
        open_now = " open" if live.failed else ""
        parts.append(f"<details{open_now}><summary class='jd-soft'>log</summary><pre>{lines}</pre></details>")
    return _card(parts)


def built(value: Built) -> str:
    """The card of a finished build."""
    verdict, colour = VERDICTS[value.verdict]
    facts = f"{text.size(value.size)} · {value.packages} packages · {value.seconds:.0f} s · {escape(value.engine)}"
    parts = [
        f"<h4>{escape(plain(value.ref))}</h4>",
        f'<div><b class="jd-{colour}">{text.MARKS[value.verdict]} {verdict}</b>'
        f' <span class="jd-soft">{escape(plain(value.summary))}</span></div>',
        f'<div class="jd-soft">{facts}</div>',
        _differences(value.differences),
        _findings(value.findings),
        f"<div>Open it anywhere: <code>{escape(text.run_line(value.ref))}</code></div>",
        f"<div class='jd-soft'>or here: <code>%dockerize run {escape(plain(value.ref))}</code></div>",
    ]
    return _card(parts)


def preformatted(title: str, body: str) -> str:
    """A card that holds plain text."""
    return _card([f"<h4>{escape(title)}</h4>", f"<pre>{escape(body)}</pre>"])


def _card(parts: Iterable[str]) -> str:
    return f'{_STYLE}<div class="jd-card">{"".join(parts)}</div>'


def _step(live: Live, number: int) -> str:
    step = live.steps[number]
    last = number == len(live.steps) - 1
    if not last or live.done:
        mark, colour = "✓", "success"
    elif live.failed:
        mark, colour = "✗", "error"
    else:
        mark, colour = "●", "info"
    note = ""
    if last and not live.done and not live.failed:
        bar = f'<progress max="{live.total}" value="{live.count}"></progress> ' if live.total else ""
        note = f' <span class="jd-soft">{bar}{escape(plain(live.note))}</span>'
    return (
        f'<li><span class="jd-{colour}">{mark}</span> {escape(plain(step.name))}'
        f' <span class="jd-soft">{live.seconds(number):.0f} s</span>{note}</li>'
    )


def _findings(values: Sequence[Finding]) -> str:
    rows = []
    for value in values:
        fix = f'<br><span class="jd-soft">→ {escape(plain(value.fix))}</span>' if value.fix else ""
        sign = text.SIGNS[value.severity]
        rows.append(
            f'<li><b class="jd-{value.severity}">{sign}</b> {escape(plain(value.message))}'
            f' <code title="accept it with --allow">{escape(plain(value.code))}</code>{fix}</li>'
        )
    if len(rows) > 3:
        inner = "".join(rows)
        return f"<details><summary>{len(rows)} findings</summary><ul>{inner}</ul></details>"
    return f"<ul>{''.join(rows)}</ul>" if rows else ""


def _differences(values: Sequence[Difference]) -> str:
    if not values:
        return ""
    head = "<tr><th>class</th><th></th><th>name</th><th>what</th><th>meant</th><th>found</th></tr>"
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(plain(cell))}</td>"
            for cell in (d.class_, d.manager, d.name, d.field, d.expected or "–", d.found or "–")
        )
        + "</tr>"
        for d in values
    )
    planned = sum(d.class_ == "planned" for d in values)
    open_now = " open" if any(d.class_ == "unexpected" for d in values) else ""
    title = f"{len(values)} differences, {planned} of them planned"
    return f"<details{open_now}><summary>{title}</summary><table>{head}{rows}</table></details>"


def _lines(body: str) -> str:
    return "<br>".join(escape(plain(line)) for line in body.splitlines())
