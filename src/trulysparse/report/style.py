"""How pages look: light and dark, on screens of any width and on paper."""

# Contrast with the ground, in both themes: text 7:1, lines of charts 3:1 and more.
LIGHT = {
    "ground": "#ffffff",
    "raised": "#f6f7f9",
    "ink": "#1c2128",
    "soft": "#515a64",
    "edge": "#d5dae0",
    "accent": "#0068a8",
    "alarm": "#a8001c",
    "s1": "#0068a8",
    "s2": "#c44e00",
    "s3": "#00795a",
    "s4": "#a3458c",
    "s5": "#7d6200",
    "s6": "#56616b",
}
DARK = {
    "ground": "#14181d",
    "raised": "#1c2229",
    "ink": "#e6e9ec",
    "soft": "#aab3bc",
    "edge": "#353d46",
    "accent": "#6cb6ef",
    "alarm": "#ff9090",
    "s1": "#5aa9e6",
    "s2": "#ff9a56",
    "s3": "#3cc99a",
    "s4": "#e29acb",
    "s5": "#e0bf3a",
    "s6": "#a9b4c0",
}

_RULES = """
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header,footer{max-width:70rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.75rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .35rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.4rem 0 .8rem;padding-top:1rem;border-top:1px solid var(--edge)}
h3{font-size:1rem;margin:0 0 .5rem;overflow-wrap:anywhere}
section>h3{margin-top:1.3rem}
p{margin:.4rem 0;max-width:46rem}
p,figcaption,footer{overflow-wrap:anywhere}
.soft,footer{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.9rem 0 0;font-size:.92rem}
a{color:var(--accent)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.75rem;margin:1.1rem 0}
.tile{background:var(--raised);border:1px solid var(--edge);border-radius:.6rem;padding:.7rem .9rem;min-width:0}
.tile b{display:block;font-size:1.45rem;line-height:1.3;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.tile span{color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem;align-items:start}
figure,.card{background:var(--raised);border:1px solid var(--edge);border-radius:.6rem;padding:.9rem 1rem;margin:0;
min-width:0}
figure{--ground:var(--raised)}
figure svg{display:block;width:100%;max-width:31rem;height:auto;margin:0 auto}
figcaption{color:var(--soft);font-size:.9rem;margin:.5rem 0 0}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.92rem;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--edge)}
td{overflow-wrap:break-word;max-width:22rem}
.facts td{overflow-wrap:anywhere;max-width:none}
td.n{white-space:nowrap}
th{font-weight:600;color:var(--soft)}
.n{text-align:right}
.facts{max-width:52rem}
.facts th{width:11rem;white-space:nowrap}
details{margin-top:.7rem;font-size:.92rem}
summary{cursor:pointer;color:var(--accent)}
pre{background:var(--raised);border:1px solid var(--edge);border-radius:.6rem;padding:.8rem 1rem;margin:.5rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;font:.92rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
ul{margin:.4rem 0;padding-left:1.2rem}
li{overflow-wrap:anywhere}
.warning{border-left:.3rem solid var(--s2);padding-left:.8rem}
.alarm{color:var(--alarm);border-left:.3rem solid var(--alarm);padding-left:.8rem}
footer{font-size:.88rem;padding-top:1.5rem;padding-bottom:2.5rem}
@media(max-width:34rem){main,header,footer{padding-left:.8rem;padding-right:.8rem}figure,.card{padding:.7rem}
h1{font-size:1.4rem}.tiles{grid-template-columns:1fr 1fr}
th,td{padding-right:.5rem}td{max-width:11rem}table{font-size:.88rem}.facts th{width:7.2rem;white-space:normal}}
@media print{body{font-size:10pt}
nav,details:not([open]),summary{display:none}main,header,footer{max-width:none;padding:0}footer{break-before:avoid;margin-top:.5rem}
.cards{grid-template-columns:1fr 1fr;gap:.6rem}figure,.card,.tile,tr{break-inside:avoid}h2,h3{break-after:avoid}
table{font-size:8pt}th,td{padding:.15rem .4rem .15rem 0;max-width:none;overflow-wrap:anywhere}
.scroll{overflow:visible}figure,.card,.tile,pre{background:none}
figure svg{max-height:9cm}@page{margin:1.5cm}}
"""


def _variables(theme: dict[str, str]) -> str:
    return ":root{" + "".join(f"--{name}:{value};" for name, value in theme.items()) + "}"


STYLE = (
    # Paper is light, whatever the screen.
    f"{_variables(LIGHT)}@media screen and (prefers-color-scheme:dark){{{_variables(DARK)}}}{_RULES}"
)
"""The style sheet of a page."""
