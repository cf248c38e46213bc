"""Personal data is found by what proves it, and nothing else is."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.prompts.identifiers import IDENTIFIERS, PHONE
from aoai_analytics.prompts.personal_data import by_kind, by_request, personal_data

# Numbers of the issuers' own documentation and of test suites; none is a person's.
KNOWN = {
    "write to jane.doe+x@mail.contoso.example, please": ("e-mail address", "jane.doe+x@mail.contoso.example"),
    "My card is 4111 1111 1111 1111.": ("payment card", "4111 1111 1111 1111"),
    "amex 3782-822463-10005": ("payment card", "3782-822463-10005"),
    "IBAN: DE89 3704 0044 0532 0130 00 thanks": ("IBAN", "DE89 3704 0044 0532 0130 00"),
    "GB82WEST12345698765432": ("IBAN", "GB82WEST12345698765432"),
    "call +44 20 7946 0018 today": (PHONE, "+44 20 7946 0018"),
    "codice fiscale RCCMNL83S18D969H": ("Italian tax code", "RCCMNL83S18D969H"),
    "DNI 54362315-K": ("Spanish DNI or NIE", "54362315-K"),
    "AHV 756.9217.0769.85": ("Swiss AHV number", "756.9217.0769.85"),
    "CPF 390.533.447-05": ("Brazilian CPF", "390.533.447-05"),
    "SSN 536-90-4399": ("US social security number", "536-90-4399"),
    "hetu 131052-308T": ("Finnish identity code", "131052-308T"),
    "her BSN is 111222333": ("Dutch BSN", "111222333"),
    "Steuer-Identifikationsnummer 36 574 261 809": ("German tax id", "36 574 261 809"),
    "NIR 2 95 10 99 126 111 93": ("French social security number", "2 95 10 99 126 111 93"),
}
NOTHING = [
    "",
    "The reference number is 12-48, due 2026-11-15 08:00.",
    "card 4111 1111 1111 1112",  # the check digit is wrong
    "0000 0000 0000 0000 and 4444 4444 4444 4444",
    "DE89 3704 0044 0532 0130 01",
    "order 111222333",  # a valid BSN, but nothing says that it is one
    "name@host and @decorator and a@b",
    "commit 4111111111111111abcdef",
    "f(x) + 1234567 = y",
    "8cdecc6d-6d22-4488-ac83-cd897d47cc84",
]


@pytest.mark.parametrize("text", KNOWN)
def test_personal_data_is_found_where_it_stands(text: str) -> None:
    kind, piece = KNOWN[text]
    (found,) = personal_data(text)
    assert (found.kind, text[found.start : found.end]) == (kind, piece)


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_personal_data_is_not_found(text: str) -> None:
    assert personal_data(text) == []


@given(st.lists(st.sampled_from([*KNOWN, *NOTHING, "\n", "\x00", "é", "😀 "]), max_size=6), st.text(max_size=20))
def test_findings_lie_within_the_text_in_order_and_never_overlap(parts: list[str], noise: str) -> None:
    text = noise.join(parts)
    found = personal_data(text)
    places = [place for piece in found for place in (piece.start, piece.end)]
    assert places == sorted(places) and all(piece.start < piece.end <= len(text) for piece in found)


def test_each_kind_has_a_name_and_a_proof_that_exists() -> None:
    import importlib

    for identifier in IDENTIFIERS:
        assert identifier.kind
        if identifier.proof:
            assert callable(importlib.import_module(f"stdnum.{identifier.proof}").is_valid)


EXCHANGES = pd.DataFrame(
    [
        ("2026-11-02 08:00", "ann", "r1", "mail a@contoso.example and b@contoso.example", "sent to a@contoso.example"),
        ("2026-11-02 09:00", "ben", "r2", "mail c@contoso.example", "card 4111111111111111"),
        ("2026-11-02 10:00", "ann", "r3", "hello", "hello"),
        ("2026-11-02 11:00", "ann", "r4", "", ""),
    ],
    columns=["TimeGenerated", "User", "CorrelationId", "Prompt", "Response"],
).assign(
    TimeGenerated=lambda frame: pd.to_datetime(frame["TimeGenerated"], utc=True), SubscriptionId="s", ModelName="m"
)


def test_personal_data_is_counted_by_kind_and_side() -> None:
    mail, card = by_kind(EXCHANGES).to_dict("records")
    assert (mail["Kind"], mail["Prompts"], mail["Answers"], mail["Findings"], mail["Users"]) == (
        "e-mail address", 2, 1, 4, 2,
    )  # fmt: skip
    assert (mail["ShareOfRequests"], mail["CorrelationId"]) == (50.0, "r2")
    assert (card["Kind"], card["Prompts"], card["Answers"], card["Users"]) == ("payment card", 0, 1, 1)


def test_requests_with_personal_data_are_listed_with_what_was_found() -> None:
    first, second = by_request(EXCHANGES).to_dict("records")
    assert (first["CorrelationId"], first["InPrompt"], first["InAnswer"]) == ("r1", 2, 1)
    assert first["Found"] == "a@contoso.example, b@contoso.example"
    assert second["Kinds"] == "e-mail address, payment card"


def test_no_rows_give_no_rows_of_the_same_columns() -> None:
    assert list(by_kind(EXCHANGES.head(0)).columns) == list(by_kind(EXCHANGES).columns)
    assert list(by_request(EXCHANGES.head(0)).columns) == list(by_request(EXCHANGES).columns)


@pytest.mark.parametrize("identifier", IDENTIFIERS, ids=lambda identifier: identifier.kind)
@given(data=st.data())
def test_whatever_a_pattern_matches_holds_its_sign(identifier, data):
    match = identifier.pattern.search(data.draw(st.from_regex(identifier.pattern)))
    assert match is None or identifier.sign.search(match[0])
