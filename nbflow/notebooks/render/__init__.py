"""An executed notebook as HTML that is safe in any page: no script, no request, every class prefixed `nbx-`.

Cell by cell (`fragments`), so that a view can patch one; what needs a script is shown in a frame of its own origin
(`frame_page`). The notebook is anybody's: nothing in it is trusted.
"""

from __future__ import annotations

from nbflow.notebooks.render.banner import banner_html
from nbflow.notebooks.render.cells import Fragment, cell_html, folded, fragments, key_of
from nbflow.notebooks.render.frames import Libraries, frame_page, frame_policy
from nbflow.notebooks.render.outputs import NO_LINKS, Links, whole_output
from nbflow.notebooks.render.page import page
from nbflow.notebooks.render.styles import stylesheet

__all__ = [
    "NO_LINKS",
    "Fragment",
    "Libraries",
    "Links",
    "banner_html",
    "cell_html",
    "folded",
    "fragments",
    "frame_page",
    "frame_policy",
    "key_of",
    "page",
    "stylesheet",
    "whole_output",
]
