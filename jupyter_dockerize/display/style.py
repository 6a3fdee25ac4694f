"""How cards look. Colours come from JupyterLab's own variables, so that they suit its light and
dark themes; elsewhere the fallbacks beside them are made of the page's own colour of text.

A selector names ``.jd-card`` twice where JupyterLab's own rule for the element would win otherwise.
"""

from __future__ import annotations

STYLE = """<style>
.jd-card{--jd-soft:var(--jp-ui-font-color2,color-mix(in srgb,currentColor 68%,transparent));
 --jd-line:var(--jp-border-color2,color-mix(in srgb,currentColor 22%,transparent));
 --jd-fill:color-mix(in srgb,currentColor 7%,transparent);
 --jd-success:var(--jp-success-color1,#2e8b37);--jd-error:var(--jp-error-color1,#d33a2c);
 --jd-warn:var(--jp-warn-color1,#c77700);--jd-info:var(--jp-brand-color1,#1976d2);
 --jd-code:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);
 container-type:inline-size;box-sizing:border-box;max-width:54em;margin:4px 0;padding:12px 16px;
 overflow-wrap:anywhere;border:1px solid var(--jd-line);border-left:4px solid var(--jd-info);
 border-radius:6px;font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.55;
 color:var(--jp-ui-font-color1,inherit)}
.jd-card.jd-is-success{border-left-color:var(--jd-success)}
.jd-card.jd-is-error{border-left-color:var(--jd-error)}
.jd-card.jd-is-warn{border-left-color:var(--jd-warn)}
.jd-card.jd-card h4{display:flex;flex-wrap:wrap;gap:2px 10px;align-items:baseline;margin:0 0 3px;
 font-family:inherit;font-size:16px;line-height:1.4;font-weight:600;color:inherit}
.jd-card .jd-dot{display:none}
.jd-card .jd-name,.jd-card .jd-amount{font-weight:400;font-size:14px;color:var(--jd-soft)}
.jd-card .jd-amount{margin-left:auto}
.jd-card .jd-chip{padding:0 9px;border-radius:10px;font-size:12px;font-weight:500;line-height:20px;
 background:var(--jd-fill)}
.jd-card .jd-on-success{background:color-mix(in srgb,var(--jd-success) 18%,transparent)}
.jd-card .jd-on-error{background:color-mix(in srgb,var(--jd-error) 18%,transparent)}
.jd-card .jd-on-warn{background:color-mix(in srgb,var(--jd-warn) 20%,transparent)}
.jd-card.jd-card p{margin:0 0 2px}
.jd-card.jd-card p.jd-foot{margin:12px 0 0;font-size:12px}
.jd-card.jd-card code,.jd-card.jd-card pre{font-family:var(--jd-code);font-size:12px;line-height:1.5;
 color:inherit;background:var(--jd-fill);border:0;border-radius:4px;white-space:pre-wrap;
 overflow-wrap:anywhere;word-break:normal}
.jd-card.jd-card code{padding:1px 5px}
.jd-card.jd-card .jd-foot code{padding:0;background:none}
.jd-card.jd-card pre{margin:6px 0 0;padding:8px 10px;overflow:auto;max-height:18em}
.jd-card.jd-card ul{margin:10px 0 0;padding:0;list-style:none}
.jd-card.jd-card li{margin:0 0 4px;padding-left:1.5em;text-indent:-1.5em}
.jd-card li b{display:inline-block;width:1.5em;text-indent:0}
.jd-card.jd-card table{margin:6px 0;border-collapse:collapse;border:0;
 font-size:13px;line-height:1.55;color:inherit}
.jd-card.jd-card td{padding:1px 14px 1px 0;border:0;text-align:left;vertical-align:top;background:none;
 color:inherit;max-width:none}
.jd-card.jd-card td.jd-step{white-space:nowrap}
.jd-card.jd-card td.jd-time{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.jd-card.jd-card tbody tr,.jd-card.jd-card tbody tr:hover{background:none}
.jd-card.jd-card td.jd-soft,.jd-card .jd-soft,.jd-card summary{color:var(--jd-soft)}
.jd-card details{margin:8px 0 0}
.jd-card details+details{margin-top:2px}
.jd-card.jd-card summary{display:list-item;margin:0;padding-left:1.1em;text-indent:-1.1em;
 cursor:pointer}
.jd-card.jd-card details ul{margin-top:4px}
.jd-card .jd-last{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;font-size:11px;
 font-family:var(--jd-code);color:var(--jd-soft)}
.jd-card .jd-success{color:var(--jd-success)}
.jd-card .jd-error{color:var(--jd-error)}
.jd-card.jd-card p.jd-error{color:inherit;font-weight:600}
.jd-card .jd-warn,.jd-card .jd-warning{color:var(--jd-warn)}
.jd-card .jd-info{color:var(--jd-info)}
.jd-card progress{width:9em;height:6px;margin-right:.7em;vertical-align:middle;accent-color:var(--jd-info)}
.jd-card .jd-open{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:6px 12px;
 align-items:center;margin:10px 0 12px}
.jd-card.jd-card pre.jd-copy{box-sizing:border-box;margin:0;
 padding:6px 12px;user-select:all;-webkit-user-select:all;cursor:copy}
.jd-card .jd-open:last-child{margin-bottom:2px}
@container (max-width:26em){.jd-card .jd-amount{margin-left:0}.jd-card progress{width:3em}
 .jd-card .jd-open{grid-template-columns:minmax(0,1fr);gap:2px}.jd-card pre.jd-copy{margin-bottom:6px}}
.jd-card a{color:var(--jp-content-link-color,inherit);text-decoration:underline}
</style>"""
