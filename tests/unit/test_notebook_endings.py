"""The sentences for every ending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nbflow.notebooks import endings
from nbflow.notebooks.endings import Ending
from nbflow.run import ErrorInfo
from nbflow.states import AttemptState, Cause

AT = datetime(2026, 4, 1, 9, 30, 5, tzinfo=UTC)
ERROR = ErrorInfo(name="ValueError", message="bad `country`\nin line 3", bases=("Exception",))


@pytest.mark.parametrize(
    ("ending", "state", "cause", "failing_cell", "banner"),
    [
        (endings.succeeded(), AttemptState.SUCCESS, None, None, None),
        (
            endings.left_early(2), AttemptState.SUCCESS, None, None,
            "**Ended early** in [cell 2](#c2) on 2026-04-01 at 09:30:05 UTC: "
            "`the notebook ended itself; the cells below did not run`",
        ),
        (
            endings.skipped(None, ""), AttemptState.SKIPPED, None, None,
            "**Skipped** on 2026-04-01 at 09:30:05 UTC: `the notebook said so`",
        ),
        (
            endings.raised(3, ERROR), AttemptState.FAILED, Cause.ERROR, 3,
            "**Failed** in [cell 3](#c3) on 2026-04-01 at 09:30:05 UTC: `` ValueError: bad `country` in line 3 ``",
        ),
        (
            endings.kernel_died(3, -9, 3 << 29), AttemptState.FAILED, Cause.KERNEL_DIED, 3,
            "**Failed** in [cell 3](#c3) on 2026-04-01 at 09:30:05 UTC: `the kernel was killed by signal 9 (SIGKILL); "
            "it had used up to 1.5 GiB of memory. Perhaps the machine ran out of memory`",
        ),
        (
            endings.kernel_died(3, 7, None), AttemptState.FAILED, Cause.KERNEL_DIED, 3,
            "**Failed** in [cell 3](#c3) on 2026-04-01 at 09:30:05 UTC: `the kernel ended with exit code 7`",
        ),
        (
            endings.kernel_did_not_start("no answer"), AttemptState.FAILED, Cause.KERNEL_START, None,
            "**Failed** on 2026-04-01 at 09:30:05 UTC: `no answer`",
        ),
        (
            endings.refused("no kernel"), AttemptState.FAILED, Cause.INVALID, None,
            "**Failed** on 2026-04-01 at 09:30:05 UTC: `no kernel`",
        ),
        (
            endings.not_stored(1, "disk full"), AttemptState.FAILED, Cause.STORAGE, 1,
            "**Failed** in [cell 1](#c1) on 2026-04-01 at 09:30:05 UTC: "
            "`the attempt's files could not be written: disk full`",
        ),
        (
            endings.timed_out(4, timedelta(minutes=90), "notebook"), AttemptState.FAILED, Cause.TIMEOUT, 4,
            "**Failed** in [cell 4](#c4) on 2026-04-01 at 09:30:05 UTC: `the notebook ran longer than 90 min`",
        ),
        (
            endings.cancelled(None, "ana"), AttemptState.CANCELLED, Cause.CANCELLED, None,
            "**Cancelled** on 2026-04-01 at 09:30:05 UTC: `cancelled by ana`",
        ),
        (
            endings.lost(2, "gone"), AttemptState.LOST, Cause.LOST, 2,
            "**Lost** in [cell 2](#c2) on 2026-04-01 at 09:30:05 UTC: `gone`",
        ),
    ],
)  # fmt: skip
def test_every_ending(
    ending: Ending, state: AttemptState, cause: Cause | None, failing_cell: int | None, banner: str | None
) -> None:
    assert (ending.state, ending.cause, ending.failing_cell) == (state, cause, failing_cell)
    assert ending.banner(AT) == banner


def test_what_is_long_is_cut() -> None:
    ending = endings.raised(1, ErrorInfo(name="E", message="x" * 10_000))
    assert ending.error is not None
    assert len(ending.error.message) == endings.LONGEST_MESSAGE
    assert len(ending.banner(AT) or "") < 400


def test_numbers_of_the_kernels_death() -> None:
    killed, left = endings.kernel_died(1, -9, None), endings.kernel_died(1, 0, None)
    assert (killed.signal, killed.exit_code) == (9, None)
    assert (left.signal, left.exit_code) == (None, 0)
    assert endings.how_it_ended(-77) == "was killed by signal 77"
    assert "out of memory" not in endings.kernel_died(1, -11, None).reason
