"""What every command shares: its options, the terminal, the open project, and how errors become exit codes."""

from __future__ import annotations

import errno
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from nbflow.cli.help import Command
from nbflow.cli.words import shell
from nbflow.errors import InvalidInput, InvalidManifest, NbflowError, Unclosed, advised
from nbflow.states import RunState
from nbflow.text import fault

if TYPE_CHECKING:
    from rich.console import Console

    from nbflow.run import Run
    from nbflow.wiring import Live

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT})
"""With these the system refuses a file: mostly another user made it, or the disk is full. No fault of nbflow."""

P = ParamSpec("P")

Project = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        show_default=False,
        help="The project's folder. Without it, the nearest folder upward with nbflow.toml or .nbflow.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]


@dataclass
class Session:
    """One call of a command. Results go to `out`; messages, progress and errors go to `err`."""

    project: Path | None = None
    debug: bool = False

    @cached_property
    def out(self) -> Console:
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        return _console(stderr=True)

    def say(self, text: str, style: str = "") -> None:
        """A message for the person, never part of the result."""
        self.err.print(text, style=style, soft_wrap=True)

    def print_json(self, document: object) -> None:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))

    def command(self, *words: str) -> str:
        """An nbflow command to paste, with the project that this one was given."""
        return shell("nbflow", *words, *(("--project", str(self.project)) if self.project else ()))

    def open(self, slots: int | None = None) -> Live:
        """The project with everything behind it; close it by `with`."""
        from nbflow.wiring import open_project

        if self.project and not self.project.is_dir():
            raise InvalidInput(f"--project {self.project}: there is no such folder")
        return open_project(self.project, slots=slots)

    @contextmanager
    def open_runs(self, slots: int | None = None) -> Iterator[Live]:
        """The project for a command that touches runs: those whose `nbflow run` is gone are closed first.

        Where that cannot be written down now, it says so and goes on: people still want to look.
        """
        with self.open(slots) as live:
            try:
                for run in live.api.close_abandoned():
                    self._tell_closed(live.api.status(run).run)
            except Unclosed as error:
                why = advised(str(error), "The next command tries it again.")
                self.say(f"a run whose nbflow process is gone could not be closed: {why}", "yellow")
            yield live

    def _tell_closed(self, run: Run) -> None:
        """Mostly it failed; it is cancelled or even a success where its last attempts ended so before it was closed."""
        self.say(f"closed run {run.id} as {run.state}: the nbflow process that ran it is gone", "yellow")
        if run.state is not RunState.SUCCESS:
            self.say(f"  go on with it: {self.command('rerun', run.id)}")


def _console(*, stderr: bool) -> Console:
    """A console that takes text as it is. Where nobody looks it has no width, so that no line is ever cut."""
    from rich.console import Console

    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=10_000)
    return console


def command(
    app: typer.Typer, *, panel: str, name: str | None = None
) -> Callable[[Callable[Concatenate[Session, P], int | None]], Callable[Concatenate[Session, P], int | None]]:
    """Add a function to the app as a command. It gets a Session, and returns its exit code (None: 0).

    `--project` and `--debug` are added to its options; both may also stand before the command's name.
    """

    def add(
        function: Callable[Concatenate[Session, P], int | None],
    ) -> Callable[Concatenate[Session, P], int | None]:
        def call(ctx: typer.Context, *, project: Path | None, debug: bool, **options: Any) -> None:
            before: Session = ctx.obj or Session()
            session = Session(project=project or before.project, debug=debug or before.debug)
            raise typer.Exit(guarded(session, lambda: function(session, **options)))  # type: ignore[call-arg]

        _describe(call, function)
        app.command(name, cls=Command, rich_help_panel=panel)(call)
        return function

    return add


def _describe(call: Callable[..., None], function: Callable[..., Any]) -> None:
    """Give `call` the signature that Typer reads: that of the command, with the shared options for its session."""
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("project", keyword, default=None, annotation=Project),
        inspect.Parameter("debug", keyword, default=False, annotation=Debug),
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *(each.replace(kind=keyword, annotation=hints[each.name]) for each in own), *shared]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it from here
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    call.__name__ = function.__name__
    # Typer keeps the line ends of all but the first paragraph; a terminal has its own width.
    call.__doc__ = "\n\n".join(" ".join(each.split()) for each in (inspect.getdoc(function) or "").split("\n\n"))


def guarded(session: Session, work: Callable[[], int | None]) -> int:
    """Do the work; errors become a line on standard error and an exit code, never a traceback unless asked for."""
    try:
        return work() or OK
    except KeyboardInterrupt as interrupt:
        session.say(f"interrupted: {interrupt}" if interrupt.args else "interrupted")
        return INTERRUPTED
    except NbflowError as error:
        _explain(session, error)
        return WRONG_USE if isinstance(error, InvalidInput) else FAILED
    except Exception as error:
        _show_traceback(session)
        if isinstance(error, OSError) and error.errno in REFUSALS and error.filename:
            session.say(f"error: {error.filename}: {fault(error)}. What else is amiss: nbflow doctor", "red")
            return FAILED
        session.say(f"error: {type(error).__name__}: {error}", "red")
        if not session.debug:
            session.say("This is not expected. Run the command again with --debug to see where it happened.")
        return FAILED


def _explain(session: Session, error: NbflowError) -> None:
    _show_traceback(session)
    if isinstance(error, InvalidManifest):
        for problem in error.problems:
            session.say(f"{problem.severity}: {problem}", "red" if problem.severity == "error" else "yellow")
    else:
        session.say(f"error: {error}", "red")


def _show_traceback(session: Session) -> None:
    if session.debug:
        traceback.print_exc(file=sys.stderr)
