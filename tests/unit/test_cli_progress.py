"""A run while it is driven: lines for a log, a picture for a terminal, and Ctrl-C."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO

import pytest
from building import Play, pipeline, task
from cli_world import CHAIN, FAILURE, SUCCESS, CommandLine, FakeApi, FakeLive, failing, played, succeeding
from rich.console import Console

from nbflow import graph
from nbflow.cli import driving
from nbflow.cli.driving import SIGNALS, Driving
from nbflow.cli.picture import Picture, draw, rows_to_show
from nbflow.cli.progress import Lines, transition_text
from nbflow.estimates import Past
from nbflow.model import Pipeline, Retries
from nbflow.ports import Progress
from nbflow.run import Asked, Attempt, CancelRequested, Run
from nbflow.states import TaskState

RETRYING = pipeline(task("extract", retries=Retries(max_retries=2, delay=timedelta(seconds=30))))


def told(play: Play, *steps: Callable[[Play], object]) -> list[str]:
    """What the lines say about a run, without the times of day."""
    said: list[str] = []
    with Lines(said.append) as watcher:
        watcher(play.live)
        for step in steps:
            step(play)
            watcher(play.live)
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in said]


def test_a_line_for_each_transition() -> None:
    def end(play: Play) -> None:
        play.end("extract", outputs={"rows": 3, "path": "orders.csv"})

    assert told(Play(CHAIN), lambda play: play.start("extract"), end, *SUCCESS[1:]) == [
        "run r1 of nightly for 2026-04-01",
        "extract: running",
        "extract: success in 0.0 s: rows=3, path=orders.csv",
        "clean: success in 2.0 s",
        "publish: success in 2.0 s",
    ]


def test_a_failure_and_what_it_blocks() -> None:
    assert told(Play(CHAIN), *FAILURE)[2:] == [
        "clean: failed in 4.0 s: ValueError: bad country",
        "publish: upstream_failed: blocked by clean (failed)",
    ]


def test_a_retry_names_the_next_try() -> None:
    said = told(
        Play(RETRYING), failing("extract"), lambda play: play.later(seconds=40), lambda play: play.start("extract")
    )
    assert re.fullmatch(r"extract: next try at \d\d:\d\d:\d\d, attempt 1 failed: ValueError: bad country", said[1])
    assert said[2:] == ["extract: running, attempt 2"]


def test_a_repair_does_not_tell_again_what_had_ended_before() -> None:
    play = played(succeeding("extract"), succeeding("clean"))
    assert told(play, succeeding("publish"))[1:] == ["publish: success in 2.0 s"]


def test_of_a_run_that_has_ended_nothing_is_told() -> None:
    assert told(played(*SUCCESS)) == []


def test_messages_of_notebooks_stay_on_their_line_and_move_no_cursor() -> None:
    play = played(succeeding("extract"), failing(message="one\ntwo\x1b[2J\x1b]0;title\x07"))
    assert transition_text(play["clean"]) == "failed in 4.0 s: ValueError: one two [2J ]0;title"


def test_a_long_message_makes_no_long_line() -> None:
    play = played(succeeding("extract"), failing(message="x" * 5000))
    assert transition_text(play["clean"]) == f"failed in 4.0 s: ValueError: {'x' * 187}…"
    assert max(map(len, drawn(play, width=10_000))) < 300


# --- the picture --------------------------------------------------------------------------------------------------


def no_cells(run: Run, attempt: Attempt) -> None:
    return None


def drawn(play: Play, width: int = 80, height: int = 20, cells: object = no_cells, **usual: float) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, force_terminal=False, markup=False, highlight=False)
    rows = rows_to_show(play.live, graph.order(play.live.pipeline.tasks), height - 4)
    console.print(draw(play.live, rows, cells, usual, play.now))  # type: ignore[arg-type]
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_picture_of_a_run() -> None:
    play = played(succeeding("extract"))
    play.start("clean")
    play.now += timedelta(seconds=7)
    lines = drawn(play, cells=lambda run, attempt: Progress(cell=3, cells=12), clean=240.0)
    assert [line.rstrip() for line in lines] == [
        "nightly  2026-04-01  run r1",
        "state      task       took  usual",
        "✓ success  extract   2.0 s",
        "▶ running  clean     7.0 s  4 min  cell 3 of 12",
        "○ waiting  publish",
        "1 of 3 tasks ended · 1 running · 1 waiting · 1 success · 9.0 s",
    ]


def test_a_run_with_a_past_says_when_it_will_be_ready() -> None:
    play = Play(CHAIN)
    screen = StringIO()
    past = Past(seconds={"extract": [3600.0], "clean": [60.0]}, good=(), slots=1)
    with Picture(Console(file=screen, force_terminal=True, width=120), no_cells, past) as watcher:
        watcher(play.live)
    assert re.search(r"0 of 3 tasks ended · .* · ready at (\d{4}-\d\d-\d\d )?\d\d:\d\d\b", screen.getvalue())


def test_only_the_last_column_gives_way_on_a_narrow_screen() -> None:
    play = played(succeeding("extract"), failing(message="x" * 200))
    lines = drawn(play, width=50)
    assert all(len(line) <= 50 for line in lines)
    assert re.match(r"✕ failed +clean +4\.0 s +ValueError: x+…$", lines[3])


def test_messages_are_no_markup() -> None:
    assert "[red]bad[/red]" in "\n".join(drawn(played(succeeding("extract"), failing(message="[red]bad[/red]"))))


def wide(count: int) -> Pipeline:
    return pipeline(**{f"t{at}": "" for at in range(count)})


def test_of_thousands_of_tasks_the_interesting_ones_are_shown_and_all_are_counted() -> None:
    play = Play(wide(2000))
    play.succeed("t5", "t6")
    failing("t1500")(play)
    play.start("t1999")
    lines = drawn(play, height=8)
    assert [line.split()[:3] for line in lines[2:-1]] == [
        ["◷", "queued", "t0"],
        ["◷", "queued", "t1"],
        ["✕", "failed", "t1500"],
        ["▶", "running", "t1999"],
    ]
    assert lines[-1].startswith("3 of 2,000 tasks ended · 4 shown · 1 failed · 1 running · 1,996 queued · 2 succ")


def test_the_picture_is_drawn_on_a_terminal_and_stays_at_the_end() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=20, markup=False, highlight=False)
    play = Play(CHAIN)
    with Picture(console, no_cells, Past(seconds={}, good=(), slots=1)) as watcher:
        watcher(play.live)
        for step in FAILURE:
            step(play)
            watcher(play.live)
    last = screen.getvalue().rpartition("nightly")[2]
    assert "3 of 3 tasks ended" in last
    assert "ValueError: bad country" in last


def test_the_picture_of_a_run_that_had_ended_is_not_drawn() -> None:
    screen = StringIO()
    with Picture(Console(file=screen, force_terminal=True), no_cells, Past(seconds={}, good=(), slots=1)) as watcher:
        watcher(played(*SUCCESS).live)
    assert screen.getvalue() == ""


# --- signals ------------------------------------------------------------------------------------------------------


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield
    for each, handler in before.items():
        assert signal.getsignal(each) == handler


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_run_is_driven_cancels_it(number: signal.Signals) -> None:
    live, said = FakeLive(FakeApi()), list[str]()
    play = Play(CHAIN)
    with Driving(live, Lines(said.append)) as watch:  # type: ignore[arg-type]
        watch(play.live)
        signal.raise_signal(number)
        watch(play.live)
        signal.raise_signal(number)
        watch(play.live)
    assert live.interrupts == watch.interrupts == 2
    assert said[-2].startswith("cancelling")
    assert said[-1].startswith("killing")


@pytest.mark.usefixtures("handlers")
def test_a_signal_before_anything_is_driven_ends_the_command() -> None:
    live = FakeLive(FakeApi())
    with pytest.raises(KeyboardInterrupt), Driving(live, Lines(lambda text: None)):  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)
    assert live.interrupts == 0


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Driving(FakeLive(FakeApi()), Lines(lambda text: None)):  # type: ignore[arg-type]
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_before_the_first_turn_cancels_a_run_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    nbflow = CommandLine(monkeypatch)
    drive = nbflow.api.drive

    def at_once(run: str, watch: Callable[[object], None]) -> object:
        signal.raise_signal(signal.SIGINT)
        return drive(run, watch)

    monkeypatch.setattr(nbflow.api, "drive", at_once)
    nbflow.api.steps = [lambda play: play.tell(Asked(id=0, request=CancelRequested(by="me")))]
    assert nbflow("run", "nightly").exit_code == 130
    assert nbflow.live.interrupts == 1


def test_a_run_that_another_process_drives_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    nbflow = CommandLine(monkeypatch)
    steps = list(FAILURE)
    monkeypatch.setattr(nbflow.api, "_drive", lambda watch: nbflow.api.play.live.run)
    monkeypatch.setattr(driving.time, "sleep", lambda seconds: steps.pop(0)(nbflow.api.play))
    done = nbflow("rerun", "latest")
    assert done.exit_code == 1
    assert "extract: success" in done.stderr
    assert "clean in cell 3" in done.stderr
    assert steps == []


def test_an_interrupted_run_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    nbflow = CommandLine(monkeypatch)

    def interrupted(play: Play) -> None:
        signal.raise_signal(signal.SIGINT)
        play.tell(Asked(id=0, request=CancelRequested(by="me")))

    nbflow.api.steps = [succeeding("extract"), interrupted]
    done = nbflow("run", "nightly")
    assert done.exit_code == 130
    assert "cancelling: notebooks are interrupted" in done.stderr
    assert "cancelled  run r1" in done.stderr
    assert nbflow.live.interrupts == 1
    assert nbflow.api.play["clean"].state is TaskState.CANCELLED
