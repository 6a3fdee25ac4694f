"""How cards look. Colours come from JupyterLab's own variables, so that they suit its light and
dark themes; elsewhere from the fallbacks beside them, which suit both."""

from __future__ import annotations

STYLE = """<style>
.jd-card{box-sizing:border-box;max-width:56em;margin:2px 0;padding:12px 16px;border-radius:4px;
 border:1px solid var(--jp-border-color2,rgba(127,127,127,.35));border-left-width:3px;
 font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.55;
 color:var(--jp-ui-font-color1,inherit)}
.jd-card.jd-is-success{border-left-color:var(--jp-success-color1,#2e8b37)}
.jd-card.jd-is-error{border-left-color:var(--jp-error-color1,#d33a2c)}
.jd-card.jd-is-warn{border-left-color:var(--jp-warn-color1,#c77700)}
.jd-card.jd-is-info{border-left-color:var(--jp-brand-color1,#1976d2)}
.jd-card h4{margin:0 0 2px;font-size:15px;line-height:1.4;font-weight:600;color:inherit}
.jd-card h4 .jd-name{font-weight:400;color:var(--jp-ui-font-color2,#757575);margin-left:.6em}
.jd-card p{margin:0 0 2px}
.jd-card code,.jd-card pre{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px;
 color:inherit;background:var(--jp-layout-color2,rgba(127,127,127,.13));border-radius:3px}
.jd-card code{padding:1px 5px}
.jd-card pre{margin:6px 0 0;padding:8px 10px;overflow:auto;max-height:18em;
 white-space:pre-wrap;overflow-wrap:anywhere}
.jd-card ul{margin:10px 0 0;padding:0;list-style:none}
.jd-card li{margin:0 0 4px;padding-left:1.5em;text-indent:-1.5em;overflow-wrap:anywhere}
.jd-card li b{display:inline-block;width:1.5em;text-indent:0}
.jd-card table{margin:4px 0 6px;border-collapse:collapse;border:0;
 font-size:13px;line-height:1.55;color:inherit}
.jd-card td{padding:1px 14px 1px 0;border:0;text-align:left;vertical-align:top;background:none;color:inherit}
.jd-card td.jd-step{white-space:nowrap}
.jd-card td.jd-time{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.jd-card tr,.jd-card tr:hover{background:none}
.jd-card details{margin:10px 0 0}
.jd-card details+details{margin-top:3px}
.jd-card .jd-last{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;font-size:11px;
 font-family:var(--jp-code-font-family,ui-monospace,monospace);color:var(--jp-ui-font-color2,#757575)}
.jd-card summary{cursor:pointer;color:var(--jp-ui-font-color2,#757575)}
.jd-card .jd-soft{color:var(--jp-ui-font-color2,#757575)}
.jd-card .jd-success{color:var(--jp-success-color1,#2e8b37)}
.jd-card .jd-error{color:var(--jp-error-color1,#d33a2c)}
.jd-card .jd-warn,.jd-card .jd-warning{color:var(--jp-warn-color1,#c77700)}
.jd-card .jd-info{color:var(--jp-brand-color1,#1976d2)}
.jd-card progress{width:9em;height:6px;margin-right:.7em;vertical-align:middle;
 accent-color:var(--jp-brand-color1,#1976d2)}
.jd-card .jd-open{display:grid;grid-template-columns:max-content auto;gap:6px 12px;align-items:center;
 justify-content:start;margin-top:12px}
.jd-card .jd-copy{user-select:all;cursor:copy;padding:4px 9px;overflow-wrap:anywhere}
.jd-card a{color:var(--jp-content-link-color,#1976d2)}
</style>"""
