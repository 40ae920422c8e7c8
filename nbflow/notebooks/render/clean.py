"""HTML from notebooks made harmless: no script, no style sheet, no request to anywhere, no class, no address of ours.

What this takes away from a representation that needs it (an interactive plot, a styled table) is shown in a frame.
"""

from __future__ import annotations

import base64
import re

import nh3


def _words(text: str) -> set[str]:
    return set(text.split())


_TAGS = _words(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6"
    " hr i img kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul"
)
_DROPPED = _words("iframe math noscript object script select style svg template textarea title")
"""Tags that go with all they contain."""

_CELL = _words("colspan rowspan scope valign")
_ATTRIBUTES = {
    "*": _words("align style title"),
    "a": {"href"},
    "img": _words("alt height src width"),
    "ol": {"start"},
    "td": _CELL,
    "th": _CELL,
}
_STYLES = _words(
    "background-color color font-style font-variant-numeric font-weight text-align text-decoration-line vertical-align"
    " white-space"
)
_IMAGES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;", "data:image/svg+xml;")
_LINKS = ("http://", "https://", "mailto:")


def _attribute(tag: str, name: str, value: str) -> str | None:
    address = value.strip().lower()
    match tag, name:
        case "img", "src":
            return value if address.startswith(_IMAGES) else None
        case "a", "href":
            return value if address.startswith(_LINKS) else None
        case _, "style":
            return None if _LOADS.search(address) else value
    return value


_LOADS = re.compile(r"url|image|src|expression|var|env|attr|[\\@/]")
"""In a style: what could load something, or be written in another way."""

NO_DESCRIPTION = "a picture without a description"

_REL = "noopener noreferrer nofollow"
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED,
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto", "data"},
    filter_style_properties=_STYLES,
    link_rel=_REL,
)


def clean(html: str) -> str:
    """A harmless fragment, its tags closed; the same again for the same HTML."""
    # nh3 would add a second attribute in any order. In its output only a tag can end like this, or begin like an image.
    cleaned = _CLEANER.clean(html).replace(f'rel="{_REL}">', f'rel="{_REL}" target="_blank">')
    return _IMAGE.sub(_described, cleaned)


_IMAGE = re.compile(r"<img\b([^>]*)>")


def _described(image: re.Match[str]) -> str:
    """An image that says what it is; in place of one that may not be loaded, its description."""
    description = re.search(r' alt="([^"]+)"', image[1])
    said = description[1] if description else NO_DESCRIPTION
    if ' src="' not in image[1]:
        return f"<em>[no picture: {said}]</em>".replace("&quot;", '"')
    return image[0] if ' alt="' in image[1] else f'<img alt="{said}"{image[1]}>'


_NEEDED = re.compile(
    r"<(?:script|iframe|object|embed|canvas|video|audio|form|input|button|select|svg|math|link|style(?!\s+scoped))\b"
)


def needs_frame(html: str) -> bool:
    """Cleaning would take away what makes it work. A wrong answer costs looks, never safety."""
    return _NEEDED.search(html.lower()) is not None


_SPACE = b" \t\r\n"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


def image_source(mime: str, data: str) -> str | None:
    """The address of an image that carries itself; None where the data is no such image.

    An SVG inside an `<img>` runs no script and loads nothing.
    """
    if mime == "image/svg+xml":
        return f"data:{mime};base64,{base64.b64encode(data.encode()).decode()}"
    packed = data.encode("ascii", "replace").translate(None, _SPACE)
    is_image = bool(packed) and not packed.translate(None, _BASE64)
    return f"data:{mime};base64,{packed.decode()}" if is_image else None
