"""What a scene holds. Metres, degrees, seconds; Y up; ground points are (x, z). All of it is JSON through `asdict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Ground = tuple[float, float]
"""A point of the floor: x and z."""

CLOTHES = {
    **{"red": (0.78, 0.10, 0.11), "orange": (1.0, 0.58, 0.05), "yellow": (0.98, 0.90, 0.18)},
    **{"green": (0.12, 0.55, 0.20), "blue": (0.12, 0.28, 0.78), "purple": (0.56, 0.20, 0.70)},
    **{"white": (0.93, 0.93, 0.92), "black": (0.09, 0.09, 0.10)},
}
"""Colours of clothes, by name: apart from one another under every light that is drawn."""

OBJECTS = {name: CLOTHES[name] for name in ("red", "orange", "yellow", "green", "blue", "purple", "white")}
HAIR = {"black": (0.07, 0.06, 0.06), "brown": (0.33, 0.19, 0.09), "blond": (0.88, 0.73, 0.38), "grey": (0.6, 0.6, 0.61)}
SKIN = {"light": (0.93, 0.75, 0.64), "olive": (0.78, 0.58, 0.42), "tan": (0.62, 0.42, 0.29), "dark": (0.38, 0.25, 0.18)}
WALLS = {
    **{"white": (0.90, 0.90, 0.88), "beige": (0.85, 0.76, 0.60), "pink": (0.90, 0.66, 0.69)},
    **{"blue": (0.55, 0.70, 0.88), "green": (0.60, 0.78, 0.60), "grey": (0.60, 0.61, 0.63)},
}
LAMP = {"red": (1.0, 0.14, 0.12), "green": (0.15, 0.95, 0.25), "blue": (0.2, 0.4, 1.0), "yellow": (1.0, 0.9, 0.2)}
FLOORS = ("tiles", "planks", "carpet")
PATTERNS = ("plain", "stripes", "bricks")
KINDS = ("box", "ball", "cone", "chair", "table", "barrel")
"""What stands about."""
HEIGHTS = {"box": 0.45, "ball": 0.44, "cone": 0.62, "chair": 0.85, "table": 0.6, "barrel": 0.7}
"""Heights of the kinds, m."""
LAMP_HEIGHT = 1.75
"""Height of the centre of the lamp's globe, m."""


@dataclass(frozen=True)
class Person:
    """Someone, and where the movement is put.

    Attributes:
        shirt, trousers, hair, skin: names of colours.
        long_hair, long_sleeves: whether so.
        girth: thickness of trunk and limbs, 1 for the middle of the range.
        head: size of the head, likewise.
        place: where the movement's first pelvis stands.
        turn: degrees the movement is turned to the left.
        floor: height in the movement's coordinates that lies on the room's floor.
    """

    shirt: str
    trousers: str
    hair: str
    skin: str
    long_hair: bool
    long_sleeves: bool
    girth: float
    head: float
    place: Ground = (0.0, 0.0)
    turn: float = 0.0
    floor: float = 0.0


@dataclass(frozen=True)
class Prop:
    """A thing on the floor: `kind` of KINDS, name of its colour, place, degrees it is turned."""

    kind: str
    colour: str
    place: Ground
    turn: float


@dataclass(frozen=True)
class Lamp:
    """A standing lamp whose globe changes colour: `colours` are (from second, colour), the first from 0."""

    place: Ground
    colours: tuple[tuple[float, str], ...]

    def colour_at(self, time: float) -> str:
        """Name of its colour at a time in seconds."""
        return [colour for start, colour in self.colours if start <= time + 1e-6][-1]


@dataclass(frozen=True)
class Room:
    """Floor and walls, patterns and colours, `grain` that seeds their textures; `half` is half its width and depth."""

    floor: str
    wall: str
    colour: str
    grain: int
    centre: Ground
    half: tuple[float, float]


@dataclass(frozen=True)
class Light:
    """Where the light falls from, its warmth (-1 cold, 1 warm) and the share of it that is diffuse."""

    azimuth: float
    elevation: float
    warmth: float
    ambient: float


@dataclass(frozen=True)
class Camera:
    """A camera that stands still and looks at `target`; at azimuth 0 it looks along -Z, at 90 along -X."""

    azimuth: float
    elevation: float
    distance: float
    target: tuple[float, float, float]
    angle: float = 44.0


@dataclass(frozen=True)
class Scene:
    """All that is filmed; `people` in the order of their movements, the first the one whose movement is given."""

    people: tuple[Person, ...]
    props: tuple[Prop, ...]
    lamp: Lamp | None
    room: Room
    light: Light
    camera: Camera

    def to_dict(self) -> dict[str, Any]:
        """The scene as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Scene:
        """The scene that `to_dict` told, also out of JSON, where tuples have become lists."""

        def fields(values: Mapping[str, Any]) -> dict[str, Any]:
            return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

        lamp = told["lamp"]
        return cls(
            tuple(Person(**fields(person)) for person in told["people"]),
            tuple(Prop(**fields(prop)) for prop in told["props"]),
            None if lamp is None else Lamp(tuple(lamp["place"]), tuple((float(at), to) for at, to in lamp["colours"])),
            Room(**fields(told["room"])),
            Light(**told["light"]),
            Camera(**fields(told["camera"])),
        )
