"""What cells show, with real kernels: floods, secrets, displays, reported values, and text that overwrites itself."""

from __future__ import annotations

import json
import resource
from datetime import datetime
from pathlib import Path

from attempts import Attempt, code, notebook

from nbflow.notebooks.capture import LARGEST
from nbflow.notebooks.log import TELL_EVERY
from nbflow.notebooks.outputs import Replay
from nbflow.states import AttemptState, Cause

TELL_PEAK = "import atexit, resource; atexit.register(lambda: print('PEAK', resource.getrusage(0).ru_maxrss))"
SECRET = 'p4ss/w0rd & "more" of ünit'


def assert_events_tell_the_same(attempt: Attempt) -> None:
    """Whoever reads only the events sees the notebook's outputs."""
    replay = Replay()
    replay.apply_all(attempt.events)
    for cell in attempt.notebook.cells:
        if cell.cell_type == "code":
            assert replay.cells[cell.metadata.nbflow.cell].to_nbformat() == cell.outputs


def test_floods_are_taken_in_full(tmp_path: Path) -> None:
    """100,000 prints, 3,000 flushed ones, 50 MB, 2,500 displays: nothing is lost, everything is bounded."""
    attempt = Attempt(
        tmp_path,
        notebook(
            "for i in range(100_000): print(i)",
            "for i in range(3_000): print(i, flush=True)",
            "for i in range(500): print('x' * 99_999)",
            "for i in range(2_500): display(i)",
            "raise ValueError('z' * 200_000)",
        ),
    )
    attempt.run(before=TELL_PEAK)
    assert attempt.outcome.cause is Cause.ERROR
    assert attempt.states == {1: "success", 2: "success", 3: "success", 4: "success", 5: "failed"}
    assert attempt.shown(1) == "".join(f"{i}\n" for i in range(100_000))
    assert attempt.shown(2) == "".join(f"{i}\n" for i in range(3_000))
    assert_is_cut(attempt, 3, ("x" * 99_999 + "\n") * 500)
    assert len(attempt.shown(3)) < LARGEST + 200
    assert_is_cut(attempt, 4, "".join(f"{i}\n" for i in range(2_500)))
    assert len(attempt.cell(4).outputs) == 2_001
    assert len(attempt.shown(5)) < 200_000
    assert len(attempt.outcome.reason) < 3_000
    assert attempt.folder.notebook.stat().st_size < 5 * LARGEST
    assert attempt.folder.events.stat().st_size < 5 * LARGEST
    assert_events_tell_the_same(attempt)
    peak = int((attempt.folder.path / "stderr").read_text().rpartition("PEAK")[2])
    assert peak * 1024 < 600 << 20


def assert_is_cut(attempt: Attempt, number: int, whole: str) -> None:
    """The cell says where the whole text is, and there it is."""
    assert attempt.shown(number).endswith(f"The whole text is in outputs/{number}.txt.\n")
    assert (attempt.folder.outputs / f"{number}.txt").read_text() == whole


def test_a_large_picture_is_kept_beside_the_notebook(tmp_path: Path) -> None:
    source = """
from IPython.display import display, HTML
display({"image/png": "aGVsbG8g" * 200_000, "text/plain": "<a figure>"}, raw=True)
display(HTML("<b>small</b>"))
print("on")"""
    attempt = Attempt(tmp_path, notebook(source)).run()
    first, second, _ = attempt.cell(1).outputs
    assert first.data == {"text/plain": "<a figure>\n[nbflow] image/png, 1,200,000 bytes: in outputs/1-1.png"}
    assert (attempt.folder.outputs / "1-1.png").read_bytes() == b"hello " * 200_000
    assert second.data["text/html"] == "<b>small</b>"
    assert attempt.shown(1).endswith("on\n")
    assert_events_tell_the_same(attempt)


