"""A lake with text that is easy to recognise wherever people's words may be, and queries that reach for it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from aoai_analytics.lake.delta import Lake
from aoai_analytics.library.privacy import columns_of
from aoai_analytics.schema.tables import MESSAGES, TABLES, Table

#: Three letters of this, in either case and any order of the words, are no one else's.
WORD = "zqxjkv"
_TRIPLES = {(WORD * 2)[at : at + 3] for at in range(len(WORD))}
_FOUND = re.compile("|".join(sorted(_TRIPLES | {triple[::-1] for triple in _TRIPLES})), re.IGNORECASE)
TEXT = f"{WORD} {WORD.upper()} {WORD}{WORD} {WORD}"
_MESSAGES = [{"role": "system", "content": TEXT}, {"role": "user", "content": [{"type": "text", "text": TEXT}]}]
_ANSWER = {"choices": [{"message": {"role": "assistant", "content": TEXT, WORD: TEXT}}], "usage": {"total_tokens": 3}}
#: Where people's words are, or what may quote them: column -> value.
PLANTED: dict[str, Any] = {
    **dict.fromkeys(("RequestBody", "BackendRequestBody"), json.dumps({"messages": _MESSAGES, WORD: {WORD: TEXT}})),
    **dict.fromkeys(("ResponseBody", "BackendResponseBody"), json.dumps(_ANSWER)),
    "RequestMessages": json.dumps(_MESSAGES),
    "ResponseMessages": json.dumps([{"role": "assistant", "content": TEXT}]),
    **dict.fromkeys(
        ("RequestHeaders", "ResponseHeaders", "BackendRequestHeaders", "BackendResponseHeaders"),
        json.dumps({"X-Prompt": TEXT, f"X-{WORD}": "1"}),
    ),
    "TraceRecords": json.dumps([{"message": TEXT, "data": {WORD: TEXT}}]),
    "Errors": json.dumps([{"message": TEXT, "elapsed": 1}]),
    "Properties": json.dumps({WORD: TEXT, "a": {"b": TEXT}}),
    "Details": json.dumps([{"message": TEXT}]),
    **dict.fromkeys(
        (
            *("LastErrorMessage", "ErrorMessage", "Prompt", "Response", "Message", "Data", "Error"),
            *("OuterMessage", "InnermostMessage"),
        ),
        TEXT,
    ),
}
_TABLES = (
    *("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog", "AoaiRequests", "AoaiRequestsLogged", "AoaiMessages"),
    *("AppTraces", "AppExceptions", "AppDependencies", "ApiManagementGatewayMCPLog"),
)


def plant(folder: Path) -> Lake:
    """The lake: three rows in each table."""
    lake = Lake.create(folder)
    for name in _TABLES:
        table = TABLES[name]
        rows = [
            {column: _value(table, column, kind, number) for column, kind in table.columns.items()}
            | {"date": "2026-11-01"}
            for number in range(3)
        ]
        lake.append(name, pa.Table.from_pylist(rows, table.arrow_schema()))
    return lake


def _value(table: Table, column: str, kind: str, number: int) -> Any:
    if column in PLANTED:
        return PLANTED[column]
    if column == "CorrelationId":
        return f"r{number}"
    if kind == "datetime":
        return pd.Timestamp("2026-11-01", tz="UTC") + pd.Timedelta(minutes=number)
    return {"string": f"plain {number}", "dynamic": "{}", "bool": True}.get(kind, number)


def leaks(content: str) -> list[str]:
    """The planted text found in *content*."""
    return _FOUND.findall(content)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


#: Names that a query gives; most are a table's of columns without text.
_NEW = ("Url", "ModelName", "A", "Surface", "CorrelationId1")
_FUNCTIONS = ("AoaiConversation", "AoaiLlmTexts", "AoaiMcp", "AoaiCosts")
#: Of a text value {0}: what tells the text or a part of it.
_VALUES = _lines(
    r"""
    {0}
    tostring({0})
    strcat('<', {0}, '>')
    substring(tostring({0}), 0, 12)
    toupper(tostring({0}))
    reverse(tostring({0}))
    base64_decode_tostring(base64_encode_tostring(tostring({0})))
    url_encode({0})
    replace_string(tostring({0}), 'a', 'b')
    extract('(.*)', 1, tostring({0}))
    split({0}, ' ')[0]
    extract_all('(.+?)', tostring({0}))
    trim('a', tostring({0}))
    strcat_array(split({0}, ' '), '-')
    parse_json(tostring({0}))
    parse_json(tostring({0})).messages[0].content
    todynamic({0})[0]
    iff(isempty({0}), '', tostring({0}))
    case(1 == 1, tostring({0}), '')
    coalesce('', tostring({0}))
    bag_pack('a', {0})
    bag_pack(tostring({0}), 1)
    bag_keys(bag_pack(tostring({0}), 1))
    pack_all()
    pack_array({0}, 1)
    array_concat(pack_array({0}), pack_array('x'))
    set_union(pack_array({0}), dynamic([]))
    make_string(unicode_codepoints_from_string(tostring({0})))
    unicode_codepoints_from_string(tostring({0}))
    translate('a', 'b', tostring({0}))
    max_of(tostring({0}), 'a')
    to_utf8(tostring({0}))
    parse_url(tostring({0}))
    parse_path(tostring({0}))
    treepath(parse_json(tostring({0})))
    toguid({0})
    tolong({0})
    todatetime(tostring({0}))
    totimespan(tostring({0}))
    hash_sha256({0})
    strlen({0})
    bag_merge(bag_pack('k', {0}), bag_pack('l', 1))
    bag_remove_keys(bag_pack('k', {0}), dynamic(['l']))
    zip(pack_array({0}), pack_array(1))
    array_sort_asc(pack_array({0}))
    repeat(tostring({0}), 2)
    strrep(tostring({0}), 2)
    punycode_from_string(tostring({0}))
    regex_quote(tostring({0}))
    {0} + 1
    extract(tostring({0}), 0, 'x')
    datetime_add('day', 1, {0})
    toscalar({1} | project {0} | take 1)
    toscalar({1} | summarize make_list(tostring({0})))
    dynamic_to_json(todynamic(tostring({0})))
    format_datetime(now(), tostring({0}))
    replace_regex(tostring({0}), 'a(.)', '')
    tohex(strlen({0}))
    assert(strlen({0}) < 0, tostring({0}))
    array_index_of(split({0}, ' '), 'x')
    array_reverse(split({0}, ' '))
    """
)
_AGGREGATES = _lines(
    r"""
    make_list({0})
    make_set({0})
    take_any({0})
    take_any(*)
    arg_max(TimeGenerated, *)
    min(tostring({0}))
    arg_min(tostring({0}), *)
    make_bag(bag_pack(tostring({0}), 1))
    max(tostring({0}))
    count()
    dcount({0})
    make_list_if({0}, true)
    buildschema(parse_json(tostring({0})))
    make_list_with_nulls({0})
    arg_max({0}, {0})
    strcat_array(make_list(tostring({0})), ',')
    maxif(tostring({0}), true)
    anyif({0}, true)
    sum(strlen({0}))
    percentile(strlen({0}), 50)
    hll(tostring({0}))
    stdev({0})
    sum({0})
    take_anyif({0}, true)
    """
)
_STAGES = _lines(
    r"""
    extend {new} = {value}
    project {new} = {value}, {key}
    project-rename {new} = {name}
    project-away {key}
    project-keep *
    project-keep {start}*
    project-reorder {name}
    distinct {name}
    distinct *
    take 2
    summarize {new} = {aggregate} by {key}
    summarize {aggregate}
    summarize count() by {new} = tostring({value})
    mv-expand {new} = pack_array({value})
    mv-expand {new} = todynamic(tostring({name})) to typeof(string)
    mv-apply {new} = split({name}, ' ') to typeof(string) on (take 1)
    mv-expand {name}
    mv-expand bagexpansion=array {name}
    mv-expand {new} = unicode_codepoints_from_string(tostring({name})) to typeof(long) | take 9
    parse {name} with {new} ' ' *
    parse kind=regex {name} with @'(.)' {new} @'\s' *
    parse-where {name} with * ' ' {new}
    parse-kv {name} as (k: string, {word}: string) with (pair_delimiter=' ', kv_delimiter='=')
    sort by tostring({name})
    join kind=inner ({other}) on {key}
    join kind=leftouter ({other} | project {key}, {new} = {value}) on {key}
    lookup ({other} | summarize {new} = take_any({name}) by {key}) on {key}
    join kind=rightanti ({other}) on {key}
    union ({other})
    union withsource=From ({other})
    union kind=inner ({other})
    top 2 by tostring({name})
    top-hitters 2 of tostring({name})
    top-nested 2 of {name} by count()
    sample-distinct 2 of {name}
    top-nested 1 of {key} by {new} = max(strlen({name})), top-nested 1 of tostring({name}) by count()
    sample 1
    serialize {new} = prev({name})
    serialize | extend {new} = next(tostring({name}), 1, '')
    order by {key}
    evaluate pivot({name})
    evaluate pivot({key}, take_any({name}))
    evaluate bag_unpack({name})
    evaluate narrow()
    extend {new} = todynamic(tostring({name})) | evaluate bag_unpack({new}, 'p_')
    extend {new} = bag_pack(tostring({name}), 1) | evaluate bag_unpack({new})
    as Named | union Named
    getschema
    extend B = bag_pack({name}, 1), C = bag_pack({name}, 2) | evaluate bag_unpack(B) | evaluate bag_unpack(C)
    partition by {key} (top 1 by tostring({name}))
    partition hint.strategy=native by {key} (summarize {aggregate})
    render table
    consume
    make-series {new} = count() on TimeGenerated step 1h by tostring({name})
    where tostring({name}) has 'a' or true
    scan declare ({new}: string = '') with (step s: true => {new} = tostring({name});)
    search 'a' or 'z'
    search '*'
    where {name} matches regex tostring({name})
    project {value}
    limit 3
    project {value}, {value}
    extend {new} = column_ifexists('{plain}', '')
    extend {new} = row_cumsum(tolong({name}))
    summarize by tostring({name}), {key}
    project ['{plain}']
    count
    """
)
#: What is refused, and might say too much then.
_WRONG = _lines(
    r"""
    union isfuzzy=true Nothing, ({other})
    make-series {new} = make_list(tostring({name})) default='' on TimeGenerated step 1h
    invoke f()
    fork (take 1) (project {name})
    facet by {name} with (take 1)
    reduce by {name}
    evaluate python(typeof(*), 'x')
    evaluate autocluster()
    evaluate rolling_percentile({name}, 50, TimeGenerated, 1d, 1, {name})
    project-smart {name}
    project {wrong}
    assert-schema ({key}: string)
    where {name} == tolong({name})
    where {name} > 5
    evaluate pivot({name}) | project {new}
    evaluate bag_unpack({name}) | project {wrong}
    where assert(false, tostring({name}))
    """
)


def _spelt(name: str, chance: random.Random) -> str:
    """A column in one of the ways that name it, some of them wrong."""
    escaped = f"\\u{ord(name[0]):04x}{name[1:]}"
    ways = [
        name,
        name,
        name,
        f"['{name}']",
        f'["{name}"]',
        f"['{escaped}']",
        f"// x\n {name}",
        name.lower(),
        f"({name})",
    ]
    return chance.choice(ways)


def _source(table: str, files: list[str], chance: random.Random) -> tuple[str, str]:
    """The ``let`` statements and the rows that a query begins with."""
    file = chance.choice(files)
    other = chance.choice(_TABLES)
    if chance.random() < 0.1:
        return chance.choice(
            [
                ("", f"find in ({table}) where CorrelationId == 'r1'"),
                ("", f"find in ({table}, {other}) where true project CorrelationId, pack(*)"),
                ("", f"search in ({table}) 'r1'"),
                ("", f"search in ({table}, {other}) '*'"),
            ]
        )
    if chance.random() < 0.03:
        return chance.choice(
            [
                (f"let {table} = {other}; ", table),
                ("let f = (T: (*), n: long = 1) { T | extend N = n }; ", f"{table} | invoke f()"),
                ("", f"union isfuzzy=true {table}, Nothing"),
                ("", f"['{file}']"),
                ("", "search 'plain'"),
                ("", f"read_parquet('{file}')"),
                ("", f"external_table('{table}')"),
                ("", f"externaldata (Prompt: string) ['{file}'] with (format='parquet')"),
            ]
        )
    return chance.choice(
        [
            *[("", table)] * 6,
            ("", f"['{table}']"),
            ("", f"table('{table}')"),
            ("", f"({table} | take 2)"),
            ("", f"materialize({table})"),
            ("", f"database('Logs').{table}"),
            ("", f"workspace('w').{table}"),
            ("", f"cluster('c').database('d').{table}"),
            (f"let t = {table}; ", "t"),
            (f"let t = materialize({table} | take 3); ", "t"),
            (f"let v = view () {{ {table} }}; ", "v"),
            (f"let f = () {{ {table} }}; ", "f()"),
            ("let f = (T: (*)) { T | take 2 }; ", f"f({table})"),
            ("let s = (x: string) { strcat(x, '.') }; ", f"{table} | extend Said = s(tostring(CorrelationId))"),
            (f"let m = toscalar({table} | summarize make_list(pack_all())); ", "print Url = m"),
            (f"let m = toscalar({table} | summarize take_any(tostring(pack_all()))); ", f"{other} | extend Url = m"),
            ("", f"union {table}, {other}"),
            ("", f"union withsource=From {table}, {other}"),
            ("", f"union {table[:12]}*"),
            ("", f"print X = toscalar({table} | project pack_all() | take 1)"),
            ("", "AzureDiagnostics"),
            ("", "traces"),
            ("", f"datatable (CorrelationId: string) ['r1'] | join kind=inner ({table}) on CorrelationId"),
            ("", f"range N from 1 to 2 step 1 | extend K = 1 | join kind=inner ({table} | extend K = 1) on K"),
        ]
    )


def query(chance: random.Random, files: list[str]) -> str:
    """A query that reaches for the planted text; it may be wrong."""
    table = chance.choice(_TABLES if chance.random() < 0.93 else _FUNCTIONS)
    lets, text = _source(table, files, chance)
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        columns = list(columns_of(lets + text).columns)
        if not columns and "|" in text:
            break  # nobody knows which there are
        columns = columns or list(TABLES.get(table, MESSAGES).columns)
        plain = chance.choice([name for name in columns if name in PLANTED or name in _NEW] or columns)
        name = _spelt(plain, chance)
        values = {
            "name": name,
            "plain": plain,
            "word": WORD[:1],
            "start": plain[:3],
            "wrong": chance.choice(["Nowhere", plain[:-1], WORD[:2], f"{plain}1"]),
            "key": "CorrelationId" if "CorrelationId" in columns else chance.choice(columns),
            "new": chance.choice([*_NEW, plain]),
            "other": f"{chance.choice(_TABLES)} | take 2",
            "value": chance.choice(_VALUES).format(name, table),
            "aggregate": chance.choice(_AGGREGATES).format(name),
        }
        stage = chance.choice(_STAGES if chance.random() < 0.95 else _WRONG)
        text += chance.choice([" | ", "\n| ", " // said\n| "]) + stage.format_map(values)
    return lets + text
