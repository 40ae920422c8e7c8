"""What a cell shows: merging, overwriting, caps, clearing, and the files beside the notebook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from nbflow.notebooks import spill as spill_module
from nbflow.notebooks.capture import LARGEST, MOST, CellCapture
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.outputs import CellOutputs, Replay, StreamOutput, byte_size, overwrite
from nbflow.notebooks.spill import Spill


@pytest.fixture
def cell(tmp_path: Path) -> CellCapture:
    return CellCapture(3, Mask(["s3cret"]), Spill(tmp_path / "outputs", 3))


def png(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


def display(**data: Any) -> dict[str, Any]:
    mimes = {"text": "text/plain", "html": "text/html", "png": "image/png", "json": "application/json"}
    return {
        "output_type": "display_data",
        "data": {mimes[name]: value for name, value in data.items()},
        "metadata": {},
    }


def shown(cell: CellCapture) -> list[dict[str, Any]]:
    return cell.outputs.to_nbformat()


def text_of(cell: CellCapture) -> str:
    return "".join(output["text"] for output in shown(cell) if output["output_type"] == "stream")


def replayed(*batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    replay = Replay()
    for batch in batches:
        replay.apply_all(batch)
    return replay.cells[3].to_nbformat()


# --- text -----------------------------------------------------------------------------------------------------------


def test_text_of_one_stream_is_one_output(cell: CellCapture) -> None:
    for name, text in (("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d")):
        cell.stream(name, text)
    assert [(output["name"], output["text"]) for output in shown(cell)] == [
        ("stdout", "ab\n"), ("stderr", "c"), ("stdout", "d"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("10 %\r20 %",), "20 %"),
        (("10 %", "\r20 %", "\r30 %\n"), "30 %\n"),
        (("10 %\r", "20 %\r", "\n"), "20 %\r\n"),
        (("a\r\nb\r\n",), "a\r\nb\r\n"),
        (("a\r", "\nb"), "a\r\nb"),
        (("done\n", "10 %\r", "20 %"), "done\n20 %"),
        (("a\rb\nc\rd",), "b\nd"),
        (("abc\r\r\rd",), "d"),
        (("\rstart",), "start"),
    ],
)
def test_a_return_overwrites_its_line(pieces: tuple[str, ...], text: str) -> None:
    stream = StreamOutput("stdout")
    for piece in pieces:
        stream.add(piece)
    assert stream.text == text
    assert stream.size == len(text)


def test_a_return_of_a_line_that_is_not_given_is_kept() -> None:
    assert overwrite("1\r2\n3\r4", continues=True) == "\r2\n4"
    assert overwrite("1\r2\n3\r4") == "2\n4"
    assert overwrite("12\n", continues=True) == "12\n"


def test_sizes_are_bytes() -> None:
    stream = StreamOutput("stdout")
    stream.add("ü€\n")
    stream.add("ü")
    assert stream.size == byte_size("ü€\nü") == 8


def test_a_secret_in_two_pieces_is_masked(cell: CellCapture) -> None:
    cell.stream("stdout", "it is s3")
    assert text_of(cell) == "it is "
    cell.stream("stderr", "in between\n")
    cell.stream("stdout", "cret, really, s")
    cell.finish()
    assert text_of(cell) == "it is in between\n***, really, s"


# --- caps -----------------------------------------------------------------------------------------------------------


def test_text_beyond_the_cap_goes_to_a_file(cell: CellCapture, tmp_path: Path) -> None:
    line = "0123456789\n"
    lines = 2 * LARGEST // len(line)
    for _ in range(lines):
        cell.stream("stdout", line)
    cell.stream("stderr", "also s3cret\n")
    cell.finish()
    text = text_of(cell)
    assert text.startswith(line * (LARGEST // len(line)))
    assert text.endswith("\n[nbflow] More than a log can hold. The whole text is in outputs/3.txt.\n")
    assert LARGEST < len(text) < LARGEST + 100
    assert (tmp_path / "outputs" / "3.txt").read_text() == line * lines + "also ***\n"


def test_an_error_is_shown_however_full_the_cell_is(cell: CellCapture, tmp_path: Path) -> None:
    cell.stream("stdout", "x" * (LARGEST + 1))
    cell.error("ValueError", "y" * 200_000 + "s3cret", ["Traceback", "s3cret" + "z" * 200_000])
    error = shown(cell)[-1]
    assert error["output_type"] == "error"
    assert len(error["evalue"]) < 70_000
    assert error["evalue"].endswith("yyy***")
    assert "characters left out" in error["evalue"]
    assert len("".join(error["traceback"])) < 70_000
    assert cell.shown_error
    assert (tmp_path / "outputs" / "3.txt").read_text().endswith("zz\n")


def test_errors_without_end_are_cut_too(cell: CellCapture, tmp_path: Path) -> None:
    cell.stream("stdout", "x" * (LARGEST + 1))
    for number in range(20):
        cell.error("ValueError", str(number), [f"error {number}"])
    assert len(shown(cell)) == 2 + 10
    assert "error 19\n" in (tmp_path / "outputs" / "3.txt").read_text()


def test_too_many_outputs(cell: CellCapture, tmp_path: Path) -> None:
    for number in range(MOST + 5):
        cell.show(display(text=str(number)))
    cell.stream("stdout", "more")
    outputs = shown(cell)
    assert len(outputs) == MOST + 1
    assert "outputs/3.txt" in outputs[-1]["text"]
    whole = "".join(f"{number}\n" for number in range(MOST + 5)) + "more"
    assert (tmp_path / "outputs" / "3.txt").read_text() == whole


def test_too_many_changes_between_streams(cell: CellCapture, tmp_path: Path) -> None:
    for number in range(MOST + 4):
        cell.stream("stdout" if number % 2 else "stderr", f"{number}\n")
    assert len(shown(cell)) == MOST + 1
    assert (tmp_path / "outputs" / "3.txt").read_text() == "".join(f"{number}\n" for number in range(MOST + 4))


def test_a_display_that_does_not_fit_is_kept_beside(cell: CellCapture, tmp_path: Path) -> None:
    cell.show(display(png=png(LARGEST), text="<figure>"))
    cell.show(display(html="<b>" * LARGEST, json={"a": "x" * LARGEST}))
    first, second = shown(cell)
    assert first["data"] == {"text/plain": f"<figure>\n[nbflow] image/png, {LARGEST:,} bytes: in outputs/3-1.png"}
    assert (tmp_path / "outputs" / "3-1.png").read_bytes() == b"x" * LARGEST
    assert second["data"]["text/plain"].splitlines() == [
        f"[nbflow] text/html, {3 * LARGEST:,} bytes: in outputs/3-2.html",
        f"[nbflow] application/json, {LARGEST + 9:,} bytes: in outputs/3-3.json",
    ]
    assert not (tmp_path / "outputs" / "3.txt").exists()


def test_a_picture_in_a_full_cell_is_named_in_the_text(cell: CellCapture, tmp_path: Path) -> None:
    cell.stream("stdout", "x" * (LARGEST + 1))
    cell.show(display(png=png(5), text="<figure>"))
    assert (
        (tmp_path / "outputs" / "3.txt")
        .read_text()
        .endswith("<figure>\n[nbflow] image/png, 5 bytes: in outputs/3-1.png\n")
    )


def test_beside_has_limits_too(cell: CellCapture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_module, "MOST_FILES", 2)
    for _ in range(3):
        cell.show(display(png=png(LARGEST)))
    assert "left out" in shown(cell)[-1]["data"]["text/plain"]
    assert len(list((tmp_path / "outputs").iterdir())) == 2


def test_the_text_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_module, "LARGEST", 10)
    spill = Spill(tmp_path / "outputs", None)
    for text in ("12345", "678901", "more"):
        spill.text(text)
    spill.close()
    assert (tmp_path / spill.name).read_text() == "1234567890" + spill_module.FULL
    assert spill.name == "outputs/parameters.txt"


def test_clearing_makes_room(cell: CellCapture, tmp_path: Path) -> None:
    for _ in range(3):
        cell.stream("stdout", "x" * (LARGEST - 10))
        cell.clear(wait=True)
    cell.stream("stdout", "the last")
    assert shown(cell) == [{"output_type": "stream", "name": "stdout", "text": "the last"}]
    assert not (tmp_path / "outputs").exists()
    cell.clear(wait=False)
    assert shown(cell) == []


def test_after_an_overflow_everything_goes_to_the_file_too(cell: CellCapture, tmp_path: Path) -> None:
    cell.stream("stdout", "x" * (LARGEST + 1))
    cell.clear(wait=False)
    cell.stream("stdout", "the last")
    assert text_of(cell) == "the last"
    assert (tmp_path / "outputs" / "3.txt").read_text() == "x" * (LARGEST + 1) + "the last"


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_carry_what_changed(cell: CellCapture) -> None:
    cell.stream("stdout", "a")
    cell.show(display(text="one"), "id")
    first = cell.news()
    assert not cell.has_news
    cell.stream("stdout", "b")
    cell.stream("stdout", "c")
    cell.update("id", {"text/plain": "two"}, {})
    cell.update("id", {"text/plain": "s3cret"}, {})
    cell.update("other", {"text/plain": "nowhere"}, {})
    second = cell.news()
    assert [event["event"] for event in second] == ["output", "update_display"]
    assert second[0]["output"]["text"] == "bc"
    assert second[1]["data"] == {"text/plain": "***"}
    assert replayed(first, second) == shown(cell)


def test_displays_of_one_id_are_kept_beside_the_notebook_as_one(cell: CellCapture, tmp_path: Path) -> None:
    """Both fit by themselves, and not together."""
    for _ in range(2):
        cell.show(display(text="one"), "id")
    first = cell.news()
    cell.update("id", {"image/png": "x" * (LARGEST * 2 // 3)}, {})
    assert replayed(first, cell.news()) == shown(cell)
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["3-1.png"]


def test_what_was_replaced_before_it_was_told_costs_nothing(cell: CellCapture) -> None:
    for number in range(1000):
        cell.clear(wait=True)
        cell.show(display(text=str(number)), "id")
        cell.update("id", {"text/plain": f"step {number}"}, {})
        cell.stream("stdout", f"\r{number} %")
    news = cell.news()
    assert [event["event"] for event in news] == ["clear_output", "output", "output"]
    assert replayed(news) == shown(cell)
    assert text_of(cell) == "999 %"


def test_each_cell_replays_its_own_displays() -> None:
    replay = Replay()
    output = display(text="one")
    for cell in (1, 2):
        replay.apply({"event": "output", "cell": cell, "output": output, "display_id": "id"})
    replay.apply(
        {"event": "update_display", "cell": 2, "display_id": "id", "data": {"text/plain": "two"}, "metadata": {}}
    )
    replay.apply({"event": "cell_end", "cell": 2})
    assert replay.cells[1].to_nbformat() == [output]
    assert replay.cells[2].to_nbformat() == [display(text="two")]


def test_many_small_pieces_on_one_line_are_one_output() -> None:
    """A megabyte in pieces of five bytes, which would be 100 GB of copies if each one copied the line."""
    outputs = CellOutputs()
    for _ in range(200_000):
        outputs.stream("stdout").add("abcd ")
    assert [item.size for item in outputs.items] == [1_000_000]
    assert outputs.to_nbformat()[0]["text"] == "abcd " * 200_000
