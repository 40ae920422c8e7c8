"""The demo's `production.orders`: seeded by the day, so every machine has the same orders for any date.

Each day has what real order tables have: rows that were sent twice, corrections that arrive later the same night,
regions typed by hand, and a few rows that nobody can use.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

DAYS = 28
"""How many days the source keeps up to and including the one asked for: about 20,000 orders."""

TABLE = """
create table if not exists {table} (
    order_id    bigint not null,
    customer_id varchar(12) not null,
    region      varchar(20),
    currency    varchar(3),
    amount      double precision,
    status      varchar(12) not null,
    ordered_at  timestamp not null,
    updated_at  timestamp not null
)
"""


class Row(NamedTuple):
    """One version of one order. Times are Pacific, without a zone, as the shop writes them."""

    order_id: int
    customer_id: str
    region: str | None
    currency: str
    amount: float | None
    status: str
    ordered_at: datetime
    updated_at: datetime


COLUMNS = ", ".join(Row._fields)


@dataclass(frozen=True)
class Region:
    """How one part of the world buys. `peak` is the busiest hour of its day, seen from the Pacific coast."""

    name: str
    spellings: tuple[str, ...]
    orders: int
    peak: int
    basket: float
    currencies: tuple[str, ...]


REGIONS = (
    Region("amer", ("AMER", " amer", "Americas"), 310, 13, 64.0, ("USD", "USD", "USD", "CAD")),
    Region("emea", ("EMEA", "emea ", "Europe"), 235, 9, 58.0, ("EUR", "EUR", "GBP")),
    Region("apac", ("APAC", "Apac", "Asia Pacific"), 150, 4, 71.0, ("JPY", "JPY", "AUD")),
    Region("latam", ("LATAM", "latam ", "Latin America"), 80, 16, 39.0, ("BRL", "MXN")),
)
UNITS_PER_DOLLAR = {
    "USD": 1.0, "CAD": 1.36, "EUR": 0.92, "GBP": 0.79, "JPY": 150.0, "AUD": 1.52, "BRL": 5.1, "MXN": 17.2,
}  # fmt: skip


def orders_of(day: date) -> list[Row]:
    """All rows of one day, in the order in which they reached the table."""
    random = Random(f"orders of {day.isoformat()}")
    placed = [_placed(random, day, region) for region in REGIONS for _ in range(_volume(random, day, region))]
    placed.sort(key=lambda row: row.ordered_at)
    first_id = int(f"{day:%y%m%d}") * 10_000
    numbered = [row._replace(order_id=first_id + n) for n, row in enumerate(placed)]
    rows = [version for row in numbered for version in _versions(random, day, row)]
    return sorted(rows, key=lambda row: (row.updated_at, row.order_id))


def fill_sqlite(path: str | Path, day: date) -> Path:
    """Add the days up to `day` that are missing to a SQLite file, in one transaction; safe to call side by side."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as db:
        db.execute("begin immediate")
        db.execute(TABLE.format(table="orders"))
        db.execute("create table if not exists days (day text primary key)")
        known = {text for (text,) in db.execute("select day from days")}
        for missing in (d for d in _days(day) if d.isoformat() not in known):
            rows = map(_as_text, orders_of(missing))
            db.executemany(f"insert into orders ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            db.execute("insert into days values (?)", (missing.isoformat(),))
        db.execute("create index if not exists orders_by_time on orders (ordered_at)")
        db.execute("commit")
    return file


def fill_postgres(url: str, day: date) -> None:
    """Write the days up to `day` to `production.orders` of a PostgreSQL database, over what was there for them."""
    import psycopg  # only who has such a database needs the driver

    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://")) as db:
        db.execute("create schema if not exists production")
        db.execute(TABLE.format(table="production.orders"))
        first, end = min(_days(day)), day + timedelta(days=1)
        db.execute("delete from production.orders where ordered_at >= %s and ordered_at < %s", (first, end))
        with db.cursor().copy(f"copy production.orders ({COLUMNS}) from stdin") as copy:
            for row in (row for d in _days(day) for row in orders_of(d)):
                copy.write_row(row)


def _days(last: date) -> Iterator[date]:
    return (last - timedelta(days=back) for back in reversed(range(DAYS)))


def _volume(random: Random, day: date, region: Region) -> int:
    weekend = 0.8 if day.weekday() >= 5 else 1.0
    return round(region.orders * weekend * random.uniform(0.9, 1.1))


def _placed(random: Random, day: date, region: Region) -> Row:
    second = round(random.gauss(region.peak, 3.0) * 3600) % 86_400
    at = datetime.combine(day, time()) + timedelta(seconds=second)
    currency = random.choice(region.currencies)
    amount = round(random.lognormvariate(0, 0.6) * region.basket * UNITS_PER_DOLLAR[currency], 2)
    name = random.choice(region.spellings) if random.random() < 0.04 else region.name
    return Row(0, f"C{random.randrange(4_000):05d}", name, currency, amount, "placed", at, at)


def _versions(random: Random, day: date, row: Row) -> list[Row]:
    """The rows that one order leaves behind: one as a rule, two after a correction or a double send."""
    chance = random.random()
    if chance < 0.016:
        return [_spoilt(random, row)]
    if chance < 0.030:
        return [row, row]
    if chance < 0.065:
        return [row, _corrected(random, day, row)]
    return [row]


def _spoilt(random: Random, row: Row) -> Row:
    flaws: list[dict[str, Any]] = [
        {"region": None},
        {"currency": "XXX"},
        {"amount": None},
        {"amount": -(row.amount or 0.0)},
    ]
    return row._replace(**random.choice(flaws))


def _corrected(random: Random, day: date, row: Row) -> Row:
    """A later version of the order; corrections arrive until a quarter to two of the next morning."""
    deadline = datetime.combine(day + timedelta(days=1), time(1, 45))
    later = min(row.ordered_at + timedelta(minutes=random.randint(3, 600)), deadline)
    if random.random() < 0.6:
        return row._replace(status="cancelled", updated_at=later)
    amount = round((row.amount or 0.0) * random.uniform(0.5, 0.95), 2)
    return row._replace(status="corrected", amount=amount, updated_at=later)


def _as_text(row: Row) -> tuple[object, ...]:
    """The row with its times as the text that sorts like times in SQLite: microseconds are always written."""
    return *row[:6], *(f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in row[6:])


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill production.orders of a PostgreSQL database with demo orders.")
    parser.add_argument("url", help="postgresql://user@host/database")
    parser.add_argument("--until", type=date.fromisoformat, required=True, help=f"the last of the {DAYS} days")
    options = parser.parse_args()
    fill_postgres(options.url, options.until)


if __name__ == "__main__":
    main()
