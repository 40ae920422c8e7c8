"""Pages as HTML: the templates, and the few words they know beside what a page gives them.

Everything a template prints is escaped, unless this module made it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FunctionLoader, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nbflow.api import Caller, Role
from nbflow.errors import advised
from nbflow.notebooks.render.prose import prose_html
from nbflow.notebooks.render.styles import stylesheet
from nbflow.states import in_words
from nbflow.text import seconds_text, size_text
from nbflow_app import theme
from nbflow_app.jupyter import Jupyter
from nbflow_app.visit import Page

MENU = (("home", "Now", "/"), ("pipelines", "Pipelines", "/pipelines"), ("runs", "Runs", "/runs"))


class Frame:
    """Renders pages for a server whose addresses begin with `prefix`.

    Templates and files are read when it is made: an upgrade in place brings no new ones to code that is old.
    """

    def __init__(self, prefix: str = "", jupyter: Jupyter | None = None) -> None:
        self.prefix = prefix
        self._env = Environment(
            loader=FunctionLoader(_templates().get),
            auto_reload=False,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in ASSETS:
            asset(name)
        self._env.globals.update(
            url=self.url,
            asset=self.asset,
            badge=_badge,
            icon=_icon,
            menu=MENU,
            legend=_legend,
            Role=Role,
            jupyter=(jupyter or Jupyter(Path())).link,
        )
        self._env.filters.update(
            words=in_words,
            seconds=seconds_text,
            size=size_text,
            value=value_text,
            breakable=breakable,
            prose=prose,
            advised=lambda error: prose(advised(error.message, error.hint)),
        )

    def url(self, *parts: str, **fields: Any) -> str:
        """An address of this server: `url("/pipelines", name)`, each part quoted; fields that are empty left out."""
        first, *rest = parts
        path = "/".join([first.rstrip("/"), *(quote(part, safe="") for part in rest)]) or "/"
        given = {name: value for name, value in fields.items() if value not in {None, "", False}}
        return f"{self.prefix}{path}" + (f"?{urlencode(given)}" if given else "")

    def asset(self, name: str) -> str:
        """The address of a file that browsers may keep: it changes with the content."""
        return f"{self.prefix}/assets/{name}?{sha256(asset(name)).hexdigest()[:12]}"

    def render(self, page: Page, *, caller: Caller | None = None, **more: Any) -> str:
        """The whole document. `more`: `theme`, `zone`, `xsrf`, `flash`."""
        about = {"user": caller, "theme": "", "xsrf": "", "flash": "", "zone": "UTC", **more}
        return self._env.get_template(page.template).render(page=page, **about, **page.data)

    def part(self, template: str, name: str, *given: Any) -> str:
        """A macro of a template by itself, as live updates send it."""
        module = self._env.get_template(template).module
        return str(getattr(module, name)(*given))


@cache
def _templates() -> Mapping[str, Any]:
    """Every template by its name, as loaders of Jinja give one."""
    loader, unused = PackageLoader("nbflow_app", "templates"), Environment()
    return {name: loader.get_source(unused, name) for name in loader.list_templates()}


@cache
def asset(name: str) -> bytes:
    """A file of ours as browsers get it. Raises KeyError for a name that is none."""
    if name == "nbflow.css":
        rules = (files("nbflow_app") / "static" / "pages.css").read_text(encoding="utf-8")
        return f"{theme.stylesheet()}\n{rules}".encode()
    if name == "notebook.css":
        return stylesheet().encode()
    return (files("nbflow_app") / ASSETS[name].folder / name).read_bytes()


@dataclass(frozen=True, slots=True)
class Asset:
    type: str
    folder: str = "static"


ASSETS = {
    "nbflow.css": Asset("text/css"),
    "notebook.css": Asset("text/css"),
    "app.js": Asset("text/javascript"),
    "edit.css": Asset("text/css"),
    "edit.js": Asset("text/javascript"),
    "forms.js": Asset("text/javascript"),
    "follow.js": Asset("text/javascript"),
    "names.js": Asset("text/javascript", folder="widgets"),
    "palette.js": Asset("text/javascript"),
    "icon.svg": Asset("image/svg+xml"),
}


# --- what templates print -----------------------------------------------------------------------------------------


def value_text(value: Any) -> str:
    """A parameter as it would be typed: text without quotes, else JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def prose(text: str) -> Markup:
    """A sentence; what it has between backticks is code."""
    return Markup(prose_html(text))


def breakable(name: str) -> Markup:
    """A name or a path that goes to the next line behind a `_` or a `/`, where there is no room for it."""
    return Markup(re.sub("[_/]", r"\g<0><wbr>", str(escape(name))))


def _badge(state: theme.State, set_by: str | None = None) -> Markup:
    return Markup(theme.badge(state, set_by=set_by))


def _icon(state: theme.State) -> Markup:
    return Markup(theme.icon_svg(theme.look_of(state).icon))


def _legend(states: Any) -> Markup:
    return Markup(theme.legend(states))


def fields_of(form: Mapping[str, list[bytes]]) -> dict[str, list[str]]:
    return {name: [value.decode("utf-8", "replace") for value in values] for name, values in form.items()}
