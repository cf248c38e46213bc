"""One log record -> one row of its table.

The same records arrive in several spellings: camelCase with an envelope and ``properties`` (diagnostic settings to
Storage or Event Hub), PascalCase with the tables' columns (Log Analytics data export, CSV, Parquet, the answer of a
query), and AzureDiagnostics' names with their types (``url_s``, ``lastError_reason_s``). All become a tuple in the
order of the table's columns, of the values the lake stores (see ``values``). A field that is no column is kept in
``Properties``.

A value that does not fit its column makes the whole record a ``Misfit``, since a wrong number is worse than a
missing one. Reasons name columns, never values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aoai_analytics.lake.values import CONVERTERS, json_text, utc_date
from aoai_analytics.schema.sources import (
    APP_DEPENDENCIES,
    APP_METRICS,
    APP_REQUESTS,
    APP_TRACES,
    AZURE_DIAGNOSTICS,
    AZURE_METRICS,
    MCP_LOG,
    USAGE,
    WEBSOCKET_LOG,
)
from aoai_analytics.schema.table import PROPERTIES, Table
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, READ_TABLES

#: Columns that hold what people wrote and models answered; null where an ingest keeps no messages.
TEXT_COLUMNS = frozenset(
    (
        "RequestBody",
        "ResponseBody",
        "BackendRequestBody",
        "BackendResponseBody",
        "RequestMessages",
        "ResponseMessages",
        "Message",
        # Fields that the table lacks: nobody knows what they hold.
        PROPERTIES,
    )
)

#: Diagnostic-settings category -> table.
_CATEGORIES = {
    "gatewaylogs": GATEWAY_LOGS,
    "gatewayllmlogs": LLM_LOG,
    "gatewaymcplogs": MCP_LOG,
    "websocketconnectionlogs": WEBSOCKET_LOG,
    "requestresponse": AZURE_DIAGNOSTICS,
    "azureopenairequestusage": AZURE_DIAGNOSTICS,
}
#: Application Insights' itemType -> table.
_ITEM_TYPES = {
    "custommetric": APP_METRICS,
    "request": APP_REQUESTS,
    "dependency": APP_DEPENDENCIES,
    "trace": APP_TRACES,
}
_TABLE_NAMES = {name.lower(): table for name, table in READ_TABLES.items() if table is not AZURE_DIAGNOSTICS}
#: Fields, spelled bare, that only records of one table have together.
_TELLING: tuple[tuple[frozenset[str], Table], ...] = (
    (frozenset(("sequencenumber",)), LLM_LOG),
    (frozenset(("mcpserverendpoint",)), MCP_LOG),
    (frozenset(("dependencytype",)), APP_DEPENDENCIES),
    (frozenset(("resultcode", "url")), APP_REQUESTS),
    (frozenset(("metricname", "timegrain")), AZURE_METRICS),
    (frozenset(("sum", "itemcount", "name")), APP_METRICS),
    (frozenset(("message", "severitylevel")), APP_TRACES),
    (frozenset(("datatype", "quantity")), USAGE),
    (frozenset(("eventname", "destination")), WEBSOCKET_LOG),
    (frozenset(("url",)), GATEWAY_LOGS),
)

#: What AzureDiagnostics adds to a field's name: its type.
_TYPE_SUFFIX = re.compile(r"_[sdbgt]$")
#: Fields of envelopes and exports that say nothing of a request, spelled bare.
_ENVELOPE = frozenset(
    (
        *("properties", "category", "level", "sku", "tenant", "event", "truncated", "deploymentversion"),
        *("resulttype", "resultsignature", "resultdescription", "calleripaddress", "valuestddev"),
        *("resource", "resourcegroup", "resourceprovider", "resourcetype", "resourceid", "subscriptionid"),
        *("tablename", "itemtype", "itemid", "appid", "appname", "internalworkspaceresourceid"),
    )
)
#: Words in a dimension's name that speak of its text.
_TEXT_WORDS = re.compile(r"(?i)body|message|prompt|completion|content|question|answer")
_NAME = re.compile(r"[\w .:/-]{1,60}")


class Misfit(ValueError):
    """A record that cannot become a row; the message says why without quoting the record."""


class OtherCategory(Exception):
    """A sound record of a category that the lake does not keep, which the message names."""

    def __init__(self, name: str):
        super().__init__(name if _NAME.fullmatch(name) else "unnamed")


@lru_cache(maxsize=4096)
def _bare(key: str) -> str:
    """A field's name without its type, underscores and capitals: ``lastError_reason_s`` is ``lasterrorreason``."""
    return _TYPE_SUFFIX.sub("", key).replace("_", "").lower()


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


@dataclass(frozen=True)
class RowShape:
    """How the records of one table become rows: made once a table by ``row_shape``."""

    table: Table
    names: tuple[str, ...]
    fields: Mapping[str, tuple[int, Callable[[Any], Any], type | None]]
    ignored: frozenset[str]
    stand_ins: Mapping[str, int]
    bare_stand_ins: Mapping[str, int]
    last_error: Mapping[str, str]
    time: int
    times: tuple[int, ...]
    identity: int
    needs: tuple[int, ...]
    kind: int
    resource: int
    subscription: int
    properties: int | None
    opens_properties: bool
    texts: frozenset[int]


