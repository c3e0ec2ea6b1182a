"""The style sheet of the page: light or dark as the reader's screen is, and light on paper."""

from __future__ import annotations

from zoo.finetuning.report.scene import DARK, LIGHT


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def _roles() -> str:
    return "".join(
        f".fill-{name}{{fill:var(--{name})}}.stroke-{name}{{stroke:var(--{name})}}.back-{name}{{background:var(--{name})}}"
        for name in LIGHT
    )


_RULES = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);line-height:1.5;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header,main{max-width:1000px;margin:0 auto;padding:0 32px}
header{padding-top:44px}
.kind{margin:0;color:var(--quiet);font-size:13px;letter-spacing:.08em;text-transform:uppercase}
h1{margin:2px 0 0;font-size:34px;line-height:1.2;letter-spacing:-.01em}
h1 .quiet{font-weight:400}
h2{margin:0 0 14px;font-size:21px}
h3{margin:0 0 8px;font-size:15px}
p{margin:0 0 14px;max-width:70ch}
.lead{margin:8px 0 0;color:var(--quiet)}
.quiet,figcaption,.note{color:var(--quiet)}
.wrong{color:var(--wrong)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:14px;margin:24px 0 0}
.tile{background:var(--card);border-radius:10px;padding:14px 18px 16px}
.tile .label,.tile .note{font-size:13px;color:var(--quiet)}
.tile .value{font-size:30px;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}
.tile:first-child .value{color:var(--right)}
section{margin-top:44px;padding-top:26px;border-top:1px solid var(--rule)}
section:last-child{margin-bottom:64px}
figure{margin:0}
figcaption{margin-top:6px;font-size:13px}
svg{display:block;width:100%;height:auto;font-family:inherit}
polyline{fill:none;stroke-linejoin:round;stroke-linecap:round}
.beside{display:flex;flex-wrap:wrap;gap:36px;align-items:flex-start}
.beside>figure{flex:1 1 380px;max-width:620px}
.beside>div{flex:1 1 240px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th{color:var(--quiet);font-weight:500;text-align:left;white-space:nowrap}
th,td{padding:7px 12px 7px 0;border-bottom:1px solid var(--rule);vertical-align:middle}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right;white-space:nowrap}
td{min-width:4em}td:first-child{min-width:6em}td bdi{overflow-wrap:anywhere}td:has(.bar){white-space:nowrap}
.bar{display:inline-block;width:110px;height:8px;border-radius:4px;background:var(--rule);overflow:hidden;vertical-align:middle}
.bar>span{display:block;height:100%}
.beside-bar{display:inline-block;width:62px;margin-left:8px}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:20px 16px}
.mistake{min-width:0;break-inside:avoid}
.photo{display:flex;align-items:center;justify-content:center;aspect-ratio:1;background:var(--card);border-radius:8px;overflow:hidden;font-size:13px}
.photo img{width:100%;height:100%;object-fit:contain}
.mistake figcaption{color:var(--ink);line-height:1.4;overflow-wrap:anywhere}
.mistake .share{color:var(--quiet)}
.mistake .file{color:var(--quiet);font-size:12px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.mistake .wrong{font-weight:600}
dl+h3{margin-top:26px}
h3+dl{margin-top:0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 24px;margin:22px 0;font-size:14px}
dt{color:var(--quiet)}
dd{margin:0;min-width:0}
.wrap{overflow-wrap:anywhere}
pre{margin:0;padding:12px 16px;background:var(--card);border-radius:8px;overflow-x:auto;font-size:14px}
@media screen and (max-width:600px){
header,main{padding-left:16px;padding-right:16px}
.curves svg{min-width:640px}.bar{width:44px}th,td{padding-right:8px}
dl{grid-template-columns:1fr}dd{margin-bottom:6px}
}
"""

_PRINT = """
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{font-size:12px}
header,main{padding:0}
section{margin-top:18px;padding-top:14px}
h2,h3,h2+p{break-after:avoid}
p{max-width:none}
tr,.tile,figure,svg{break-inside:avoid}
.tiles{grid-template-columns:repeat(4,1fr);gap:10px}
.tile{padding:10px 12px}
.tile .value{font-size:22px}
.beside{gap:24px}
.beside>figure{flex-basis:300px;max-width:360px}
.sheet{grid-template-columns:repeat(6,1fr);gap:12px}
.wide{overflow:visible}
table,dl,pre{font-size:11px}
th,td{padding:4px 8px 4px 0}
.bar{width:52px}
.beside-bar{width:50px}
dl{margin:14px 0}
"""

STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    f"{_roles()}{_RULES}"
    f"@media print{{:root{{color-scheme:light;{_variables(LIGHT)}}}{_PRINT}}}"
)
"""All of it; every colour is named in one place, :mod:`zoo.finetuning.report.scene`."""
