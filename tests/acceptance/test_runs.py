"""The product as a user meets it: the command line as a subprocess, real notebooks, a real store."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import nbformat
from making import PATIENCE, Project, eventually, states, write_notebook

from nbflow.notebooks.folder import AttemptFolder

BROKEN = """
    name: nightly
    tasks:
      extract: {notebook: extract.ipynb}
      clean: {notebook: clean.ipynb, depends_on: extract}
      publish: {notebook: publish.ipynb, depends_on: clean}
      unrelated: {notebook: unrelated.ipynb}
"""


def with_a_broken_task(project: Project) -> Path:
    return project.pipeline(
        "nightly",
        BROKEN,
        extract="from nbflow import task; task.output('rows', 3)",
        clean=("country = 'XX'", "raise ValueError(f'bad country {country}')", "print('never')"),
        publish="print('published')",
        unrelated="print('fine')",
    )


def test_a_failure_blocks_only_its_descendants_and_a_repair_goes_on_in_the_same_run(project: Project) -> None:
    folder = with_a_broken_task(project)
    failed = project.json("run", "nightly", code=1)
    assert failed["run"]["state"] == "failed"
    assert states(failed) == {
        "extract": "success",
        "clean": "failed",
        "publish": "upstream_failed",
        "unrelated": "success",
    }
    (clean,) = [task for task in failed["tasks"] if task["id"] == "clean"]
    (attempt,) = clean["attempts"]
    assert (clean["cause"], clean["reason"]) == ("error", "ValueError: bad country XX")
    assert (attempt["failing_cell"], attempt["error"]) == (3, {"name": "ValueError", "message": "bad country XX"})
    log = nbformat.read(attempt["notebook"], as_version=4)
    assert [cell.metadata.get("nbflow", {}).get("state") for cell in log.cells][-3:] == ["success", "failed", "not_run"]

    (folder / "clean.ipynb").unlink()
    refused = project.nbflow("rerun", "latest")
    assert refused.returncode == 2
    assert "notebook 'clean.ipynb' does not exist. Mend it, or run" in refused.stderr
    assert "(--frozen)" in refused.stderr

    write_notebook(folder / "clean.ipynb", "country = 'DE'", "print(country)")
    repaired = project.json("rerun", "latest")
    assert repaired["run"]["id"] == failed["run"]["id"]
    assert set(states(repaired).values()) == {"success"}
    assert {task["id"]: len(task["attempts"]) for task in repaired["tasks"]} == {
        "extract": 1,
        "clean": 2,
        "publish": 1,
        "unrelated": 1,
    }


def test_the_terminal_names_cell_message_and_the_next_command(project: Project) -> None:
    with_a_broken_task(project)
    done = project.nbflow("run", "nightly")
    assert done.returncode == 1
    for said in ("cell 3", "ValueError: bad country XX", "publish", "nbflow rerun", "nbflow logs"):
        assert said in done.stderr, done.stderr


def test_values_parameters_and_dates_reach_the_notebooks(project: Project) -> None:
    folder = project.pipeline(
        "values",
        """
        name: values
        params:
          region: {type: str, default: all, choices: [all, emea]}
        tasks:
          count:
            notebook: count.ipynb
          use:
            notebook: use.ipynb
            depends_on: count
            params: {rows: "{{ tasks.count.outputs.rows }}", day: "{{ run_date }}", region: "{{ params.region }}"}
        """,
        count="from nbflow import task; task.output('rows', 41)",
    )
    write_notebook(
        folder / "use.ipynb",
        "from nbflow import task; task.output('seen', [rows + 1, day.isoformat(), type(day).__name__, region])",
        parameters="from datetime import date\nrows: int = 0\nday: date = None\nregion: str = 'none'\n",
    )
    done = project.json("run", "values", "--date", "2026-03-07", "-p", "region=emea")
    (use,) = [task for task in done["tasks"] if task["id"] == "use"]
    assert use["outputs"] == {"seen": [42, "2026-03-07", "date", "emea"]}


def test_a_retry_heals_and_each_attempt_keeps_its_notebook(project: Project) -> None:
    project.pipeline(
        "flaky",
        """
        name: flaky
        tasks:
          pull: {notebook: pull.ipynb, retries: {max_retries: 2, delay: 1s, backoff: fixed}}
        """,
        pull="import os\nif os.environ['NBFLOW_ATTEMPT'] == '1':\n    raise ConnectionError('503')",
    )
    done = project.json("run", "flaky")
    (pull,) = done["tasks"]
    assert [attempt["state"] for attempt in pull["attempts"]] == ["failed", "success"]
    assert len({attempt["notebook"] for attempt in pull["attempts"]}) == 2
    assert all(Path(attempt["notebook"]).is_file() for attempt in pull["attempts"])


def test_a_retry_runs_the_frozen_notebook_and_a_repair_the_current_one(project: Project) -> None:
    folder = project.pipeline(
        "frozen",
        """
        name: frozen
        tasks:
          edit: {notebook: edit.ipynb, retries: {max_retries: 1, delay: 1s, backoff: fixed}}
        """,
    )
    path = folder / "edit.ipynb"
    write_notebook(path, "print('first version')", f"open({str(path)!r}, 'a').write(' ')", "raise OSError('again')")
    failed = project.json("run", "frozen", code=1)
    sources = [nbformat.read(each["notebook"], as_version=4) for each in failed["tasks"][0]["attempts"]]
    assert len(sources) == 2
    assert all(any("first version" in cell.source for cell in source.cells) for source in sources)
    write_notebook(path, "print('second version')")
    preview = project.nbflow("rerun", "latest", "--dry-run")
    assert "edit" in preview.stdout + preview.stderr
    assert project.json("rerun", "latest")["run"]["state"] == "success"


def running_kernel_cell(project: Project) -> bool:
    return any("cell_start" in path.read_text() for path in project.folder.glob(".nbflow/runs/*/*/*/*/events.jsonl"))


def sleeping(project: Project, cell: str) -> None:
    project.pipeline(
        "slow",
        """
        name: slow
        tasks:
          wait: {notebook: wait.ipynb, retries: 3}
          after: {notebook: after.ipynb, depends_on: wait}
        """,
        wait=cell,
        after="print('after')",
    )


def test_ctrl_c_cancels_with_grace_and_the_log_says_so(project: Project) -> None:
    sleeping(project, "import time; time.sleep(600)")
    running = project.spawn("run", "slow")
    eventually(lambda: running_kernel_cell(project))
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE) == 130
    document = project.json("status", "latest")
    assert document["run"]["state"] == "cancelled"
    assert states(document) == {"wait": "cancelled", "after": "cancelled"}
    log = nbformat.read(document["tasks"][0]["attempts"][0]["notebook"], as_version=4)
    assert "KeyboardInterrupt" in str(log.cells)


def grace_of(attempt: Path) -> float | None:
    """Seconds that a notebook has been given to stop; None while it may go on."""
    order = AttemptFolder(attempt).stop_order()
    return order.grace.total_seconds() if order else None


def test_a_second_ctrl_c_kills_what_ignores_the_first(project: Project) -> None:
    sleeping(project, "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)")
    running = project.spawn("run", "slow")
    eventually(lambda: running_kernel_cell(project))
    running.send_signal(signal.SIGINT)
    (attempt,) = project.folder.glob(".nbflow/runs/slow/*/wait/1")
    eventually(lambda: grace_of(attempt) == 10)
    running.send_signal(signal.SIGINT)
    eventually(lambda: grace_of(attempt) == 0)
    assert running.wait(PATIENCE) == 130
    assert project.json("status", "latest")["run"]["state"] == "cancelled"


def test_a_secret_is_found_nowhere(project: Project) -> None:
    value = "s3cr3t-Pä$$word/1234567890"
    project.pipeline(
        "secretive",
        """
        name: secretive
        tasks:
          use: {notebook: use.ipynb, secrets: {API_KEY: stripe_key}}
        """,
        use=(
            "import os, sys; key = os.environ['API_KEY']; assert key.startswith('s3cr3t')",
            "print(key); print(key, file=sys.stderr); key",
            "for letter in key: print(letter, end='', flush=True)",
            "os.write(1, key.encode()); os.system('echo \"$API_KEY\"')",
            "from nbflow import task; task.output('key', key)",
            "raise RuntimeError(f'cannot log in with {key}')",
        ),
    )
    failed = project.json("run", "secretive", code=1, NBFLOW_SECRET_STRIPE_KEY=value)
    assert "***" in failed["tasks"][0]["reason"]
    forms = (value.encode(), value.encode("unicode_escape"))
    for path in project.folder.rglob("*"):
        if path.is_file() and path.name != "use.ipynb":
            found = [form for form in forms if form in path.read_bytes()]
            assert not found, path
    project.nbflow("run", "secretive")
    assert "stripe_key" in project.json("status", "latest")["tasks"][0]["reason"]  # missing: named, never guessed


def test_some_tasks_only_with_values_lent_by_another_run(project: Project) -> None:
    project.pipeline(
        "lend",
        """
        name: lend
        tasks:
          first: {notebook: first.ipynb}
          second: {notebook: second.ipynb, depends_on: first, env: {ROWS: "{{ tasks.first.outputs.rows }}"}}
        """,
        first="from nbflow import task; task.output('rows', 7)",
        second="import os; from nbflow import task; task.output('rows', os.environ['ROWS'])",
    )
    project.json("run", "lend")
    refused = project.nbflow("run", "lend", "--task", "second")
    assert refused.returncode == 2
    assert "needs values of 'first'" in refused.stderr
    lent = project.json("run", "lend", "--task", "second", "--from", "latest")
    assert states(lent) == {"second": "success"}
    assert lent["tasks"][0]["outputs"] == {"rows": "7"}


def test_one_notebook_is_a_pipeline_of_one_task(project: Project) -> None:
    write_notebook(project.folder / "Ad hoc.ipynb", "print(1)")
    assert states(project.json("run", "Ad hoc.ipynb")) == {"ad_hoc": "success"}


def test_marking_a_failure_by_hand_lets_the_rest_run(project: Project) -> None:
    with_a_broken_task(project)
    project.json("run", "nightly", code=1)
    marked = project.nbflow("mark", "latest", "clean", "success", "--note", "cleaned by hand")
    assert marked.returncode == 0, marked.stderr
    document = project.json("status", "latest")
    assert document["run"]["state"] == "success"
    (clean,) = [task for task in document["tasks"] if task["id"] == "clean"]
    assert clean["note"] == "cleaned by hand"
    assert clean["set_by"]


def test_two_hundred_trivial_notebooks_with_four_slots(project: Project) -> None:
    """Layers of ten, each task after three of the layer before; nbflow itself stays below 200 MB."""
    lines = ["name: wide", "tasks:"]
    for at in range(200):
        ups = [f"t{(at // 10 - 1) * 10 + (at + shift) % 10}" for shift in range(3)] if at >= 10 else []
        lines.append(f"  t{at}: {{notebook: one.ipynb, depends_on: [{', '.join(ups)}]}}")
    project.pipeline("wide", "\n".join(lines), one="print('done')")
    running = project.spawn("run", "wide", "--slots", "4")
    peak = 0
    while running.poll() is None:
        peak = max(peak, _peak_memory(running.pid))
        time.sleep(0.2)
    assert running.returncode == 0
    document = project.json("status", "latest")
    assert set(states(document).values()) == {"success"}
    assert {len(task["attempts"]) for task in document["tasks"]} == {1}
    assert 0 < peak < 200 * 1024**2


def _peak_memory(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0
