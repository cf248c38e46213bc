"""What the second engine answered is used where all that it follows from is the same, and a difference is shown."""

from __future__ import annotations

import pytest

from tests.kql import recorded
from tests.kql.second import Answer

COLUMNS = {"User": "string", "Cost": "real"}
ROWS = [["ann", 0.1 + 0.2], ["ben", 12345.678905]]
CONTENTS = {"AoaiRequests": "one", "AoaiPrices": "two"}


def test_a_key_changes_with_the_text_and_with_a_table_that_it_may_read() -> None:
    key = recorded.key("AoaiRequests | count", CONTENTS)
    assert key == recorded.key("AoaiRequests | count", {**CONTENTS, "AoaiPrices": "other"})
    assert key != recorded.key("AoaiRequests | count", {**CONTENTS, "AoaiRequests": "other"})
    assert key != recorded.key("AoaiRequests  | count", CONTENTS)
    union = recorded.key("union Aoai* | count", CONTENTS)
    assert union != recorded.key("union Aoai* | count", {**CONTENTS, "AoaiPrices": "other"})


def test_the_content_of_a_table_is_its_columns_and_rows_in_any_order() -> None:
    content = recorded.content(Answer(COLUMNS, ROWS))
    assert content == recorded.content(Answer(COLUMNS, ROWS[::-1]))
    assert content != recorded.content(Answer(COLUMNS, [*ROWS, ROWS[0]]))
    assert content != recorded.content(Answer({**COLUMNS, "Cost": "decimal"}, ROWS))
    assert recorded.content(Answer({"N": "long"}, [[10**15]])) != recorded.content(
        Answer({"N": "long"}, [[10**15 + 1]])
    )


def test_the_order_of_a_sum_does_not_show_and_the_seventh_digit_does() -> None:
    known = recorded.prints(Answer(COLUMNS, ROWS))
    assert recorded.difference(Answer(COLUMNS, [["ben", 12345.678905], ["ann", 0.3]]), known) == ""
    for rows in ([["ann", 0.3000001], ROWS[1]], [ROWS[0], ["ben", 12345.68]]):
        said = recorded.difference(Answer(COLUMNS, rows), known)
        assert said.startswith("1 of 2 rows are not in the second engine's recorded answer, and 1 of that are missing:")
    assert "other columns or types" in recorded.difference(Answer({"User": "string", "Cost": "long"}, ROWS), known)
    assert "0 of 1 rows" in recorded.difference(Answer(COLUMNS, ROWS[:1]), known)


def test_what_is_expected_otherwise_or_new_is_asked_and_one_of_32_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "is_here", lambda: True)
    monkeypatch.setattr(recorded, "recorded", lambda: {"10aa": "answer", "20aa": "answer"})
    assert [recorded.is_to_ask(key, "answer") for key in ("10aa", "20aa", "30aa")] == [False, True, True]
    assert recorded.is_to_ask("10aa", "another")
    monkeypatch.setattr(recorded, "is_here", lambda: False)
    assert not recorded.is_to_ask("10aa", "another")