def test_secrets_are_masked_everywhere(tmp_path: Path) -> None:
    halves = """
import os, sys, time
secret = os.environ["KEY"]
half = len(secret) // 2
for part in ("one ", secret[:half], secret[half:], " two\\n"):
    print(part, end="", flush=True)
    time.sleep(0.02)
print(secret, file=sys.stderr)"""
    forms = """
import json
from IPython.display import display, HTML
from urllib.parse import quote, quote_plus
from nbflow import task
display({"text/plain": secret, "application/json": {"a": [secret], secret: 1}}, raw=True)
print(json.dumps(secret), quote(secret), quote_plus(secret), repr(secret))
task.output("key", {"is": secret})
os.write(1, b"by descriptor " + secret.encode() + b"\\n")
os.write(sys.__stderr__.fileno(), b"raw " + secret.encode() + b"\\n")
for i in range(150): print((secret + " ") * 2_000)"""
    attempt = Attempt(tmp_path, notebook(halves, forms, "raise ValueError(secret)"), secrets={"KEY": "the_key"})
    attempt.run(NBFLOW_SECRET_THE_KEY=SECRET)
    assert attempt.shown(1) == "one *** two\n***\n"
    assert attempt.cell(2).outputs[0].data["application/json"] == {"a": ["***"], "***": 1}
    assert "*** *** *** ***" in attempt.shown(2).replace('"', "").replace("'", "")
    assert attempt.outcome.outputs == {"key": {"is": "***"}}
    assert attempt.outcome.reason == "ValueError: ***"
    assert (attempt.folder.outputs / "2.txt").read_text().count("***") > 300_000
    parts = ("p4ss", "w0rd", "ünit", "\\u00fcnit", "%C3%BCnit")
    files = [path for path in attempt.folder.path.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert not [part for part in parts if part in path.read_text() and path.name != "source.ipynb"], path


def test_a_secrets_file(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("import os; print(len(os.environ['KEY']))"), secrets={"KEY": "the_key"})
    file = attempt.project / ".nbflow" / "secrets.toml"
    file.parent.mkdir()
    file.write_text('the_key = "from a file"')
    file.chmod(0o600)
    assert attempt.run().shown(1) == "11\n"


def test_values_are_reported(tmp_path: Path) -> None:
    attempt = Attempt(
        tmp_path,
        notebook(
            """
import numpy, datetime, pathlib
from nbflow import task
task.output("rows", numpy.int64(1234))
task.output("rows", 12)
task.output("until", datetime.date(2026, 4, 1))
task.output("path", pathlib.Path("a/b"))
task.output("table", {"a": [1, 2.5, None]})""",
            """
mime = "application/vnd.nbflow+json"
for message in ({"type": "progress"}, "no json", [1], {"type": "output", "name": "big", "value": "x" * 70_000},
                {"type": "output", "name": "not a name", "value": 1}, '{"type": "output", "name": "text", "value": 7}'):
    display({mime: message}, raw=True)""",
            "task.output('big', 'x' * 70_000)",
        ),
    ).run()
    outcome = attempt.outcome
    assert outcome.outputs == {
        "rows": 12, "until": "2026-04-01", "path": "a/b", "table": {"a": [1, 2.5, None]}, "text": 7,
    }  # fmt: skip
    assert "rows = 1234" in attempt.shown(1)
    assert attempt.shown(2).count("[nbflow] A message to nbflow was not used") == 5
    for why in (
        "knows the types output and skip",
        "no JSON",
        "70,002 bytes",
        "no identifier",
        'no object with a "type"',
    ):
        assert why in attempt.shown(2)
    assert outcome.error is not None
    assert outcome.error.name == "ValueError"
    assert "Write it to a file" in outcome.error.message
    messages = [event for event in attempt.events if event["event"] == "message"]
    assert [each["name"] for each in messages] == ["rows", "rows", "until", "path", "table", "text"]
    assert messages[0]["cell"] == 1
    assert_events_tell_the_same(attempt)


def test_displays_that_change(tmp_path: Path) -> None:
    attempt = Attempt(
        tmp_path,
        notebook(
            "handle = display('first', display_id=True)\nprint('between')\nhandle.update('second')",
            "import time\nfrom IPython.display import clear_output\nhandle.update('third')",
            "for i in range(300):\n    clear_output(wait=True)\n    print('step', i)",
            "for i in range(101):\n    print(f'\\r{i} %', end='', flush=True)\n    time.sleep(0.002)\nprint('\\ndone')",
            "print('gone')\nclear_output()\nprint('a\\x00\\udc80b')",
        ),
    ).run()
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert attempt.shown(1) == "'third'between\n"
    assert attempt.shown(3) == "step 299\n"
    assert attempt.shown(4) == "100 %\ndone\n"
    assert attempt.shown(5) == "a\x00\ufffdb\n"
    began, *told, ended = (event for event in attempt.events if event.get("cell") == 4)
    seconds = (datetime.fromisoformat(ended["time"]) - datetime.fromisoformat(began["time"])).total_seconds()
    assert len(told) <= 2 + seconds / TELL_EVERY
    assert_events_tell_the_same(attempt)
    for line in attempt.folder.events.read_text().splitlines():
        json.loads(line, parse_constant=lambda name: (_ for _ in ()).throw(AssertionError(name)))


def test_what_comes_late_is_shown_in_the_cell_that_began_it(tmp_path: Path) -> None:
    source = """
import asyncio
async def talk():
    await asyncio.sleep(0.3)
    print("late")
task = asyncio.create_task(talk())
print("early")"""
    attempt = Attempt(tmp_path, notebook(source, "await asyncio.sleep(0.8)\nprint('second')")).run()
    assert attempt.shown(1) == "early\nlate\n"
    assert attempt.shown(2) == "second\n"
    assert_events_tell_the_same(attempt)


def test_the_notebook_is_saved_while_it_runs(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("print('seen', flush=True)\nimport time; time.sleep(600)", code("2")))
    with attempt.running() as runner:
        attempt.wait_for("output")
        while "seen" not in attempt.shown(1):  # as it was saved
            assert runner.poll() is None
        assert attempt.states == {1: "running", 2: "not_run"}
        assert attempt.cell(1).metadata.papermill.status == "running"
        assert attempt.notebook.metadata.nbflow.state == "running"
        assert attempt.banner is None


def test_memory_is_the_limit(tmp_path: Path) -> None:
    """Where the system enforces a limit, a cell that is greedy fails with MemoryError and the log says so."""
    source = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nx = bytearray(2 << 30)"
    attempt = Attempt(tmp_path, notebook(source, "2")).run()
    assert attempt.outcome.error is not None
    assert attempt.outcome.error.name == "MemoryError"
    assert attempt.outcome.failing_cell == 1
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
