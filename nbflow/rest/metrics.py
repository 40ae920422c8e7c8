"""The figures as Prometheus reads them: all from the store, so that any process gives the same; none of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from nbflow.api import Figures
from nbflow.tally import BOUNDS, Series

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(figures: Figures) -> bytes:
    """In Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(figures))
    return generate_latest(registry)


class _Given(Collector):
    """Figures that are there already, as the library asks for them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        of = self._figures
        yield _ended(of, "run", "nbflow_runs", "Runs that ended, by state; one that is repaired ends again.")
        yield _ended(of, "task", "nbflow_task_runs", "Task runs that ended, by state.")
        yield _attempts(of)
        yield from _durations(of)
        yield _standing("nbflow_unfinished_runs", "Runs that have not ended, by state.", of.runs)
        yield _standing("nbflow_unfinished_task_runs", "Task runs of these, by state: queued ones wait.", of.tasks)
        yield from _pools(of)
        yield from _scheduler(of)


def _ended(figures: Figures, series: str, name: str, about: str) -> Metric:
    family = CounterMetricFamily(name, about, labels=["pipeline", "state"])
    for of, value in _counts(figures, series):
        family.add_metric([of.pipeline, of.word], value)
    return family


def _attempts(figures: Figures) -> Metric:
    about = "Attempts that ended, by state and cause; the cause of those that ended well is empty."
    family = CounterMetricFamily("nbflow_attempts", about, labels=["pipeline", "state", "cause"])
    for of, value in _counts(figures, "attempt"):
        family.add_metric([of.pipeline, of.word, of.cause], value)
    return family


def _durations(figures: Figures) -> Iterator[Metric]:
    family = HistogramMetricFamily("nbflow_attempt_seconds", "How long attempts took.", labels=["pipeline"])
    counted = dict(_counts(figures, "seconds"))
    for of, total in _counts(figures, "seconds_sum"):
        below, buckets = 0.0, []
        for bound in (*(str(each) for each in BOUNDS), "+Inf"):
            below += counted.get(Series("seconds", of.pipeline, bound), 0)
            buckets.append((bound, below))
        family.add_metric([of.pipeline], buckets, total)
    yield family


def _counts(figures: Figures, name: str) -> list[tuple[Series, float]]:
    return [(series, value) for series, value in sorted(figures.tallies.items()) if series.name == name]


def _standing(name: str, about: str, counts: Counter[str]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=["state"])
    for state, count in sorted(counts.items()):
        family.add_metric([state], count)
    return family


def _pools(figures: Figures) -> Iterator[Metric]:
    places = GaugeMetricFamily("nbflow_pool_places", "Places that a pool has.", labels=["pool"])
    taken = GaugeMetricFamily("nbflow_pool_places_taken", "Places of a pool that are taken.", labels=["pool"])
    for pool, has in sorted(figures.pools.items()):
        places.add_metric([pool], has)
        taken.add_metric([pool], figures.taken.get(pool, 0))
    yield places
    yield taken


def _scheduler(figures: Figures) -> Iterator[Metric]:
    """No sample where no scheduler leads: an alert on absence is clearer than a number that means nothing."""
    about = "How long ago the scheduler last said that it lives."
    family = GaugeMetricFamily("nbflow_scheduler_heartbeat_age_seconds", about)
    if figures.heartbeat is not None:
        family.add_metric([], figures.heartbeat.total_seconds())
    yield family
