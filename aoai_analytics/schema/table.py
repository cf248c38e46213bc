"""A table definition, and its columns written as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# KQL type -> Arrow type stored in the lake. A dynamic value is stored as its JSON text.
KQL_TO_ARROW = {
    "string": "string",
    "dynamic": "string",
    "datetime": "timestamp",
    "bool": "bool",
    "int": "int32",
    "long": "int64",
    "real": "float64",
}

#: The column that keeps a record's unknown fields, by name.
PROPERTIES = "Properties"
#: Fields of a diagnostic setting's envelope that fill a column.
ENVELOPE = {"time": "TimeGenerated", "durationMs": "TotalTime", "location": "Region", "resourceId": "_ResourceId"}


@dataclass(frozen=True)
class Table:
    """A table: its name, its columns (name -> KQL type, in order), and the key of a record.

    ``beyond`` are the columns that Log Analytics lacks: KQL reads them by ``column_ifexists``. A record without a value
    in one of ``needs`` (default: the first column of its key) is invalid. ``stand_ins`` are fields that fill a column
    if the record lacks the column itself.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    beyond: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace_columns(self) -> dict[str, str]:
        """The columns of the table in a Log Analytics workspace."""
        return {name: kind for name, kind in self.columns.items() if name not in self.beyond}

    def arrow_schema(self, *, partitioned: bool = True) -> pa.Schema:
        """The lake's Arrow schema: the columns, then the partition column ``date`` (string, ``YYYY-MM-DD``)."""
        import pyarrow as pa

        types = {"timestamp": pa.timestamp("us", tz="UTC"), "bool": pa.bool_()}
        fields = []
        for name, kql_type in self.columns.items():
            arrow = KQL_TO_ARROW[kql_type]
            fields.append(pa.field(name, types.get(arrow) or getattr(pa, arrow)()))
        if partitioned:
            fields.append(pa.field("date", pa.string()))
        return pa.schema(fields)


def columns_of(text: str) -> dict[str, str]:
    """``"A, B string; C long"`` -> ``{"A": "string", "B": "string", "C": "long"}``."""
    columns = {}
    for group in text.replace("\n", " ").split(";"):
        names, _, kql_type = group.strip().rpartition(" ")
        for name in names.split(","):
            columns[name.strip()] = kql_type
    return columns
