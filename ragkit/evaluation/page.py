"""The frame of a report page: style, script, and a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
from html import escape

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --ink: #1a2230; --dim: #657083; --rule: #dfe3ea;
  --first: #2458d3; --second: #c2570c; --good: #17744a; --good-paper: #e3f4ea;
  --bad: #b42331; --mark: #fff1c2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #10141b; --card: #191f29; --ink: #e4e9f1; --dim: #95a1b5; --rule: #2c3545;
    --first: #7ea6ff; --second: #ffa057; --good: #6fd3a0; --good-paper: #16352a;
    --bad: #ff8a8f; --mark: #4a3f16;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 1080px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.05rem; margin: 0 0 .8rem; }
h3 { font-size: .8rem; margin: 1.1rem 0 .35rem; color: var(--dim); font-weight: 600;
  text-transform: uppercase; letter-spacing: .05em; }
p { margin: 0 0 .6rem; }
.dim { color: var(--dim); }
.lead { color: var(--dim); max-width: 75ch; }
.note { border-left: 3px solid var(--second); padding: .4rem .8rem; background: var(--card);
  border-radius: 0 6px 6px 0; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
  margin: 1.2rem 0; align-items: start; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 1.1rem 1.2rem; min-width: 0; }
body > .card { margin: 0 0 1rem; }
.tiles { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  margin: 1.4rem 0 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: .9rem 1.1rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.25; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--dim); font-size: .82rem; }
.tile .other { color: var(--second); font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: .8rem 0 0; padding: 0;
  list-style: none; }
.legend li::before { content: ""; display: inline-block; width: .75em; height: .75em;
  border-radius: 50%; margin-right: .5em; background: var(--first); }
.legend li.second::before { background: var(--second); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 12px; }
svg .small { font-size: 10.5px; } svg .tiny { font-size: 9.5px; }
svg .dim { fill: var(--dim); }
svg .t0 { fill: var(--first); } svg .t1 { fill: var(--second); }
svg .grid { stroke: var(--rule); } svg .axis { stroke: var(--dim); }
svg .whisker { stroke-width: 2.4; stroke-linecap: round; opacity: .55; }
svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg line.s0, svg .curve.s0 { stroke: var(--first); }
svg line.s1, svg .curve.s1 { stroke: var(--second); }
svg .dot.s0, svg .bar.s0 { fill: var(--first); } svg .dot.s1, svg .bar.s1 { fill: var(--second); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: .9rem; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { color: var(--dim); font-weight: 600; font-size: .8rem; }
tr:last-child td { border-bottom: 0; }
.up { color: var(--good); } .down { color: var(--bad); }
.tools { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0 0 .8rem; }
.tools input, .tools select { font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--rule); border-radius: 7px; padding: .4rem .6rem; min-width: 0; }
.tools input { flex: 1 1 220px; }
.row { display: grid; gap: .2rem 1rem; align-items: baseline;
  grid-template-columns: minmax(0, 1fr) 7.5rem 5rem 5rem 5rem; }
.one .row { grid-template-columns: minmax(0, 1fr) 7.5rem 5rem 5rem; }
.row > :nth-child(n+3) { text-align: right; font-variant-numeric: tabular-nums; }
.heads { padding: 0 0 .3rem 1.2rem; border-bottom: 1px solid var(--rule); }
.heads button { all: unset; cursor: pointer; color: var(--dim); font-size: .8rem;
  font-weight: 600; }
.heads button:focus-visible { outline: 2px solid var(--first); outline-offset: 2px; }
.heads [aria-pressed=true] { color: var(--ink); }
.heads [aria-pressed=true]::after { content: " \\2193"; }
.heads [aria-pressed=true].rising::after { content: " \\2191"; }
.case { border-bottom: 1px solid var(--rule); }
.case > summary { cursor: pointer; padding: .5rem 0 .5rem 1.2rem; list-style: none;
  position: relative; }
.case > summary::-webkit-details-marker { display: none; }
.case > summary::before { content: "\\203A"; position: absolute; left: .2rem; color: var(--dim);
  transition: transform .12s; }
.case[open] > summary::before { transform: rotate(90deg); }
.case > summary:hover { background: var(--paper); }
.inside { padding: 0 0 1.2rem 1.2rem; }
.chip { font-size: .78rem; color: var(--dim); }
ol, ul { margin: .2rem 0; padding-left: 1.4rem; }
blockquote { margin: .3rem 0; padding: .2rem .8rem; border-left: 3px solid var(--rule); }
.hit { margin: 0 0 .6rem; padding-left: .3rem; }
.hit.gold .where { color: var(--good); }
.tag { font-size: .74rem; font-weight: 600; color: var(--good); background: var(--good-paper);
  border-radius: 5px; padding: .05rem .45rem; margin-left: .4rem; white-space: nowrap; }
.snippet { color: var(--dim); font-size: .9rem; white-space: pre-line; }
.pair { display: grid; gap: 0 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); }
mark { background: var(--mark); color: inherit; border-radius: 3px; }
[hidden] { display: none !important; }
@media (max-width: 640px) {
  body { padding: 1.2rem .9rem 3rem; }
  .row, .one .row { display: flex; flex-wrap: wrap; gap: .1rem .9rem; }
  .row > :first-child { flex: 1 0 100%; }
  .case .row [data-name]::before { content: attr(data-name) " "; color: var(--dim);
  font-size: .78rem; }
  .card { padding: .9rem; }
}
@media print { .tools, .heads { display: none; } .card { break-inside: avoid; } }
"""

