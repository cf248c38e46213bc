"""docs/policies.md against the files that it tells of."""

from __future__ import annotations

import re

from tests.policies import gateway

PAGE = (gateway.REPO / "docs/policies.md").read_text()
TABLE = re.compile(r"<!-- table: backend answers -->\n(.*?)<!-- end of table -->", re.DOTALL)


def table() -> str:
    """The table of backend answers, as its page shall have it."""
    yes = {True: "yes", False: "no"}
    wait = {"backend": "the backend's", "default": "`retry-after-seconds`", None: ""}
    head = [
        "backend answers",
        "breaker",
        "retry",
        "the caller gets in the end",
        "error code",
        "Retry-After",
        "what it means",
    ]
    rows = [
        [
            row["answer"],
            yes[row["breaker"]],
            yes[row["retry"]],
            str(row["caller"]),
            row["code"] or "",
            wait[row["retryAfter"]],
            row["meaning"],
        ]
        for row in gateway.ANSWERS["answers"]
    ]
    lines = [f"| {' | '.join(cells)} |\n" for cells in [head, *rows]]
    return "".join([lines[0], "|" + "---|" * len(head) + "\n", *lines[1:]])


def test_the_table_of_backend_answers_is_the_data():
    found = TABLE.search(PAGE)
    assert found and found[1] == table(), f"the page's table should be:\n{table()}"


def test_every_policy_file_and_option_is_told_of():
    for file in [*gateway.FRAGMENTS.glob("*.xml"), *gateway.POLICIES.glob("*.json")]:
        name = file.stem if file.suffix == ".xml" else file.name
        assert f"`{name}`" in PAGE, name


def test_the_errors_told_of_are_the_errors_made():
    text = "".join(file.read_text() for file in gateway.FRAGMENTS.glob("*-errors.xml"))
    text += (gateway.FRAGMENTS / "identity.xml").read_text()
    made = set(re.findall(r'"code":"(\w+)"', text.replace("&quot;", '"')))
    section = PAGE.split("## The gateway's own errors")[1].split("\n## ")[0] + table()
    assert made and not {code for code in made if code not in section}
