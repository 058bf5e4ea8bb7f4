"""The left half of the body's outer surface: mouth zipped, eyes capped, head, hands and feet thinned out.

MakeHuman's mesh has a mouth cavity and eye sockets. Taken out, they leave holes: the lips are zipped and each eye gets a
cap on its eyeball. New vertices are fixed affine combinations of the base mesh's, so that every morph carries over.
"""

import heapq
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from body_recipe.assets import Assets

# Parts of the texture map, told apart by their number of faces.
ISLANDS = {3938: "body", 3116: "head", 1598: "hand", 1072: "foot", 398: "mouth", 293: "eye"}

# A kept triangle must not turn by more than about 66 degrees, nor become a needle, in one step.
MIN_COSINE, MIN_SHAPE = 0.4, 0.12
# Adds this share of the squared edge length to the quadric error: on flat skin, short edges go first.
EVEN_SPREAD = 1e-3


@dataclass(frozen=True)
class Half:
    """The half of a symmetric surface at x >= 0.

    Attributes:
        rows: (vertices, base vertices) sparse; times the base mesh gives this surface.
        faces: (faces, 3), outward.
        source: the base vertex of each vertex, -1 for the new ones on the eye.
        part: name of each vertex's part of the texture ('body' where parts meet).
    """

    rows: sp.csr_matrix
    faces: np.ndarray
    source: np.ndarray
    part: np.ndarray

    def picked(self, faces: np.ndarray) -> "Half":
        """The vertices that `faces` still use, renumbered."""
        used, compact = np.unique(faces, return_inverse=True)
        return Half(self.rows[used], compact.reshape(faces.shape), self.source[used], self.part[used])


def closed_half(assets: Assets, average: np.ndarray) -> Half:
    """The left half, closed but for the plane of symmetry; `average` (vertices, 3) is a typical body."""
    part = _parts(assets)
    left = (average[assets.quads, 0] >= -1e-9).all(1)
    skin = assets.quads[left & ~np.isin(part, ["mouth", "eye"])]
    lips = _zip(_border(assets.quads[part == "mouth"]), average)
    socket = _border(assets.quads[(part == "eye") & left])
    cap, made = _eye_cap(socket, assets.groups["helper-l-eye"], average)
    faces = np.concatenate([_triangles(skin), lips, cap])
    count = len(average)
    rows = sp.vstack([sp.identity(count, format="csr"), sp.csr_matrix(made)], format="csr")
    of_vertex = np.full(count + len(made), "head", dtype="<U5")
    for name in ("foot", "hand", "body"):  # the last one wins where parts meet
        of_vertex[assets.quads[part == name]] = name
    source = np.concatenate([np.arange(count), np.full(len(made), -1)])
    return Half(rows, faces, source, of_vertex).picked(faces)


def _parts(assets: Assets) -> np.ndarray:
    """Part of the texture map that each quad lies on."""
    edges = np.concatenate([assets.quads_uv[:, [i, (i + 1) % 4]] for i in range(4)])
    size = assets.quads_uv.max() + 1
    graph = sp.coo_matrix((np.ones(len(edges)), tuple(edges.T)), shape=(size, size))
    label = sp.csgraph.connected_components(graph, directed=False)[1][assets.quads_uv[:, 0]]
    return np.array([ISLANDS[n] for n in np.bincount(label)[label]])


