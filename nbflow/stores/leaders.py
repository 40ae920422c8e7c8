"""Who leads: one row, written by compare-and-set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select, update

from nbflow.errors import Conflict, LeaseLost
from nbflow.ports import Leader
from nbflow.stores.base import SqlSide
from nbflow.stores.schema import leaders


class SqlLeaders(SqlSide):
    def now(self, local: datetime) -> datetime:
        """PostgreSQL's clock; SQLite's is the machine's own."""
        if self._database.engine.dialect.name != "postgresql":
            return local
        with self._database.read() as connection:
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def lead(self, engine: str, *, now: datetime, ttl: timedelta, instead_of: str | None = None) -> Leader:
        with self._database.write() as connection:
            row = _row(connection)
            held = _leader_of(row)
            if held and held.engine not in {engine, instead_of} and now < held.expires:
                raise Conflict(f"{held.engine} leads until {held.expires:%H:%M:%S} UTC")
            epoch = held.epoch if held and held.engine == engine else (row["epoch"] + 1 if row else 1)
            leader = Leader(engine=engine, epoch=epoch, expires=now + ttl)
            values = {"engine": engine, "epoch": epoch, "expires": leader.expires}
            connection.execute(update(leaders).values(values) if row else insert(leaders).values(one=1, **values))
        return leader

    def resign(self, leader: Leader) -> None:
        with self._database.write() as connection:
            connection.execute(update(leaders).where(_is(leader)).values(engine=None, expires=None))

    def leader(self) -> Leader | None:
        with self._database.read() as connection:
            return _leader_of(_row(connection))


def require_leader(connection: Connection, leader: Leader) -> None:
    """Raises LeaseLost where another engine or epoch leads by now, or nobody."""
    if connection.scalar(select(leaders.c.one).where(_is(leader))) is None:
        now = _leader_of(_row(connection))
        raise LeaseLost(f"{leader.engine} does not lead any more, but {now.engine if now else 'nobody'}")


def _is(leader: Leader) -> ColumnElement[bool]:
    return (leaders.c.engine == leader.engine) & (leaders.c.epoch == leader.epoch)


def _row(connection: Connection) -> RowMapping | None:
    return connection.execute(select(leaders)).mappings().first()


def _leader_of(row: RowMapping | None) -> Leader | None:
    if row is None or row["engine"] is None:
        return None
    return Leader(engine=row["engine"], epoch=row["epoch"], expires=row["expires"])
