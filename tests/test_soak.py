"""Every part of the soak, short: what runs for an hour elsewhere has to work here first."""

import pytest
from soak import PARTS
from soak_part import Part


@pytest.mark.parametrize("part", [part for part in PARTS if part.short], ids=lambda part: part.name)
def test_a_part_of_the_soak_holds(part: Part) -> None:
    """Each row of each part holds at a short length, and the part tells of every try."""
    told: list[int] = []
    rows = part.run(part.short, told.append)
    assert [f"{row.work}: wanted {row.wanted}, seen {row.seen}" for row in rows if row.held is False] == []
    assert rows
    assert sum(told) == part.short


def test_parts_have_names_of_their_own() -> None:
    """`make soak PART=name` means one part."""
    assert len({part.name for part in PARTS}) == len(PARTS) > 0