def _triangles(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _border(quads: np.ndarray) -> list[int]:
    """The single border loop of a patch, running the way the patch's own faces do."""
    edges = {(int(q[i]), int(q[(i + 1) % 4])) for q in quads for i in range(4)}
    after = {a: b for a, b in edges if (b, a) not in edges}
    loop = [min(after)]
    while (step := after[loop[-1]]) != loop[0]:
        loop.append(step)
    if len(loop) != len(after):
        raise ValueError("the patch has more than one border")
    return loop


def _zip(loop: list[int], points: np.ndarray) -> np.ndarray:
    """Triangles between upper and lower lip, from the left corner of the mouth to the plane of symmetry."""
    corner = int(np.argmax(points[loop, 0]))
    turned = loop[corner:] + loop[:corner]

    def to_middle(path: list[int]) -> list[int]:
        return path[: 1 + next(i for i, v in enumerate(path) if abs(points[v, 0]) < 1e-9)]

    one, other = to_middle(turned), to_middle([turned[0], *turned[:0:-1]])
    faces, i, j = [], 0, 0
    while i < len(one) - 1 or j < len(other) - 1:
        first = j == len(other) - 1 or (i < len(one) - 1 and points[one[i + 1], 0] >= points[other[j + 1], 0])
        if first:
            faces.append((one[i], one[i + 1], other[j]))
            i += 1
        else:
            faces.append((one[i], other[j + 1], other[j]))
            j += 1
    return np.array([face for face in faces if len(set(face)) == 3])


def _eye_cap(loop: list[int], eyeball: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces and new vertices (affine rows over the base mesh) of a cap: a ring on the eyeball, and its front pole."""
    count = len(points)
    front = eyeball[np.argsort(-points[eyeball, 2], kind="stable")[:5]]
    middle, pole = points[eyeball].mean(0), points[front].mean(0)
    made = np.zeros((len(loop) + 1, count))
    for row, lid in zip(made, loop, strict=False):
        half_way = 0.5 * (points[lid] + pole)
        reach = 0.985 * np.linalg.norm(pole - middle) / np.linalg.norm(half_way - middle)
        row[eyeball] += (1 - reach) / len(eyeball)
        row[front] += 0.5 * reach / len(front)
        row[lid] += 0.5 * reach
    made[-1, front] = 1 / len(front)
    faces = []
    for i, lid in enumerate(loop):
        after = (i + 1) % len(loop)
        a, b, c, d = lid, loop[after], count + after, count + i
        faces += [(a, b, c), (a, c, d), (d, c, count + len(loop))]
    return np.array(faces), made


def thin_out(points: np.ndarray, faces: np.ndarray, removable: np.ndarray, keep: int) -> np.ndarray:
    """Remove `removable` vertices, cheapest first, until `keep` are left; returns the remaining faces.

    Half-edge collapses with quadric errors (Garland and Heckbert, SIGGRAPH 1997) in which a vertex slides onto a
    neighbour and nothing moves: kept vertices are original ones, so all that is known of them stays valid.
    """
    mesh = _Collapsing(points, faces)
    heap: list[tuple[float, int, int, int]] = []

    def offer(vertex: int) -> None:
        if removable[vertex]:
            for neighbour in mesh.neighbours(vertex):
                heapq.heappush(heap, (mesh.cost(vertex, neighbour), vertex, neighbour, mesh.version[vertex]))

    for vertex in range(len(points)):
        offer(vertex)
    left = len(np.unique(faces))
    while left > keep and heap:
        _, vertex, onto, version = heapq.heappop(heap)
        if version == mesh.version[vertex] and mesh.allows(vertex, onto):
            for changed in mesh.collapse(vertex, onto):
                offer(changed)
            left -= 1
    return np.array([mesh.faces[i] for i in sorted(mesh.faces)])


class _Collapsing:
    """A triangle mesh under half-edge collapses: faces of each vertex, and quadrics."""

    def __init__(self, points: np.ndarray, faces: np.ndarray):
        self.points = points
        self.faces = {i: tuple(int(v) for v in face) for i, face in enumerate(faces)}
        self.around: list[set[int]] = [set() for _ in points]
        self.version = [0] * len(points)
        self.quadrics = np.zeros((len(points), 4, 4))
        edges: dict[tuple[int, int], int] = {}
        for index, face in self.faces.items():
            normal = self._normal(face)
            area = np.linalg.norm(normal) / 2
            plane = np.append(normal, -normal @ points[face[0]]) / max(2 * area, 1e-12)
            for k, vertex in enumerate(face):
                self.around[vertex].add(index)
                self.quadrics[vertex] += area / 3 * np.outer(plane, plane)
                edge = (min(vertex, face[k - 1]), max(vertex, face[k - 1]))
                edges[edge] = edges.get(edge, 0) + 1
        self.border = {vertex for edge, uses in edges.items() if uses == 1 for vertex in edge}

    def _normal(self, face: tuple[int, ...]) -> np.ndarray:
        a, b, c = self.points[list(face)]
        return np.cross(b - a, c - a)

    def neighbours(self, vertex: int) -> list[int]:
        return sorted({v for face in self.around[vertex] for v in self.faces[face]} - {vertex})

    def cost(self, vertex: int, onto: int) -> float:
        place = np.append(self.points[onto], 1.0)
        error = place @ (self.quadrics[vertex] + self.quadrics[onto]) @ place
        edge = self.points[vertex] - self.points[onto]
        area = np.trace(self.quadrics[vertex][:3, :3])
        return float(error + EVEN_SPREAD * area * (edge @ edge))

    def allows(self, vertex: int, onto: int) -> bool:
        """Whether the surface stays a surface, and no kept triangle flips or becomes a needle."""
        if vertex in self.border:
            return False
        mine, its = set(self.neighbours(vertex)), set(self.neighbours(onto))
        if len(mine & its) != 2:
            return False
        # An inner edge between two border vertices would be doubled by the mirrored half.
        if onto in self.border and (mine - its - {onto}) & self.border:
            return False
        return all(self._keeps_shape(face, vertex, onto) for face in self.around[vertex])

    def _keeps_shape(self, index: int, vertex: int, onto: int) -> bool:
        face = self.faces[index]
        if onto in face:
            return True
        moved = tuple(onto if v == vertex else v for v in face)
        before, after = self._normal(face), self._normal(moved)
        size = np.linalg.norm(after)
        corners = self.points[list(moved)]
        longest = max(float(e @ e) for e in corners - np.roll(corners, 1, 0))
        turned = before @ after < MIN_COSINE * np.linalg.norm(before) * size
        return not turned and size > MIN_SHAPE * longest

    def collapse(self, vertex: int, onto: int) -> list[int]:
        """Slide `vertex` onto its neighbour; returns the vertices whose surroundings changed."""
        for index in self.around[vertex]:
            face = self.faces[index]
            if onto in face:
                del self.faces[index]
                for other in face:
                    if other != vertex:
                        self.around[other].discard(index)
            else:
                self.faces[index] = tuple(onto if v == vertex else v for v in face)
                self.around[onto].add(index)
        self.around[vertex] = set()
        self.version[vertex] += 1
        self.quadrics[onto] += self.quadrics[vertex]
        changed = [onto, *self.neighbours(onto)]
        for other in changed:
            self.version[other] += 1
        return changed