def row_shape(table: Table) -> RowShape:
    """The RowShape of a table that records are read into."""
    names = tuple(table.columns)
    # A record's member "properties" holds the columns, or is itself one.
    opens_properties = PROPERTIES in table.beyond and "properties_s" not in names
    fields = {}
    for index, (name, kql_type) in enumerate(table.columns.items()):
        if name == PROPERTIES and name in table.beyond:
            continue
        # Values of this very type need no conversion.
        as_is = {"string": str, "dynamic": str, "bool": bool}.get(kql_type)
        field = (index, CONVERTERS[kql_type], as_is)
        for spelling in (name, _camel(name), name.lower()):
            fields[spelling] = field
    stand_ins = {key: names.index(name) for key, name in table.stand_ins.items() if name in names}
    prefix = "LastError"
    return RowShape(
        table=table,
        names=names,
        fields=fields,
        ignored=frozenset(("properties", "category", "resultType", "truncated", "DeploymentVersion", "Level", "Sku"))
        | (stand_ins.keys() - fields.keys()),
        stand_ins=stand_ins,
        bare_stand_ins={_bare(key): index for key, index in stand_ins.items()},
        last_error={name[len(prefix) :].lower(): name for name in names if name.startswith(prefix)},
        time=names.index("TimeGenerated"),
        times=tuple(i for i, kql_type in enumerate(table.columns.values()) if kql_type == "datetime"),
        identity=names.index(table.key[0]),
        needs=tuple(names.index(name) for name in table.needs or table.key[:1]),
        kind=names.index("Type"),
        resource=names.index("_ResourceId"),
        subscription=names.index("_SubscriptionId"),
        properties=names.index(PROPERTIES) if PROPERTIES in names else None,
        opens_properties=opens_properties,
        texts=frozenset(i for i, name in enumerate(names) if name in TEXT_COLUMNS and name != PROPERTIES),
    )


SHAPES: dict[str, RowShape] = {name: row_shape(table) for name, table in READ_TABLES.items()}


def table_of(record: Mapping[str, Any], hint: Table | None = None) -> Table:
    """The table a record belongs to, by its itemType or category, its Type, *hint* (its folder), or its columns.

    Raises OtherCategory if the record names another category, Misfit if it names none.
    """
    for key, known in (("itemType", _ITEM_TYPES), ("category", _CATEGORIES), ("Category", _CATEGORIES)):
        said = record.get(key)
        if isinstance(said, str) and said:
            table = known.get(said.lower())
            if table is None or (table is AZURE_DIAGNOSTICS and not _of_a_model_account(record)):
                raise OtherCategory(said)
            return table
    kind = record.get("Type") or record.get("type")
    if isinstance(kind, str) and kind and kind != AZURE_DIAGNOSTICS.name:
        table = _TABLE_NAMES.get(kind.lower())
        if table is None:
            raise OtherCategory(kind)
        return table
    if hint is not None:
        return hint
    properties = record.get("properties")
    keys = properties.keys() | record.keys() if isinstance(properties, dict) else record.keys()
    spelled = {_bare(key) for key in keys if isinstance(key, str)}
    for fields, table in _TELLING:
        if fields <= spelled:
            return table
    raise Misfit("no category")


def _of_a_model_account(record: Mapping[str, Any]) -> bool:
    """Whether a record's resource is an account of Azure OpenAI or Foundry: other services log such categories too."""
    said = (record.get(key) for key in ("resourceId", "ResourceId", "_ResourceId", "ResourceProvider"))
    return any("microsoft.cognitiveservices" in value.lower() for value in said if isinstance(value, str))


def is_told(record: Mapping[str, Any], hint: Table | None = None) -> bool:
    """Whether the record names its table, including tables that are not read."""
    try:
        table_of(record, hint)
    except OtherCategory:
        return True
    except Misfit:
        return False
    return True


def to_row(record: Mapping[str, Any], shape: RowShape, *, messages: bool = True) -> tuple[Any, ...]:
    """The row of *record*, in the order of the table's columns; with ``messages=False`` no text of people or models.

    Raises Misfit for a record without its time or what its table needs, or with a value that does not fit its column.
    """
    if "TableName" in record:
        # The Azure CLI writes every null as this text.
        record = {key: value for key, value in record.items() if value != "None"}
    row: list[Any] = [None] * len(shape.names)
    rest: dict[str, Any] = {}
    _fill(row, record, shape, rest)
    if shape.opens_properties:
        properties = record.get("properties") or record.get("properties_s")
        if type(properties) is str:
            properties = _parsed_properties(properties)
        if isinstance(properties, dict):
            _fill(row, properties, shape, rest)
    for key, index in shape.stand_ins.items():
        if row[index] is None and record.get(key) is not None:
            row[index] = _converted(shape, index, record[key])
    if rest:
        _fill_rest(row, rest, shape)
    if row[shape.time] is None:
        raise Misfit("no time")
    for index in shape.needs:
        if not row[index]:
            raise Misfit(_MISSING.get(shape.names[index]) or f"no {shape.names[index]}")
    _complete(row, shape)
    if not messages:
        _drop_texts(row, shape)
    return tuple(row)


