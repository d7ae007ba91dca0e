"""What people do in one small world: uploads in all shapes, a manual start, a stopped execution."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.stores import Version
    from tests.simulation.world import World

BUCKET = "ecommerce-data-bucket"
OWN, SHIPPED = "my-shop", "shopify-orders"
OWN_SOURCE = f"sources/{OWN}/v1.yaml"
LOOKUP = f"incoming/{OWN}/lookups/countries.csv"
YAML = f"""
source: {OWN}
version: 1
title: Order lines with a lookup
rows: order_lines
lookups: {{countries: {{key: Code}}}}
orders: {{order_id: '"No"', order_date: '"Day"', total_amount: '"Total"'}}
order_items:
  order_id: '"No"'
  product_id: '"Code"'
  quantity: '"Quantity"'
  unit_price: '"Price"'
  where: in_lookup('countries', "Code")
""".encode()
DAYS = ("2025-07-07", "2025-07-08", "2025-07-09")
Row = dict[str, str]


class Shop:
    """Draws a plan from the seed and carries it out at its times."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = Random(seed)
        self._sources = Random(seed + 1_000_000)
        """Draws of its own: a seed without sources is as it was before there were any."""
        self.uploaded: list[tuple[str, str]] = []
        """(key, version_id) of every object that was uploaded."""
        self.deleted: set[tuple[str, str]] = set()
        """Of those the ones that a person has deleted again."""
        self.ends_at = 0.0
        self._draw()

    def _draw(self) -> None:
        random = self._random
        moment = 0.0
        for number in range(random.choice((1, 1, 1, 2, 2, 3))):
            self._draw_set(number, moment)
            moment += random.choice((1.0, 20.0, 45.0, 90.0, 400.0))
        if self._sources.random() < 0.4:
            self._draw_files_of_a_source()
        if random.random() < 0.25:
            start = random.uniform(1, 300)
            self._at(start, lambda: self._start_by_hand(f"manual-{random.getrandbits(16)}"))
        for number in range(random.choice((0, 0, 0, 0, 1, 2))):
            deleting = partial(self._delete_one, f"person deletes a version #{number}")
            self._at(random.uniform(3, 200), deleting)
        for number in range(random.choice((0, 0, 0, 1, 1, 2))):
            self._at(random.uniform(5, 600), partial(self._stop_one, f"person stops #{number}"))

    def _draw_set(self, number: int, moment: float) -> None:
        random = self._random
        files = [
            (f"orders/{number}.csv", self._orders(number)),
            (f"order_items/{number}.csv", self._items(number)),
        ]
        if number == 0 or random.random() < 0.3:
            files.append((f"products/{number}.csv", self._products()))
        if random.random() < 0.2:
            files.append((f"order_items/{number}b.csv", self._items(number)))
        if random.random() < 0.15:
            again = random.choice(files)
            files.append((again[0].replace(".csv", "-copy.csv"), again[1]))
        manifest = f"manifests/{number}.json" if random.random() < 0.4 else None
        bad = random.choice(files)[0] if random.random() < 0.2 else None
        metadata = {"ecp-manifest": manifest} if manifest and random.random() < 0.7 else {}
        uploads: list[tuple[str, bytes, dict[str, str]]] = [
            (key, _content(rows, is_bad=key == bad), metadata) for key, rows in files
        ]
        if random.random() < 0.1:
            uploads.append((f"orders/{number}.txt", b"nothing", {}))
        if manifest:
            document = json.dumps({"files": [key for key, _ in files]}).encode()
            uploads.append((manifest, document, {}))
        random.shuffle(uploads)
        for key, content, tags in uploads:
            self._upload_at(moment + random.uniform(0, 5), key, content, tags)
        if bad:
            rows = dict(files)[bad]
            self._upload_at(moment + random.uniform(100, 400), bad, _content(rows, is_bad=False))
        if random.random() < 0.1:
            key, rows = random.choice(files)
            self._upload_at(moment + random.uniform(0, 60), key, _content(rows[:1], is_bad=False))

    def _draw_files_of_a_source(self) -> None:
        """Order lines that give orders too; the source and its lookup may come late, or go."""
        draw = self._sources
        own = draw.random() < 0.7
        name = OWN if own else SHIPPED
        for number in range(draw.choice((1, 1, 2))):
            rows = {"orders": self._orders(20 + number), "order_items": self._items(20 + number)}
            key, moment = f"incoming/{name}/{number}.csv", draw.uniform(0, 200)
            is_bad = draw.random() < 0.15
            self._upload_at(moment, key, _of_source(rows, is_bad=is_bad))
            if is_bad:
                late = moment + draw.uniform(100, 300)
                self._upload_at(late, key, _of_source(rows, is_bad=False))
        if own:
            self._upload_at(draw.uniform(0, 300), LOOKUP, b"Code")
            arrives = draw.uniform(0, 300)
            self._put_source_at(arrives)
            if draw.random() < 0.4:
                removed = arrives + draw.uniform(1, 200)
                self._at(removed, self._remove_source)
                self._put_source_at(removed + draw.uniform(1, 300))

    def _put_source_at(self, moment: float) -> None:
        self._at(moment, lambda: self._notify(self._world.buckets.put(BUCKET, OWN_SOURCE, YAML)))

    def _remove_source(self) -> None:
        self._world.tell(f"a person removes {OWN_SOURCE}")
        self._world.buckets.hidden.add((BUCKET, OWN_SOURCE))

    def _orders(self, number: int) -> list[Row]:
        random = self._random
        first = max(0, number * 2 - random.choice((0, 1)))
        return [
            {
                "order_id": f"o{first + offset}",
                "user_id": f"u{random.randrange(3)}",
                "order_date": random.choice(DAYS),
                "total_amount": f"{random.randrange(1, 90)}.{random.randrange(10, 99)}",
                "status": random.choice(("completed", "completed", "returned")),
            }
            for offset in range(random.choice((1, 2, 3)))
        ]

    def _items(self, number: int) -> list[Row]:
        random = self._random
        return [
            {
                "order_id": f"o{max(0, number * 2 + random.randrange(-1, 3))}",
                "product_id": f"p{random.randrange(3)}",
                "quantity": str(random.randrange(1, 5)),
                "unit_price": f"{random.randrange(1, 20)}.50",
            }
            for _ in range(random.choice((1, 2, 3)))
        ]

    def _products(self) -> list[Row]:
        random = self._random
        return [
            {
                "product_id": f"p{random.randrange(3)}",
                "category": random.choice(("Books", "Toys")),
                "name": "A thing",
                "price": "9.99",
            }
            for _ in range(random.choice((1, 2)))
        ]

    def _upload_at(
        self, moment: float, key: str, content: bytes, tags: dict[str, str] | None = None
    ) -> None:
        self._at(moment, lambda: self._upload(key, content, tags or {}))

    def _upload(self, key: str, content: bytes, tags: dict[str, str]) -> None:
        version = self._world.buckets.put(BUCKET, key, content, tags)
        self._world.tell(f"upload {key} {version.version_id}")
        self.uploaded.append((key, version.version_id))
        self._notify(version)

    def _notify(self, version: Version) -> None:
        seen: dict[str, Any] = {"key": version.key}
        if self._world.chaos.below("names version", 4):
            seen["version-id"] = version.version_id
        notice = {
            "id": self._world.new_id(),
            "detail-type": "Object Created",
            "source": "aws.s3",
            "detail": {"bucket": {"name": BUCKET}, "object": seen},
        }
        if not self._world.chaos.fault("S3 notification", "notice lost"):
            self._world.queues["aggregator-files"].send(json.dumps(notice))

    def _start_by_hand(self, name: str) -> None:
        self._world.machine.start(name, {"fileKey": "", "bucket": BUCKET})

    def _delete_one(self, name: str) -> None:
        """A version that is there, or was a moment ago: at any time between upload and archive."""
        buckets, standing = self._world.buckets, []
        for key, version_id in self.uploaded:
            is_file = not key.startswith("manifests/") and key != LOOKUP
            if is_file and buckets.find(BUCKET, key, version_id) is not None:
                standing.append((key, version_id))
        if standing and self._world.chaos.happens(name):
            one = standing[self._world.chaos.below("which version is deleted", len(standing))]
            self._world.tell(f"a person deletes {one}")
            buckets.delete(BUCKET, *one)
            self.deleted.add(one)

    def _stop_one(self, name: str) -> None:
        running = self._world.machine.running
        if running and self._world.chaos.happens(name):
            one = self._world.chaos.below("whom a person stops", len(running))
            self._world.machine.stop(running[one].name)

    def _at(self, moment: float, action: Callable[[], object]) -> None:
        self.ends_at = max(self.ends_at, moment)
        self._world.hub.at(moment, action)


def _of_source(kinds: dict[str, list[Row]], *, is_bad: bool) -> bytes:
    rows = kinds["order_items"]
    return json.dumps({"rows": rows, "kinds": kinds, "is_bad": is_bad}).encode()


def _content(rows: list[Row], *, is_bad: bool) -> bytes:
    return json.dumps({"rows": rows, "is_bad": is_bad}).encode()
