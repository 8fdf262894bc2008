"""Scenes become pictures: Panda3D's own software rasteriser, so no display, no GPU and no GL driver are asked for.

Of the renderers that pip brings, Panda3D's ``p3tinydisplay`` alone needs nothing of the system, computes the same
picture on every run, and takes about 2 ms for a picture on one core where VTK on Mesa's llvmpipe took 80.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from research.fusion.scenes import pinhole
from research.fusion.scenes.bodies import pieces
from research.fusion.scenes.meshes import (
    Mesh,
    block,
    floor_texture,
    floor_tone,
    rectangle,
    rounded_cone,
    wall_texture,
)
from research.fusion.scenes.scene import HEIGHTS, LAMP, LAMP_HEIGHT, OBJECTS, Prop, Room, Scene
from vimonet.utils.errors import InputError

_SETTINGS = (
    *("load-display p3tinydisplay", "notify-level error", "notify-level-device fatal", "audio-library-name null"),
    # Neither of these may join what is almost equal: what it joined with would depend on what was drawn before.
    *("uniquify-transforms 0", "transform-cache 0"),
    *("notify-level-display fatal", "textures-power-2 none", "notify-level-tinydisplay fatal"),
)
Placed = tuple[Mesh, tuple[float, float, float]]

_WALL = 3.2
_DARK = (0.22, 0.21, 0.21)


def render(
    scene: Scene, movements: Sequence[NDArray[np.float32]], times: NDArray[np.float64], fps: float, size: int = 224
) -> NDArray[np.uint8]:
    """Pictures of a scene.

    Args:
        scene: what it holds.
        movements: joints [T, 22, 3] of each of its people, in their own coordinates.
        times: seconds of each picture, [N].
        fps: of the movements.
        size: pixels of a side; drawn at twice that and averaged, which smooths the edges.

    Returns:
        uint8 [N, size, size, 3].

    Raises:
        InputError: Panda3D is not installed.
    """
    stage = _stage(2 * size)
    frames = np.rint(times * fps).astype(int)
    moving = []
    root, cast = stage.empty()
    for person, joints in zip(scene.people, movements, strict=True):
        chosen = joints[np.minimum(frames, len(joints) - 1)]
        whole = pinhole.place(person, np.concatenate([joints[:1], chosen]))[1:]
        for piece in pieces(person, whole):
            moving.append((stage.add(cast, piece.mesh, piece.colour), piece))
    for prop in scene.props:
        stage.stand(cast, prop)
    globe, glow = stage.furnish(scene, root, cast)
    out = np.empty((len(times), size, size, 3), np.uint8)
    for n, time in enumerate(times):
        for node, piece in moving:
            stage.put(node, piece.turns[n], piece.places[n])
        if scene.lamp is not None:
            colour = LAMP[scene.lamp.colour_at(float(time))]
            globe.setColor(*colour, 1)
            glow(colour)
        shot = stage.shot().astype(np.uint16)
        out[n] = (shot[::2, ::2] + shot[1::2, ::2] + shot[::2, 1::2] + shot[1::2, 1::2] + 2) // 4
    root.removeNode()
    return out


@lru_cache(maxsize=2)
def _stage(size: int) -> _Stage:
    return _Stage(size)


class _Stage:
    """Panda3D's window of `size` pixels a side, in memory; one for a process."""

    def __init__(self, size: int) -> None:
        try:
            from panda3d import core
        except ImportError:
            raise InputError("filming scenes needs Panda3D; install it with 'pip install panda3d'.") from None
        core.loadPrcFileData("vimonet", "\n".join(_SETTINGS))
        self.core: Any = core
        self.engine = core.GraphicsEngine()
        pipe = core.GraphicsPipeSelection.getGlobalPtr().makeModulePipe("p3tinydisplay")
        wanted = core.FrameBufferProperties()
        wanted.setRgbColor(True)
        wanted.setDepthBits(24)
        room = core.WindowProperties.size(size, size)
        self.buffer = self.engine.makeOutput(pipe, "film", 0, wanted, room, core.GraphicsPipe.BFRefuseWindow)
        if self.buffer is None:
            raise InputError("Panda3D's software renderer (p3tinydisplay) could not be opened.")
        self.picture = core.Texture()
        self.buffer.addRenderTexture(self.picture, core.GraphicsOutput.RTMCopyRam)
        self.buffer.setClearColor((0.55, 0.62, 0.70, 1))
        self.lens = core.PerspectiveLens()
        self.camera = core.NodePath(core.Camera("camera", self.lens))
        self.buffer.makeDisplayRegion().setCamera(self.camera)
        self.size = size

    def empty(self) -> tuple[Any, Any]:
        """A new room: its root, and below it the node of all that throws a shadow."""
        self.order = 0
        root = self.core.NodePath("room")
        # The axes of Panda3D are x right, y into the picture, z up; ours are turned by a quarter about x.
        root.setP(90)
        self.world = self.core.NodePath("world")
        root.reparentTo(self.world)
        return root, root.attachNewNode("cast")

    def add(self, parent: Any, mesh: Mesh, colour: tuple[float, ...], texture: Any = None) -> Any:
        """A node that shows a mesh."""
        core = self.core
        layout = core.GeomVertexFormat.getV3n3() if mesh.texture is None else core.GeomVertexFormat.getV3n3t2()
        columns = [mesh.points, mesh.normals] + ([] if mesh.texture is None else [mesh.texture])
        rows = np.ascontiguousarray(np.concatenate(columns, axis=1), np.float32)
        data = core.GeomVertexData("mesh", layout, core.Geom.UHStatic)
        data.uncleanSetNumRows(len(rows))
        data.modifyArrayHandle(0).copyDataFrom(rows.tobytes())
        triangles = core.GeomTriangles(core.Geom.UHStatic)
        triangles.setIndexType(core.Geom.NTUint16)
        corners = triangles.modifyVertices()
        corners.uncleanSetNumRows(mesh.corners.size)
        corners.modifyHandle().copyDataFrom(np.ascontiguousarray(mesh.corners, np.uint16).tobytes())
        geometry = core.Geom(data)
        geometry.addPrimitive(triangles)
        node = core.GeomNode("mesh")
        node.addGeom(geometry)
        path = parent.attachNewNode(node)
        path.setColor(*colour, 1)
        # Panda3D orders what it draws by addresses in memory, which shows where two surfaces are equally near.
        self.order += 1
        path.setBin("fixed", self.order)
        if texture is not None:
            path.setTexture(texture)
        return path

    def put(self, node: Any, turn: NDArray[np.float64], place: NDArray[np.float64]) -> None:
        """Turn ([3, 3], columns are the new axes) and move a node."""
        (a, b, c), (d, e, f), (g, h, i) = turn.tolist()
        node.setMat(self.core.LMatrix4f(a, d, g, 0, b, e, h, 0, c, f, i, 0, *place.tolist(), 1))

    def stand(self, cast: Any, prop: Prop) -> None:
        """Put a prop on the floor."""
        colour = OBJECTS[prop.colour]
        node = cast.attachNewNode(prop.kind)
        node.setPos(prop.place[0], 0, prop.place[1])
        node.setHpr(self.core.LVecBase3f(0, 0, prop.turn))  # roll is about y, our up
        for mesh, place in _shape(prop.kind):
            self.add(node, mesh, colour).setPos(*place)

    def furnish(self, scene: Scene, root: Any, cast: Any) -> tuple[Any, Any]:
        """Room, lamp, light, shadows, camera. Returns the lamp's globe and what colours the light by it."""
        core, room = self.core, scene.room
        self._walls(room, root)
        warm = 0.08 * scene.light.warmth
        tint = np.array([1 + warm, 1.0, 1 - warm])
        ambient = root.attachNewNode(core.AmbientLight("ambient"))
        ambient.node().setColor((*(scene.light.ambient * tint), 1))
        sun = root.attachNewNode(core.DirectionalLight("sun"))
        sun.node().setColor((*((1.2 - scene.light.ambient) * tint), 1))
        azimuth, elevation = math.radians(scene.light.azimuth), math.radians(scene.light.elevation)
        fall = -np.array(
            [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
        )
        sun.node().setDirection(core.LVector3(*fall))
        for light in (ambient, sun):
            root.setLight(light)
        globe = None
        if scene.lamp is not None:
            lamp = cast.attachNewNode("lamp")
            lamp.setPos(scene.lamp.place[0], 0, scene.lamp.place[1])
            self.add(lamp, rounded_cone(0.04, 0.2, 0.2, flat=True), _DARK)
            self.add(lamp, rounded_cone(LAMP_HEIGHT, 0.025, 0.025, flat=True), _DARK)
            globe = self.add(lamp, rounded_cone(0, 0.24, 0.24), (1, 1, 1))
            globe.setPos(0, LAMP_HEIGHT, 0)
            globe.setLightOff(1)
        # What lies between the light and the floor, pressed flat along the light.
        shadow = root.attachNewNode("shadow")
        shadow.setMat(
            core.LMatrix4f(1, 0, 0, 0, -fall[0] / fall[1], 0.002, -fall[2] / fall[1], 0, 0, 0, 1, 0, 0, 0.008, 0, 1)
        )
        shadow.setLightOff(2)
        shadow.setBin("fixed", 0, 2)
        shadow.setColor(*(0.62 * scene.light.ambient / 0.45 * np.array(floor_tone(room)) * tint), 1, 2)
        cast.instanceTo(shadow)
        self._aim(scene)

        def glow(colour: tuple[float, float, float]) -> None:
            mixed = scene.light.ambient * tint * (0.965 + 0.07 * np.array(colour))
            ambient.node().setColor((*mixed, 1))

        return globe, glow

    def _walls(self, room: Room, root: Any) -> None:
        (x, z), (w, d) = room.centre, room.half
        near, far, left, right = z + d, z - d, x - w, x + w
        floor = self._texture(floor_texture(room))
        wall = self._texture(wall_texture(room))
        white = (1.0, 1.0, 1.0)
        level = np.array([left, 0, near], np.float32)
        self.add(root, rectangle(level, _v(2 * w, 0, 0), _v(0, 0, -2 * d), (w, d)), white, floor)
        up = _v(0, _WALL, 0)
        for corner, along in (
            (_v(left, 0, far), _v(2 * w, 0, 0)),
            (_v(right, 0, near), _v(-2 * w, 0, 0)),
            (_v(left, 0, near), _v(0, 0, -2 * d)),
            (_v(right, 0, far), _v(0, 0, 2 * d)),
        ):
            length = float(np.abs(along).sum())
            self.add(root, rectangle(corner, along, up, (length, _WALL)), white, wall)
            skirting = rectangle(corner, along, _v(0, 0.1, 0), (1, 1))
            inward = np.cross(along, up) / (length * _WALL) * 0.01
            self.add(root, skirting, (0.93, 0.92, 0.9)).setPos(*inward.tolist())

    def _texture(self, picture: NDArray[np.uint8]) -> Any:
        core = self.core
        texture = core.Texture()
        high, wide = picture.shape[:2]
        texture.setup2dTexture(wide, high, core.Texture.TUnsignedByte, core.Texture.FRgb)
        texture.setRamImageAs(np.ascontiguousarray(picture[::-1]).tobytes(), "RGB")
        texture.setMinfilter(core.SamplerState.FTLinearMipmapLinear)
        texture.setMagfilter(core.SamplerState.FTLinear)
        return texture

    def _aim(self, scene: Scene) -> None:
        self.lens.setFov(scene.camera.angle)
        self.lens.setNearFar(0.2, 40)
        right, up, forward = pinhole.axes(scene.camera)
        at = pinhole.position(scene.camera)
        root = self.world.getChild(0)
        self.camera.reparentTo(root)
        # Panda3D's camera looks along its own y, its z is up.
        self.put(self.camera, np.stack([right, forward, up], axis=1), at)

    def shot(self) -> NDArray[np.uint8]:
        """The picture as it stands, [size, size, 3]."""
        self.engine.renderFrame()
        raw = np.frombuffer(self.picture.getRamImageAs("RGB"), np.uint8)
        return raw.reshape(self.size, self.size, 3)[::-1]


def _shape(kind: str) -> list[Placed]:
    """The parts of a prop, each with its place."""
    if kind == "box":
        return [(block(0.5, HEIGHTS["box"], 0.5), (0, 0, 0))]
    if kind == "ball":
        return [(rounded_cone(0, 0.22, 0.22), (0, 0.22, 0))]
    if kind == "cone":
        return [(block(0.42, 0.04, 0.42), (0, 0, 0)), (rounded_cone(0.58, 0.17, 0.03, flat=True), (0, 0.04, 0))]
    if kind == "barrel":
        return [(rounded_cone(HEIGHTS["barrel"], 0.23, 0.23, flat=True), (0, 0, 0))]
    if kind == "chair":
        return [(block(0.45, 0.06, 0.45), (0, 0.4, 0)), (block(0.45, 0.4, 0.06), (0, 0.45, -0.2)), *_legs(0.4, 0.4)]
    return [(block(0.8, 0.06, 0.6), (0, 0.54, 0)), *_legs(0.52, 0.54, 0.7)]


def _legs(span: float, height: float, wide: float | None = None) -> list[Placed]:
    x, z = (wide or span) / 2, span / 2
    return [(block(0.05, height, 0.05), (a * x, 0, b * z)) for a in (-1, 1) for b in (-1, 1)]


def _v(x: float, y: float, z: float) -> NDArray[np.float32]:
    return np.array([x, y, z], np.float32)
