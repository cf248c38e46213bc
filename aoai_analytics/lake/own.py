"""A user's own tables in a lake: prices, quotas, team names, to join with. ``LAKE/_own/NAME.parquet`` is each.

Column types are those that the file's values have. As in Log Analytics, a row without a ``TimeGenerated`` has the
moment at which it was added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LakeError, WrongUse
from ..schema.sql import quoted, sql_text
from ..schema.tables import TABLES
from .stored import remove_stored
from .writing import replace_file

if TYPE_CHECKING:
    from .delta import Lake

FOLDER = "_own"
_NAME = re.compile(r"[A-Za-z_]\w{0,99}")
_READERS = {".csv": "read_csv", ".tsv": "read_csv", ".json": "read_json_auto", ".jsonl": "read_json_auto"}
_READERS |= {".ndjson": "read_json_auto", ".parquet": "read_parquet"}
#: DuckDB type -> KQL type, and the type that is stored.
_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT"), ("long", "BIGINT")),
    **dict.fromkeys(("FLOAT", "DOUBLE", "HUGEINT", "UBIGINT"), ("real", "DOUBLE")),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), ("datetime", "TIMESTAMP")),
    "BOOLEAN": ("bool", "BOOLEAN"),
}


@dataclass(frozen=True)
class OwnTable:
    """A table of the user's: its file, and its columns (name -> KQL type)."""

    path: Path
    columns: Mapping[str, str]


def own_tables(lake: Lake) -> dict[str, OwnTable]:
    """The lake's own tables by name. Raises LakeError where one is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = {}
    for path in sorted((lake.path / FOLDER).glob("*.parquet")):
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise LakeError(f"{path} is damaged; add the table again with: aoai lake table {path.stem} FILE") from error
        found[path.stem] = OwnTable(path, {field.name: _kusto_type(field.type) for field in schema})
    return found


def add_table(lake: Lake, name: str, file: Path) -> tuple[int, OwnTable]:
    """Store *file* (CSV, JSON or Parquet) as the table *name*, in place of one of that name; its rows' number.

    Raises WrongUse for a name that is not one or is taken, LakeError for a file that cannot be read.
    """
    import duckdb

    if not _NAME.fullmatch(name):
        raise WrongUse(f"{name}: a table's name has letters, digits and _ only")
    if name in TABLES or name.startswith("Aoai"):
        raise WrongUse(f"{name} is a table of every lake; choose another name, such as {name}_CL")
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise WrongUse(f"{file}: not a CSV, JSON or Parquet file")
    target = lake.path / FOLDER / f"{name}.parquet"
    staged = target.with_suffix(".new")
    try:
        target.parent.mkdir(exist_ok=True)
        with duckdb.connect() as connection:
            rows = connection.from_query(f"SELECT * FROM {reader}({sql_text(str(file))})")
            columns = dict(zip(rows.columns, map(str, rows.types), strict=True))
            cells = [
                f"CAST({quoted(c)} AS {_TYPES.get(t, ('', 'VARCHAR'))[1]}) AS {quoted(c)}" for c, t in columns.items()
            ]
            if "TimeGenerated" not in columns:
                cells.append("CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP) AS \"TimeGenerated\"")
            connection.execute(
                f"COPY (SELECT {', '.join(cells)} FROM rows) TO {sql_text(str(staged))} (FORMAT parquet)"
            )
            ((number,),) = connection.execute(f"SELECT count(*) FROM read_parquet({sql_text(str(staged))})").fetchall()
        replace_file(target, staged.read_bytes())
        remove_stored(lake)  # its former rows may be among them
    except duckdb.Error as error:
        raise LakeError(f"cannot read {file}: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise LakeError(f"cannot add {file}: {error.strerror}") from error
    finally:
        staged.unlink(missing_ok=True)
    return number, own_tables(lake)[name]


def _kusto_type(arrow_type: object) -> str:
    known = {"int64": "long", "double": "real", "bool": "bool", "string": "string"}
    return known.get(str(arrow_type), "datetime" if str(arrow_type).startswith("timestamp") else "string")
