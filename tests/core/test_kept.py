"""What is kept beside objects is theirs alone."""

from __future__ import annotations

from portal.core.kept import KeptFor


def test_it_is_made_once_for_an_object_and_anew_for_its_equal() -> None:
    kept: KeptFor[list[int], str] = KeptFor(most=10)
    made: list[str] = []

    def make() -> str:
        made.append("made")
        return f"number {len(made)}"

    first, equal = [1], [1]
    assert [kept.get(first, make), kept.get(first, make), kept.get(equal, make)] == ["number 1", "number 1", "number 2"]


def test_an_id_that_comes_again_does_not_bring_anothers() -> None:
    kept: KeptFor[list[int], int] = KeptFor(most=2)
    assert all(kept.get([number], lambda number=number: number) == number for number in range(1000))  # type: ignore[misc]


def test_what_could_not_be_made_is_tried_again() -> None:
    kept: KeptFor[list[int], int] = KeptFor(most=2)
    key = [1]
    for _ in range(2):
        try:
            kept.get(key, lambda: 1 // 0)
        except ZeroDivisionError:
            continue
        raise AssertionError("it was kept")
    assert kept.get(key, lambda: 5) == 5


def test_all_can_be_forgotten() -> None:
    kept: KeptFor[list[int], int] = KeptFor(most=2)
    key = [1]
    assert kept.get(key, lambda: 1) == 1
    kept.clear()
    assert kept.get(key, lambda: 2) == 2
