"""Graphs for tests of pictures, as node → upstreams, and what is wrong with a picture of one."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random

from nbflow_app.layout import HEIGHT, WIDTH, Layout

Graph = dict[str, list[str]]
Box = tuple[float, float, float, float]


def chain(count: int) -> Graph:
    return {f"task_{at}": [f"task_{at - 1}"] if at else [] for at in range(count)}


def fan(count: int) -> Graph:
    middle = [f"fit_{at}" for at in range(count)]
    return {"start": [], **{name: ["start"] for name in middle}, "end": middle}


def etl(count: int, *, seed: int, width: int = 8) -> Graph:
    """Layers that mostly read the one before, now and then an older one."""
    random, graph, layers = Random(seed), Graph(), list[list[str]]()
    while len(graph) < count:
        size = min(count - len(graph), random.randint(max(1, width // 2), width))
        layer = [f"{random.choice(['extract', 'clean', 'join', 'report'])}_{len(graph) + at}" for at in range(size)]
        for name in layer:
            ups = random.sample(layers[-1], min(len(layers[-1]), random.choice([1, 1, 2, 3]))) if layers else []
            if len(layers) > 2 and random.random() < 0.15:
                ups.append(random.choice(random.choice(layers[:-1])))
            graph[name] = list(dict.fromkeys(ups))
        layers.append(layer)
    return graph


def boxes(laid: Layout) -> dict[str, Box]:
    """Left, top, right and bottom of every node."""
    half = WIDTH / 2, HEIGHT / 2
    return {name: (x - half[0], y - half[1], x + half[0], y + half[1]) for name, (x, y) in laid.nodes.items()}


def problems(laid: Layout) -> list[str]:
    """What no picture may have."""
    return [*_overlaps(laid), *_outside(laid), *(each for edge in laid.edges for each in _of_edge(laid, edge))]


def _overlaps(laid: Layout) -> list[str]:
    return [f"{one} lies on {other}" for (one, a), (other, b) in combinations(boxes(laid).items(), 2) if _meet(a, b, 1)]


def _outside(laid: Layout) -> list[str]:
    whole = (0, 0, laid.width, laid.height)
    return [f"{name} is outside" for name, box in boxes(laid).items() if not _within(box, whole)]


def _of_edge(laid: Layout, edge: tuple[str, str]) -> list[str]:
    """An edge runs from side to side, only to the right, and never through a node."""
    points, (start, end) = laid.edges[edge], (laid.nodes[name] for name in edge)
    found = []
    if points[0] != (start.x + WIDTH / 2, start.y) or points[-1] != (end.x - WIDTH / 2, end.y):
        found.append(f"{edge} does not join its tasks")
    if any(a.x >= b.x for a, b in pairwise(points)):
        found.append(f"{edge} goes back")
    if any(a.y != b.y for a, b in zip(points[1::2], points[2::2], strict=False)):
        found.append(f"{edge} climbs inside a column")
    for a, b in pairwise(points):
        span = (a.x, min(a.y, b.y), b.x, max(a.y, b.y))
        found += [f"{edge} runs through {name}" for name, box in boxes(laid).items() if _meet(span, box, 0)]
    return found


def _meet(a: Box, b: Box, slack: float) -> bool:
    return a[0] < b[2] + slack and b[0] < a[2] + slack and a[1] < b[3] + slack and b[1] < a[3] + slack


def _within(box: Box, whole: Box) -> bool:
    return whole[0] <= box[0] and whole[1] <= box[1] and box[2] <= whole[2] and box[3] <= whole[3]
