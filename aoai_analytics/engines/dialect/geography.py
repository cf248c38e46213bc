"""Functions of places on Earth, a sphere as Kusto takes it, in Python. Longitudes come first.

Sources: https://learn.microsoft.com/kusto/query/geospatial-grid-systems and the page of each function.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from .values import as_number

#: Metres.
_RADIUS = 6_371_010.0
_BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"

Point = tuple[float, float]


def _point(longitude: Any, latitude: Any) -> Point | None:
    """A place; None where a coordinate is not one."""
    east, north = as_number(longitude), as_number(latitude)
    if east is None or north is None or abs(east) > 180 or abs(north) > 90:
        return None
    return east, north


def _vector(point: Point) -> tuple[float, float, float]:
    east, north = map(math.radians, point)
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def _meters(one: Point, other: Point) -> float:
    north, norther = math.radians(one[1]), math.radians(other[1])
    half = math.sin((norther - north) / 2) ** 2
    half += math.cos(north) * math.cos(norther) * math.sin(math.radians(other[0] - one[0]) / 2) ** 2
    return 2 * _RADIUS * math.asin(math.sqrt(min(1.0, half)))


def distance(east: Any, north: Any, easter: Any, norther: Any) -> float | None:
    one, other = _point(east, north), _point(easter, norther)
    return None if one is None or other is None else _meters(one, other)


def in_circle(east: Any, north: Any, center_east: Any, center_north: Any, radius: Any) -> bool | None:
    meters, limit = distance(east, north, center_east, center_north), as_number(radius)
    return None if meters is None or limit is None or limit <= 0 else meters <= limit


def to_geohash(longitude: Any, latitude: Any, accuracy: Any = 5) -> str:
    point = _point(longitude, latitude)
    if point is None or not isinstance(accuracy, int) or not 1 <= accuracy <= 18:
        return ""
    ranges = [[-180.0, 180.0], [-90.0, 90.0]]
    code, bits = 0, 5 * accuracy
    for place in range(bits):
        low, high = ranges[place % 2]
        middle = (low + high) / 2
        above = point[place % 2] >= middle
        ranges[place % 2] = [middle, high] if above else [low, middle]
        code = 2 * code + above
    return "".join(_BASE32[code >> shift & 31] for shift in range(bits - 5, -1, -5))


def _box(geohash: Any) -> list[list[float]] | None:
    """The west, east, south and north of a geohash."""
    if not isinstance(geohash, str) or not 1 <= len(geohash) <= 18 or set(geohash) - set(_BASE32):
        return None
    ranges = [[-180.0, 180.0], [-90.0, 90.0]]
    for place in range(5 * len(geohash)):
        low, high = ranges[place % 2]
        above = _BASE32.index(geohash[place // 5]) >> (4 - place % 5) & 1
        ranges[place % 2] = [(low + high) / 2, high] if above else [low, (low + high) / 2]
    return ranges


def center_of_geohash(geohash: Any) -> dict[str, Any] | None:
    box = _box(geohash)
    return None if box is None else {"type": "Point", "coordinates": [sum(side) / 2 for side in box]}


def polygon_of_geohash(geohash: Any) -> dict[str, Any] | None:
    box = _box(geohash)
    if box is None:
        return None
    (west, east), (south, north) = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def neighbors_of_geohash(geohash: Any) -> list[str] | None:
    """The eight around it, from the north clockwise and the corners last; fewer at a pole."""
    box = _box(geohash)
    if box is None:
        return None
    (west, east), (south, north) = box
    width, height = east - west, north - south
    steps = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
    found = []
    for right, up in steps:
        latitude = (south + north) / 2 + up * height
        longitude = ((west + east) / 2 + right * width + 180) % 360 - 180
        if abs(latitude) < 90:
            found.append(to_geohash(longitude, latitude, len(geohash)))
    return found


def in_polygon(longitude: Any, latitude: Any, polygon: Any) -> bool | None:
    """Whether a place is within a GeoJSON Polygon or MultiPolygon, whose edges are the shortest ways on the sphere."""
    point = _point(longitude, latitude)
    if point is None or not isinstance(polygon, dict) or not isinstance(polygon.get("coordinates"), list):
        return None
    kind, shapes = polygon.get("type"), polygon["coordinates"]
    if kind not in ("Polygon", "MultiPolygon"):
        return None
    try:
        polygons = [shapes] if kind == "Polygon" else shapes
        return any(_within(point, shell) and not any(_within(point, h) for h in holes) for shell, *holes in polygons)
    except (TypeError, ValueError):
        return None


def _within(point: Point, ring: list[Any]) -> bool:
    """Whether the angles at *point* between the ring's corners add up to a turn: it goes around the point."""
    if len(ring) < 4:
        raise ValueError("a ring has four corners or more, the last of which is the first")
    px, py, pz = _vector(point)
    turned = 0.0
    corners = [_vector((float(corner[0]), float(corner[1]))) for corner in ring]
    # Directions to the corners, in the plane that touches the sphere at the point.
    east = math.radians(point[0])
    ex, ey = -math.sin(east), math.cos(east)
    nx, ny, nz = -pz * ey, pz * ex, px * ey - py * ex
    bearings = [math.atan2(x * ex + y * ey, x * nx + y * ny + z * nz) for x, y, z in corners]
    for one, other in pairwise(bearings):
        turned += (other - one + math.pi) % (2 * math.pi) - math.pi
    inside = abs(turned) > math.pi
    # The smaller of the two regions counts: one on the other side of the Earth goes around nothing.
    return inside and sum(x * px + y * py + z * pz for x, y, z in corners) > 0


def azimuth(east: Any, north: Any, easter: Any, norther: Any) -> float | None:
    """The angle from due north to the way from the first place to the second, in radians from 0 to 2 pi."""
    one, other = _point(east, north), _point(easter, norther)
    if one is None or other is None or one == other:
        return None
    turn = math.radians(other[0] - one[0])
    low, high = math.radians(one[1]), math.radians(other[1])
    across = math.sin(turn) * math.cos(high)
    along = math.cos(low) * math.sin(high) - math.sin(low) * math.cos(high) * math.cos(turn)
    return math.atan2(across, along) % (2 * math.pi)


#: Function -> fewest and most arguments, the type of the result, and what computes it.
FUNCTIONS: dict[str, tuple[int, int, str, Any]] = {
    "geo_azimuth": (4, 4, "real", azimuth),
    "geo_distance_2points": (4, 4, "real", distance),
    "geo_geohash_neighbors": (1, 1, "dynamic", neighbors_of_geohash),
    "geo_geohash_to_central_point": (1, 1, "dynamic", center_of_geohash),
    "geo_geohash_to_polygon": (1, 1, "dynamic", polygon_of_geohash),
    "geo_point_in_circle": (5, 5, "bool", in_circle),
    "geo_point_in_polygon": (3, 3, "bool", in_polygon),
    "geo_point_to_geohash": (2, 3, "string", to_geohash),
}
