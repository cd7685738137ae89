"""Single parts on the page: strip, defect cards, Pareto, trend, pace."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.defect_inspection import screen_parts
from apps.defect_inspection.domain import Verdict
from common.records import Label, Record
from common.screen.crops import PictureGone
from common.screen.freshness import Freshness
from common.screen.station_file import Row

FRESH, STALE = Freshness(0.4), Freshness(75.0)


def row(verdict: str, number: int = 1, wall: float = 0.0, **body: Any) -> Row:
    said = {"part_id": number, "verdict": verdict, "reasons": [], "defects": []} | body
    return Row(Record("verdict", str(number), wall, wall, "boot", said, "a.png", number))


def defect(kind: str, score: float = 0.8) -> dict[str, Any]:
    return {"kind": kind, "score": score, "box_px": [1, 2, 3, 4], "size_mm": 0.42}


def shown(row: Row, box: Sequence[float]) -> str:
    return f"data:{row.record.seq},{box[0]}"


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_letter_and_a_shape(verdict: Verdict) -> None:
    look = screen_parts.LOOKS[verdict.value]
    drawn = screen_parts.strip([row(verdict.value)], FRESH)
    assert f"<span>{look.letter}</span>" in drawn
    assert f"ls-cell ls-{look.shape}" in drawn
    assert f"{look.letter} {look.word}" in drawn


def test_letters_are_unique() -> None:
    assert len({look.letter for look in screen_parts.LOOKS.values()}) == len(Verdict)


def test_a_verdict_this_page_does_not_know_is_no_pass() -> None:
    drawn = screen_parts.strip([row("splendid")], FRESH)
    assert "ls-cell ls-unjudged" in drawn
    assert screen_parts.trend([row("splendid")] * 20) == (1.0,)


@given(st.integers(0, 60))
def test_the_strip_has_its_twenty_places(many: int) -> None:
    drawn = screen_parts.strip([row("pass", n + 1) for n in range(many)], FRESH)
    assert drawn.count('class="ls-cell ls-empty') == max(0, 20 - many)
    assert drawn.count('class="ls-cell ls-pass') == min(20, many)
    assert ("No part has come yet" in drawn) is (many == 0)


def test_the_newest_part_is_on_the_right() -> None:
    drawn = screen_parts.strip([row("pass", n) for n in range(1, 41)], FRESH)
    assert ">20</small>" not in drawn
    assert drawn.index(">21</small>") < drawn.index(">40</small>")


def test_an_overruled_verdict_and_a_test_piece_are_marked() -> None:
    judged = Row(row("pass").record, Label(1, 0.0, "anna", "defective", "scratch"))
    drawn = screen_parts.strip([judged, row("reject", 2, challenge=True)], FRESH)
    assert "ls-overruled" in drawn
    assert "overruled: defective" in drawn
    assert ">T 2</small>" in drawn


def test_silence_hatches_strip_and_cards() -> None:
    assert "01:15 old" in screen_parts.strip([], STALE)
    assert screen_parts.cards([], shown, STALE).count("01:15 old") == 4


def test_cards_show_the_worst_defect_of_the_last_three_parts() -> None:
    rows = [
        row("reject", n, defects=[defect("open", 0.5), defect("spur", 0.9)]) for n in (1, 2)
    ]
    rows += [
        row("pass", 3, defects=[defect("short")]),
        row("hold", 4, defects=[defect("pinhole")]),
    ]
    drawn = screen_parts.cards(rows, shown, FRESH)
    assert drawn.index("Part 4 · hold") < drawn.index("Part 2 · reject") < drawn.index("Part 1")
    assert "Part 3" not in drawn
    assert "spur · 0.42\u202fmm" in drawn
    assert "score 0.90 · 1 more on it" in drawn
    assert 'src="data:4,1.0"' in drawn


def test_a_picture_that_is_gone_says_so() -> None:
    def gone(row: Row, box: Sequence[float]) -> str:
        raise PictureGone("picture gone")

    assert "picture gone" in screen_parts.cards(
        [row("reject", defects=[defect("a")])], gone, FRESH
    )


@pytest.mark.parametrize("box", [None, [], [1, 2, 3], ["a", 2, 3, 4]])
def test_a_defect_without_a_box_has_no_picture(box: Any) -> None:
    broken = defect("a") | {"box_px": box}
    drawn = screen_parts.cards([row("reject", defects=[broken])], shown, FRESH)
    assert "the defect has no box" in drawn


def test_no_part_is_not_no_defect() -> None:
    assert "no part has come yet" in screen_parts.cards([], shown, FRESH)
    drawn = screen_parts.cards([row("pass")], shown, FRESH)
    assert "no other defect in the last 1 parts" in drawn
    assert "no part has come yet" not in drawn


def test_kinds_are_counted_once_a_part_and_without_test_pieces() -> None:
    rows = [
        row("reject", 1, defects=[defect("open"), defect("open"), defect("spur")]),
        row("hold", 2, defects=[defect("open")]),
        row("pass", 3, defects=[defect("open")]),
        row("reject", 4, defects=[defect("spur")], challenge=True),
    ]
    assert screen_parts.kinds(rows) == [("open", 2), ("spur", 1)]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20))
def test_a_moving_share_is_the_share_of_every_window(flags: list[bool], window: int) -> None:
    expected = [sum(flags[at : at + window]) / window for at in range(len(flags) - window + 1)]
    assert list(screen_parts.moving_share(flags, window)) == pytest.approx(expected)


def test_test_pieces_do_not_bend_the_trend() -> None:
    rows = [row("pass", n) for n in range(20)] + [row("reject", 99, challenge=True)] * 5
    assert screen_parts.trend(rows) == (0.0,)


@given(st.floats(0.2, 20.0), st.integers(3, 200))
def test_the_pace_is_parts_per_minute(per_second: float, many: int) -> None:
    rows = [row("pass", n, wall=1000.0 - n / per_second) for n in range(many)][::-1]
    assert screen_parts.pace(rows, 1000.0) == pytest.approx(60 * per_second)


def test_no_pace_without_parts_in_the_last_minute() -> None:
    assert (
        screen_parts.pace([row("pass", 1, wall=1.0), row("pass", 2, wall=2.0)], 100.0) is None
    )
    assert screen_parts.pace([], 100.0) is None


def test_reasons_from_outside_stay_text() -> None:
    drawn = screen_parts.strip([row("reject", reasons=["<script>x</script>"])], FRESH)
    assert "<script>" not in drawn
