"""The demo's shop: one day of orders and of the payments for them, seeded by the day, the same on every machine.

Orders and payments do not agree, as in life: some orders are never paid, some payments are declined, refunded,
reported twice, or belong to no order that the shop knows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

from whole_file import whole_file

ORDERS = 860
COUNTRIES = {"US": 0.42, "DE": 0.17, "GB": 0.15, "FR": 0.11, "CA": 0.09, "NL": 0.06}
CHANNELS = {"web": 0.55, "app": 0.38, "phone": 0.07}
METHODS = {"card": 0.62, "wallet": 0.26, "transfer": 0.12}
FEES = {"card": (0.015, 25), "wallet": (0.029, 30), "transfer": (0.0, 40)}
"""Share of the amount, and cents for each payment."""


@dataclass(frozen=True)
class Order:
    """One order, in US dollars."""

    order_id: str
    email: str
    country: str
    channel: str
    total: float
    placed_at: str


@dataclass(frozen=True)
class Payment:
    """One try to move money; amounts are whole cents, and negative where money goes back."""

    payment_id: str
    order_id: str
    method: str
    status: str
    amount_cents: int
    fee_cents: int
    paid_at: str


def orders_of(day: date) -> list[Order]:
    """The orders as they were placed: clean, before the export spoils them."""
    random = Random(f"shop orders of {day.isoformat()}")
    count = round(ORDERS * (0.85 if day.weekday() >= 5 else 1.0) * random.uniform(0.92, 1.08))
    moments = sorted(random.gauss(15, 4.5) * 3600 % 86_400 for _ in range(count))
    return [_order(random, day, number, second) for number, second in enumerate(moments, start=1)]


def export_orders(day: date, folder: str | Path) -> Path:
    """Write the shop's nightly CSV export of one day unless it is there already."""
    path = Path(folder) / f"orders_{day}.csv"
    if not path.exists():
        with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Order)])
            writer.writeheader()
            writer.writerows(asdict(row) for row in _as_exported(day))
    return path


def payments_of(day: date) -> list[Payment]:
    """What the payment provider knows of the day, in the order in which it happened."""
    random = Random(f"payments of {day.isoformat()}")
    rows = [payment for order in orders_of(day) for payment in _payments(random, order)]
    rows += [_unknown(random, day, number) for number in range(4)]
    rows += random.sample(rows, k=9)
    return sorted(rows, key=lambda row: (row.paid_at, row.payment_id))


def _order(random: Random, day: date, number: int, second: float) -> Order:
    at = datetime.combine(day, time()) + timedelta(seconds=int(second))
    return Order(
        order_id=f"R{day:%y%m%d}-{number:04d}",
        email=f"customer{random.randrange(3_000):04d}@example.com",
        country=_pick(random, COUNTRIES),
        channel=_pick(random, CHANNELS),
        total=round(random.lognormvariate(4.1, 0.65), 2),
        placed_at=at.isoformat(sep=" "),
    )


def _as_exported(day: date) -> Iterator[Order]:
    """The export repeats rows, loses countries, and carries the orders that the shop's own testers place."""
    random = Random(f"export of {day.isoformat()}")
    for order in orders_of(day):
        chance = random.random()
        if chance < 0.012:
            yield order
        if 0.012 <= chance < 0.020:
            yield replace(order, country="")
        elif 0.020 <= chance < 0.050:
            yield replace(order, country=f" {order.country.lower()}")
        else:
            yield order
        if chance > 0.992:
            yield replace(order, order_id=f"{order.order_id}T", email="robot@test.example.com", total=1.0)


def _payments(random: Random, order: Order) -> Iterator[Payment]:
    if random.random() < 0.035:
        return  # never paid
    method = _pick(random, METHODS)
    cents = round(order.total * 100)
    at = datetime.fromisoformat(order.placed_at) + timedelta(seconds=random.randint(5, 600))
    first = Payment(f"P-{order.order_id}-1", order.order_id, method, "captured", cents, _fee(method, cents), _utc(at))
    if random.random() < 0.06:
        yield replace(first, payment_id=f"P-{order.order_id}-0", status="declined", fee_cents=0)
    yield first
    if random.random() < 0.045:
        back = -cents if random.random() < 0.5 else -round(cents * random.uniform(0.2, 0.7))
        later = _utc(at + timedelta(minutes=random.randint(5, 200)))
        refund_id = f"P-{order.order_id}-R"
        yield replace(first, payment_id=refund_id, status="refunded", amount_cents=back, fee_cents=0, paid_at=later)


def _unknown(random: Random, day: date, number: int) -> Payment:
    at = datetime.combine(day, time(random.randrange(24), random.randrange(60)))
    cents = random.randint(900, 9_000)
    name = f"X{day:%y%m%d}-{number}"
    return Payment(f"P-{name}", name, "card", "captured", cents, _fee("card", cents), _utc(at))


def _fee(method: str, cents: int) -> int:
    share, fixed = FEES[method]
    return round(cents * share) + fixed


def _utc(at: datetime) -> str:
    return f"{at.isoformat()}Z"


def _pick(random: Random, shares: dict[str, float]) -> str:
    return random.choices(list(shares), weights=list(shares.values()))[0]