SCRIPT = """\
(() => {
  const list = document.getElementById("cases");
  if (!list) return;
  const cases = [...list.querySelectorAll(".case")];
  const text = document.getElementById("text");
  const grade = document.getElementById("grade");
  const kind = document.getElementById("kind");
  const count = document.getElementById("count");
  const heads = [...document.querySelectorAll(".heads button")];
  document.querySelectorAll("[data-script]").forEach((each) => { each.hidden = false; });
  const number = (each, name) => Number(each.dataset[name]);
  const kinds = {
    all: () => true,
    missed: (each) => number(each, "rank") > 10,
    found: (each) => number(each, "rank") <= 10,
    won: (each) => number(each, "gain") > 0,
    lost: (each) => number(each, "gain") < 0,
  };
  const show = () => {
    const words = text.value.toLowerCase();
    let shown = 0;
    for (const each of cases) {
      each.hidden = !(each.querySelector(".question").textContent.toLowerCase().includes(words)
        && (!grade || !grade.value || each.dataset.grade === grade.value)
        && kinds[kind.value](each));
      if (!each.hidden) shown += 1;
    }
    count.textContent = `${shown} of ${cases.length}`;
  };
  const sort = (button) => {
    const again = button.getAttribute("aria-pressed") === "true";
    const rising = again ? !button.classList.contains("rising") : button.dataset.rising === "true";
    heads.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    button.classList.toggle("rising", rising);
    const name = button.dataset.by;
    const way = rising ? 1 : -1;
    const compare = (a, b) => name === "grade"
      ? a.dataset.grade.localeCompare(b.dataset.grade) : number(a, name) - number(b, name);
    cases.sort((a, b) => way * compare(a, b) || number(a, "order") - number(b, "order"));
    list.append(...cases);
  };
  [text, grade, kind].forEach((each) => each && each.addEventListener("input", show));
  heads.forEach((each) => each.addEventListener("click", () => sort(each)));
  show();
})();
"""


def page(title: str, body: str) -> str:
    """Return a whole page. `body` is markup; `title` is text.

    Only this style and this script may take effect, and nothing may be loaded: should anything of
    a document ever get through the escaping, a browser does nothing with it.
    """
    policy = (
        f"default-src 'none'; style-src {_source(STYLE)}; script-src {_source(SCRIPT)};"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