_MISSING = {"CorrelationId": "no correlation id", "Url": "a gateway record without a URL"}


def _parsed_properties(text: str) -> Any:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Misfit("properties are not JSON") from None


def _fill(row: list[Any], values: Mapping[str, Any], shape: RowShape, rest: dict[str, Any]) -> None:
    """Put *values* into their columns; those that are spelled otherwise, or are no column, go to *rest*."""
    fields, ignored = shape.fields, shape.ignored
    for key, value in values.items():
        if value is None:
            continue
        field = fields.get(key)
        if field is None:
            if key in ignored:
                continue
            field = fields.get(key.lower())
            if field is None:
                if value != "":
                    rest[key] = value
                continue
        index, convert, as_is = field
        if type(value) is as_is:
            row[index] = value
            continue
        try:
            row[index] = convert(value)
        except (ValueError, OverflowError, TypeError):
            raise Misfit(f"{shape.names[index]} does not fit its column") from None


def _fill_rest(row: list[Any], rest: Mapping[str, Any], shape: RowShape) -> None:
    """Put fields with other spellings into their columns where these are empty; keep unknown fields in Properties."""
    unknown: dict[str, Any] = {}
    nested: list[Mapping[str, Any]] = []
    for key, value in rest.items():
        bare = _bare(key)
        if bare == "lasterror" and isinstance(value, dict):
            named = {shape.last_error.get(part.lower(), f"lastError.{part}"): inner for part, inner in value.items()}
            nested.append(named)
        elif bare == "additionalfields":
            # What AzureDiagnostics does where a workspace has its 500 columns.
            more = _parsed_properties(value) if type(value) is str else value
            nested += [more] if isinstance(more, dict) else []
        elif (index := _place(shape, bare)) is not None:
            if row[index] is None:
                row[index] = _converted(shape, index, value)
        elif bare not in _ENVELOPE:
            unknown[key] = value
    for values in nested:
        more = {}
        _fill(row, values, shape, more)
        if more:
            _fill_rest(row, more, shape)
    if unknown and shape.properties is not None:
        known = row[shape.properties]
        known = _parsed_properties(known) if known else {}
        try:
            row[shape.properties] = json_text(unknown | known if isinstance(known, dict) else unknown | {"": known})
        except ValueError as error:
            raise Misfit(f"an unknown field is {error}") from None


def _place(shape: RowShape, bare: str) -> int | None:
    field = shape.fields.get(bare)
    return field[0] if field else shape.bare_stand_ins.get(bare)


def _converted(shape: RowShape, index: int, value: Any) -> Any:
    name = shape.names[index]
    try:
        return CONVERTERS[shape.table.columns[name]](value)
    except (ValueError, OverflowError, TypeError):
        raise Misfit(f"{name} does not fit its column") from None


def _drop_texts(row: list[Any], shape: RowShape) -> None:
    """Leave no text of people or models in *row*: of unknown fields and dimensions of such names only the names."""
    for index in shape.texts:
        row[index] = None
    if shape.properties is None or not row[shape.properties]:
        return
    try:
        values = _parsed_properties(row[shape.properties])
    except Misfit:
        values = None
    if not isinstance(values, dict):
        row[shape.properties] = None
        return
    known = PROPERTIES not in shape.table.beyond
    row[shape.properties] = json_text({key: _harmless(key, value, known) for key, value in values.items()})


def _harmless(key: str, value: Any, known: bool) -> Any:
    is_short = known and isinstance(value, str) and len(value) <= 200 and not _TEXT_WORDS.search(key)
    return value if is_short or isinstance(value, (bool, int, float)) else None


def _complete(row: list[Any], shape: RowShape) -> None:
    """What Log Analytics itself adds to a record: its Type, and a lower-case resource with its subscription."""
    row[shape.kind] = shape.table.name
    if row[shape.resource]:
        row[shape.resource], subscription = _resource(row[shape.resource])
        row[shape.subscription] = row[shape.subscription] or subscription


@lru_cache(maxsize=1024)
def _resource(given: str) -> tuple[str, str | None]:
    """A resource id in lower case, and its subscription id where it has one."""
    resource = given.lower()
    parts = resource.split("/")
    return resource, parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else None


def to_arrow(shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> Any:
    """A pyarrow.Table of *rows* with the table's columns and, last, ``date``: TimeGenerated's UTC date."""
    import pyarrow as pa

    schema = shape.table.arrow_schema()
    columns = zip(*rows, strict=True) if rows else ((),) * len(shape.names)
    arrays = [pa.array(values, type=schema.field(i).type) for i, values in enumerate(columns)]
    arrays.append(pa.array([utc_date(row[shape.time]) for row in rows], type=pa.string()))
    return pa.table(arrays, schema=schema)
