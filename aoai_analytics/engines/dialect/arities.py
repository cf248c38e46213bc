"""How many arguments each function takes: those that duckdb-kql's registry does not say.

Source: the page of each at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

MANY = 1000

#: Function -> the fewest and the most arguments.
ARITIES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("any", "take_any", "pack_array", "set_union"), (1, MANY)),
    "bag_pack_columns": (1, MANY),
    **dict.fromkeys(("arg_max", "arg_min", "argmax", "argmin"), (1, MANY)),
    **dict.fromkeys(("bag_pack", "pack", "pack_dictionary", "series_product"), (0, MANY)),
    **dict.fromkeys(("percentiles", "percentiles_array"), (2, MANY)),
    **dict.fromkeys(("percentilesw", "percentilesw_array"), (3, MANY)),
    "bag_unpack": (1, 5),
    "bin": (2, 2),
    "bin_at": (3, 3),
    "bin_auto": (1, 1),
    "case": (3, MANY),
    "coalesce": (1, MANY),
    "column_ifexists": (2, 2),
    "columnifexists": (2, 2),
    "datetime_add": (3, 3),
    "datetime_diff": (3, 3),
    "datetime_part": (2, 2),
    "extract": (3, 4),
    "extract_json": (2, 3),
    "extractjson": (2, 3),
    "gettype": (1, 1),
    "hash": (1, 2),
    "active_users_count": (8, MANY),
    "activity_counts_metrics": (5, MANY),
    "activity_metrics": (3, MANY),
    "dcount_intersect": (2, 16),
    "identity": (0, 0),
    "ipv4_lookup": (3, MANY),
    "ipv6_lookup": (3, 4),
    "rolling_percentile": (5, MANY),
    "rows_near": (2, 3),
    "sliding_window_counts": (6, MANY),
    "make_datetime": (3, 7),
    "make_timespan": (2, 4),
    "max_of": (1, MANY),
    "min_of": (1, MANY),
    "narrow": (0, 0),
    "not": (1, 1),
    "pack_all": (0, 1),
    "pivot": (1, MANY),
    "series_fit_line": (1, 1),
    "series_stats": (1, 2),
    "strcat": (1, MANY),
    "strcat_array": (2, 2),
    "strcat_delim": (2, MANY),
    "toscalar": (1, 1),
}
