"""What a notebook asks for, read from its text: kernel, language, parameters. Never runs anything of it."""

from __future__ import annotations

import ast
import errno
import io
import json
import math
import re
import stat
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbflow.errors import InvalidInput, NotFound
from nbflow.model import Param
from nbflow.ports import Signature
from nbflow.text import conflict_line

TAG = "parameters"
_PYTHON_MAGICS = frozenset({"capture", "prun", "time", "timeit"})
"""Cell magics below which there is Python."""
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<text>.+?)[ \t#]*$", re.MULTILINE)
_FENCED = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_MAGIC = re.compile(r"(?P<indent>\s*)(?P<target>\w[\w\s,]*=(?!=))?\s*[%!?]|(?P<help_indent>\s*)[\w.]+\?+\s*$")
_ASSIGNED = re.compile(
    r"(?:(?:let|var|val|const)\s+)?(?P<name>[A-Za-z_][\w.]*)\s*(?::[^=]*)?(?:<-|=(?!=))\s*(?P<value>.*?)\s*;?\s*$"
)
_TYPE_COMMENT = re.compile(r"type:\s*(?P<type>\S+)\s*(?P<rest>.*)")
_TOOL_COMMENT = re.compile(r"noqa|pragma|type:\s*ignore")
_NO_PARAMETERS = (
    ast.Assert,
    ast.AsyncFunctionDef,
    ast.AugAssign,
    ast.ClassDef,
    ast.Delete,
    ast.Expr,
    ast.FunctionDef,
    ast.Import,
    ast.Pass,
)
"""Statements that set no name which a task could give."""


def inspect(notebook: Path | Mapping[str, Any]) -> Signature:
    """The signature of a notebook file, or of a notebook in memory (nbformat 4).

    Raises NotFound, and InvalidInput where the file is no notebook.
    """
    content = notebook if isinstance(notebook, Mapping) else read(notebook)
    metadata = content.get("metadata", {})
    kernelspec = metadata.get("kernelspec", {})
    language = metadata.get("language_info", {}).get("name") or kernelspec.get("language") or "python"
    signature = Signature(
        language=str(language).lower(),
        kernel=str(kernelspec.get("name") or "python3"),
        cells=len(content["cells"]),
        params=None,
        heading=next(_headings(content["cells"]), ""),
    )
    cell = next((cell for cell in content["cells"] if TAG in cell.get("metadata", {}).get("tags", ())), None)
    if cell is None:
        return signature
    is_python = signature.language in {"python", "ipython"}
    params, is_open = _python(cell["source"]) if is_python else (_tolerant(cell["source"]), True)
    return replace(signature, params=params, has_open_params=is_open)


def _headings(cells: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The headings of the text, as they are read; what stands between fences is code."""
    for cell in cells:
        if cell.get("cell_type") == "markdown":
            text = _FENCED.sub("", cell["source"])
            yield from (said for found in _HEADING.finditer(text) if (said := found["text"].strip("*_` ")))


def read(path: Path) -> Mapping[str, Any]:
    """A notebook file of any format, as nbformat 4. Raises NotFound and InvalidInput.

    The schema is not enforced: Jupyter, too, opens notebooks that break it in details.
    """
    text = ""
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
        notebook = _as_version_4(json.loads(text))
        _require_form(notebook)
    except FileNotFoundError:
        raise NotFound(f"notebook '{path.name}' does not exist", where=str(path)) from None
    except OSError as error:
        raise InvalidInput(f"notebook '{path.name}' cannot be read: {error.strerror}", where=str(path)) from None
    except Exception as error:  # nbformat meets broken files with whatever it stumbles over
        reason, hint = str(error).partition("\n")[0], "Open it in Jupyter and save it again."
        if line := conflict_line(text):
            reason, hint = f"git left both sides of a merge in line {line}", "Keep what is right of them."
        message = f"notebook '{path.name}' cannot be read: {reason}"
        raise InvalidInput(message, where=str(path), hint=hint) from None
    return notebook


def regular(path: Path) -> Path:
    """The path, to be read. Raises OSError, also for a pipe or a device: those may keep a reader waiting for ever."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # the system itself refuses to read a folder
        raise OSError(errno.EINVAL, "it is no regular file")
    return path


def _as_version_4(content: Any) -> Mapping[str, Any]:
    """Most files need no conversion, and are spared the import of nbformat."""
    if content.get("nbformat") == 4:
        for cell in content["cells"]:
            if isinstance(cell.get("source"), list):
                cell["source"] = "".join(cell["source"])
        return content  # type: ignore[no-any-return]
    from nbformat import converter, reader

    return converter.convert(reader.reads(json.dumps(content)), 4)  # type: ignore[no-any-return]


def _require_form(notebook: Mapping[str, Any]) -> None:
    cells, metadata = notebook["cells"], notebook.get("metadata", {})
    if not isinstance(cells, list) or not isinstance(metadata, Mapping):
        raise TypeError("its cells or its metadata are of the wrong kind")
    for name in ("kernelspec", "language_info"):
        if not isinstance(metadata.get(name, {}), Mapping):
            raise TypeError(f"its metadata has a {name} of the wrong kind")
    for number, cell in enumerate(cells, start=1):
        about = cell.get("metadata", {})
        if not isinstance(cell.get("source"), str) or not isinstance(about, Mapping):
            raise TypeError(f"cell {number} is damaged")
        if not isinstance(about.get("tags", []), list):
            raise TypeError(f"the tags of cell {number} are no list")


# --- Python --------------------------------------------------------------------------------------------------------


def _python(source: str) -> tuple[tuple[Param, ...], bool]:
    """The parameters of a cell, and whether it may set more names than could be told."""
    cell_magic = _CELL_MAGIC.match(source)
    if cell_magic and cell_magic[1] not in _PYTHON_MAGICS:
        return (), True
    parsed = parse(source)
    if parsed is None:
        return _tolerant(source), True
    tree, text = parsed
    comments, found, is_open = _comments(text), dict[str, Param](), False
    for statement in tree.body:
        match statement:
            case ast.Assign() | ast.AnnAssign():
                for param in _assigned(statement, text, comments.get(statement.end_lineno or 0, "")):
                    before = found.get(param.name)
                    found[param.name] = replace(param, type=param.type or before.type) if before else param
            case ast.ImportFrom(names=names) if all(name.name != "*" for name in names):
                pass
            case _ if not isinstance(statement, _NO_PARAMETERS):
                is_open = True
    return tuple(found.values()), is_open


def parse(source: str) -> tuple[ast.Module, str] | None:
    """The code with its magics taken out, and its text without them; None where it is no Python even so.

    Only a line that Python refuses is taken for a magic: `%` may also begin a line of an honest expression.
    """
    lines = source.split("\n")
    for _ in range(len(lines) + 1):
        text = "\n".join(lines)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the notebook's code, which is not ours to judge
                return ast.parse(text), text
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            magic = _MAGIC.match(lines[at]) if 0 <= at < len(lines) else None
            if magic is None:
                return None
            indent = magic["indent"] or magic["help_indent"] or ""
            lines[at] = f"{indent}{magic['target']} ..." if magic["target"] else f"{indent}pass"
        except (ValueError, RecursionError, MemoryError):
            return None
    return None


def _assigned(statement: ast.Assign | ast.AnnAssign, text: str, comment: str) -> Iterator[Param]:
    declared, description = _split_comment(comment)
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=None):
            yield Param(name=name, type=_annotation(annotation), is_required=True, description=description)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            yield _param(name, value, text, _annotation(annotation), description)
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from (_param(*each, text, declared, description) for each in _pairs(target, value))


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The names that an assignment sets, each with its value: `a, b = 1, 2` sets two."""
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=names), ast.Tuple(elts=parts) if len(names) == len(parts):
            for each, part in zip(names, parts, strict=True):
                yield from _pairs(each, part)
        case ast.Tuple() | ast.List() | ast.Starred(), _:
            unknown = ast.copy_location(ast.Call(value, [], []), value)  # some part of it: not to be told here
            yield from ((each.id, unknown) for each in ast.walk(target) if isinstance(each, ast.Name))


def _param(name: str, value: ast.expr, text: str, annotation: str, description: str) -> Param:
    try:
        default = _as_json(ast.literal_eval(value))
    except (ValueError, TypeError, SyntaxError, RecursionError):
        source = ast.get_source_segment(text, value) or ""
        return Param(name=name, type=annotation, default_text=source, description=description)
    return Param(name=name, type=annotation, default=default, description=description)


def _annotation(node: ast.expr) -> str:
    """The annotation as text; one in quotes is what the quotes hold."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)


def _as_json(literal: object) -> Any:
    """Raises ValueError for what JSON cannot hold as it is."""
    match literal:
        case None | bool() | int() | str():
            return literal
        case float() if math.isfinite(literal):
            return literal
        case list() | tuple():
            return [_as_json(each) for each in literal]
        case dict() if all(isinstance(name, str) for name in literal):
            return {name: _as_json(each) for name, each in literal.items()}
        case _:
            raise ValueError


def _comments(text: str) -> dict[int, str]:
    """The comment at the end of each line that has one, without its `#`."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in tokens if token.type == tokenize.COMMENT}


def _split_comment(comment: str) -> tuple[str, str]:
    """The type that a comment declares, as papermill has it (`# type: int  how many`), and what it says."""
    if _TOOL_COMMENT.match(comment):
        return "", ""
    declared = _TYPE_COMMENT.match(comment)
    return (declared["type"], declared["rest"]) if declared else ("", comment)


# --- anything else -------------------------------------------------------------------------------------------------


def _tolerant(source: str) -> tuple[Param, ...]:
    """Names set at the beginning of a line, in a language that cannot be parsed here."""
    found = (_ASSIGNED.match(line) for line in source.split("\n"))
    params = {each["name"]: Param(name=each["name"], default_text=each["value"]) for each in found if each}
    return tuple(params.values())
