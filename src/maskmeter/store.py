"""The store of a run: `run.sqlite`, the truth from which everything else is written.

Tables (users query them; `docs/store.md` shows how)
----------------------------------------------------
facts       key, value (JSON): schema, maskmeter, task, labels, conventions, the command's inputs
images      id, name, shape, spacing, gt, pred, region, gt_digest, pred_digest, region_digest, notes
statistics  image, name, data: what was counted, packed (see `statistics/_codec.py`)
pooled      name, data: sums of statistics that are too large to keep by image
metrics     id, name: the metrics as printed
classes     id, name: the classes as printed; id 0 has no name and stands for "no class"
results     metric, class, over, value, n, undefined, low, high, signature
values_     image, metric, class, value: one number per image, class and metric
"values" and "rows" are views of the last two with names instead of numbers.

Each batch of images is one transaction: whatever kills the process, a finished batch is whole and an
unfinished one is not there. A store that was left behind is opened again with `resume`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ._version import __version__
from .errors import DataError, MergeError, printable
from .records import Additive, Record, add_up

SCHEMA = 4
FILE = "run.sqlite"

_TABLES = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE images (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, shape TEXT NOT NULL, spacing TEXT, gt TEXT, pred TEXT,
    region TEXT, gt_digest TEXT, pred_digest TEXT, region_digest TEXT, notes TEXT NOT NULL);
CREATE TABLE statistics (
    image INTEGER NOT NULL REFERENCES images (id), name TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (image, name)) WITHOUT ROWID;
CREATE TABLE pooled (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE classes (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE results (
    metric INTEGER NOT NULL REFERENCES metrics (id), class INTEGER NOT NULL REFERENCES classes (id),
    over TEXT NOT NULL, value REAL, n INTEGER NOT NULL, undefined INTEGER NOT NULL, low REAL, high REAL,
    signature TEXT NOT NULL, PRIMARY KEY (metric, class, over)) WITHOUT ROWID;
CREATE TABLE values_ (
    image INTEGER NOT NULL REFERENCES images (id), metric INTEGER NOT NULL REFERENCES metrics (id),
    class INTEGER NOT NULL REFERENCES classes (id), value REAL);
CREATE VIEW "values" AS
    SELECT images.name AS image, metrics.name AS metric, classes.name AS class, value
    FROM values_ JOIN images ON images.id = image JOIN metrics ON metrics.id = metric
    JOIN classes ON classes.id = class;
CREATE VIEW "rows" AS
    SELECT metrics.name AS metric, classes.name AS class, over, value, n, undefined, low, high, signature
    FROM results JOIN metrics ON metrics.id = metric JOIN classes ON classes.id = class;
"""
_NEW_IMAGE = (
    "INSERT INTO images (name, shape, spacing, gt, pred, region, gt_digest, pred_digest, region_digest, notes) "
    "VALUES (?,?,?,?,?,?,?,?,?,?)"
)


class Store:
    """A run's records in SQLite. Written by one thread at a time, read by any process."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        self._count: int = connection.execute("SELECT count(*) FROM images").fetchone()[0]
        self._pooled: dict[str, Additive] = {}

    @classmethod
    def create(cls, folder: Path) -> Store:
        """A new store in `folder`; what an earlier run left there is removed."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (FILE, f"{FILE}-journal", f"{FILE}-wal", f"{FILE}-shm"):
            (folder / name).unlink(missing_ok=True)
        # Built beside its place and moved there whole, so that a store that exists is a store.
        fresh = folder / f"{FILE}.new"
        fresh.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(fresh)) as db:
                db.executescript(_TABLES)
                facts = [("schema", str(SCHEMA)), ("maskmeter", f'"{__version__}"')]
                db.executemany("INSERT INTO facts VALUES (?, ?)", facts)
                db.commit()
        except sqlite3.OperationalError as error:
            raise _unwritten(error, folder / FILE) from None
        fresh.replace(folder / FILE)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store of a run that exists; `folder` may be the file itself."""
        path = folder if folder.name == FILE else folder / FILE
        if not path.is_file():
            raise DataError("holds no run.sqlite; give a folder that `maskmeter evaluate -o` wrote", folder)
        try:
            db = sqlite3.connect(path, check_same_thread=False)
            # The write-ahead log survives a killed process; only the machine's own failure could cost a batch.
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            found = db.execute("SELECT value FROM facts WHERE key = 'schema'").fetchone()
            store = cls(path, db)
        except sqlite3.DatabaseError as error:
            raise DataError(f"is not a store of maskmeter ({error})", path) from None
        if found is None or int(found[0]) != SCHEMA:
            raise DataError(f"has schema {found and found[0]}, this version reads {SCHEMA}", path)
        return store

    @contextmanager
    def _whole(self) -> Generator[None]:
        """All that is written inside is there afterwards, or nothing of it. Raises DataError where the disk is full."""
        try:
            with self._db:
                yield
        except sqlite3.OperationalError as error:
            raise _unwritten(error, self.path) from None

    # Records

    def add(self, records: Iterable[Record]) -> None:
        """Keep a batch of images, all of them or, when the process dies, none."""
        new, touched = 0, dict[str, Additive]()
        with self._whole():
            for r in records:
                if r.name in self:
                    raise MergeError(f"image {printable(r.name)} is already in {self.path}")
                row = (
                    r.name,
                    json.dumps(r.shape),
                    None if r.spacing is None else json.dumps(r.spacing),
                    r.gt,
                    r.pred,
                    r.region,
                    *r.digests,
                    r.region_digest,
                    json.dumps(r.notes),
                )
                at = self._db.execute(_NEW_IMAGE, row).lastrowid
                self._db.executemany(
                    "INSERT INTO statistics VALUES (?, ?, ?)", [(at, k, v) for k, v in r.statistics.items()]
                )
                add_up(touched, r.pooled)
                new += 1
            for name, more in touched.items():
                self._add_pooled(name, more)
        self._count += new

    def _add_pooled(self, name: str, more: Additive) -> None:
        if name not in self._pooled and (before := self.pooled(name)) is not None:
            self._pooled[name] = type(more).from_bytes(before)
        add_up(self._pooled, {name: more})
        self._db.execute("INSERT OR REPLACE INTO pooled VALUES (?, ?)", (name, self._pooled[name].to_bytes()))

    def pooled(self, statistic: str) -> bytes | None:
        """The sum of a statistic that is not kept by image, as bytes; None where there is none."""
        found = self._db.execute("SELECT data FROM pooled WHERE name = ?", (statistic,)).fetchone()
        return found and found[0]

    def having(self, statistic: str) -> int:
        """How many images have a statistic."""
        return self._db.execute("SELECT count(*) FROM statistics WHERE name = ?", (statistic,)).fetchone()[0]

    def spacings(self) -> set[tuple[float, ...]]:
        """The different spacings of the images, of those whose spacing is known."""
        rows = self._db.execute("SELECT DISTINCT spacing FROM images WHERE spacing IS NOT NULL")
        return {tuple(json.loads(text)) for (text,) in rows}

    def remove(self, names: Iterable[str]) -> None:
        """Forget images, because their files changed; all of them where sums were kept, which cannot be undone."""
        names = list(names)
        with self._whole():
            if names and self._db.execute("DELETE FROM pooled").rowcount:
                self._pooled.clear()
                names = self.names()
            for name in names:
                at = self._id(name)
                self._db.execute("DELETE FROM statistics WHERE image = ?", (at,))
                self._db.execute("DELETE FROM values_ WHERE image = ?", (at,))
                self._db.execute("DELETE FROM images WHERE id = ?", (at,))
        self._count -= len(names)

    def absorb(self, other: Store, made_by: Mapping[str, Callable[[bytes], Additive]]) -> None:
        """Take in all images of another store. `made_by` reads the sums that are not kept by image, by their names.

        Raises MergeError where an image is in both.
        """
        self._db.execute("ATTACH ? AS other", (str(other.path),))
        try:
            both = "SELECT min(name) FROM images JOIN other.images USING (name)"
            if (twice := self._db.execute(both).fetchone()[0]) is not None:
                name = printable(twice)
                raise MergeError(f"image {name} is in {other.path.parent} and in a run merged before it")
            with self._whole():
                (shift,) = self._db.execute("SELECT coalesce(max(id), 0) FROM images").fetchone()
                self._db.execute(
                    f"INSERT INTO images SELECT id + {shift}, name, shape, spacing, gt, pred, region, gt_digest, "
                    "pred_digest, region_digest, notes FROM other.images"
                )
                self._db.execute(f"INSERT INTO statistics SELECT image + {shift}, name, data FROM other.statistics")
                for name, data in self._db.execute("SELECT name, data FROM other.pooled").fetchall():
                    self._add_pooled(name, made_by[name](data))
        finally:
            self._db.execute("DETACH other")
        self._count += len(other)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: object) -> bool:
        return self._db.execute("SELECT 1 FROM images WHERE name = ?", (name,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        """The names in order, without holding them all; what is written meanwhile may be among them."""
        return (name for (name,) in self._db.execute("SELECT name FROM images ORDER BY name"))

    def digests(self, name: str) -> tuple[str | None, str | None, str | None]:
        """Those of the files that an image was counted from: ground truth, prediction, region."""
        one = "SELECT gt_digest, pred_digest, region_digest FROM images WHERE id = ?"
        return self._db.execute(one, (self._id(name),)).fetchone()

    def names(self) -> Sequence[str]:
        return list(self)

    def _id(self, name: str) -> int:
        """The number of an image. Raises KeyError."""
        found = self._db.execute("SELECT id FROM images WHERE name = ?", (name,)).fetchone()
        if found is None:
            raise KeyError(name)
        return found[0]

    def __getitem__(self, name: str) -> Record:
        at = self._id(name)
        shape, spacing, gt, pred, region, gt_digest, pred_digest, region_digest, notes = self._db.execute(
            "SELECT shape, spacing, gt, pred, region, gt_digest, pred_digest, region_digest, notes FROM images "
            "WHERE id = ?",
            (at,),
        ).fetchone()
        statistics = dict(self._db.execute("SELECT name, data FROM statistics WHERE image = ?", (at,)))
        digests, remarks = (gt_digest, pred_digest), tuple(json.loads(notes))
        where = (tuple(json.loads(shape)), gt, pred, region, digests, remarks, region_digest)
        steps = None if spacing is None else tuple(json.loads(spacing))
        return Record(name, statistics, *where, spacing=steps)

    def blocks(self, statistic: str, size: int) -> Iterator[tuple[list[str], list[bytes]]]:
        """The images' statistics of one kind in the order of their names, `size` images at a time."""
        # The index of the names has their order, that of their bytes; a CROSS JOIN walks along it and sorts nothing.
        rows = self._db.execute(
            "SELECT images.name, data FROM images CROSS JOIN statistics ON image = images.id "
            "WHERE statistics.name = ? ORDER BY images.name",
            (statistic,),
        )
        while block := rows.fetchmany(size):
            yield [name for name, _ in block], [data for _, data in block]

    def notes(self) -> Iterator[tuple[str, ...]]:
        """What there is to say about the files of each image."""
        for (notes,) in self._db.execute("SELECT notes FROM images WHERE notes != '[]'"):
            yield tuple(json.loads(notes))

    # Facts and numbers

    def facts(self) -> dict[str, Any]:
        """Everything that was written down about the run."""
        return {k: json.loads(v) for k, v in self._db.execute("SELECT key, value FROM facts")}

    def write_facts(self, **facts: Any) -> None:
        """Write facts down, replacing those of the same name."""
        with self._whole():
            self._db.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", [(k, json.dumps(v)) for k, v in facts.items()]
            )

    def write_results(
        self,
        metrics: Sequence[str],
        classes: Sequence[str | None],
        results: Iterable[Sequence[Any]],
        values: Iterable[tuple[str, Iterable[tuple[int, int, float]]]],
    ) -> None:
        """Replace the tables of numbers. `results` hold metric and class by name, the `values` of an image by position.

        The images of `values` are in the order of their names. SQLite keeps NaN as NULL.
        """
        number = {name: i for i, name in enumerate(metrics)}
        kind = {name: i for i, name in enumerate(classes)}
        with self._whole():
            for table in ("results", "values_", "metrics", "classes"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.executemany("INSERT INTO metrics VALUES (?, ?)", enumerate(metrics))
            self._db.executemany("INSERT INTO classes VALUES (?, ?)", enumerate(classes))
            self._db.executemany(
                "INSERT INTO results VALUES (?,?,?,?,?,?,?,?,?)",
                [(number[m], kind[c], *rest) for m, c, *rest in results],
            )
            self._db.executemany("INSERT INTO values_ VALUES (?, ?, ?, ?)", self._numbered(values))

    def _numbered(
        self, values: Iterable[tuple[str, Iterable[tuple[int, int, float]]]]
    ) -> Iterator[tuple[int, int, int, float]]:
        known = self._db.execute("SELECT name, id FROM images ORDER BY name")
        for image, line in values:
            at = next(at for name, at in known if name == image)
            for metric, kind, value in line:
                yield at, metric, kind, value

    def settle(self) -> None:
        """Fold the write-ahead log into the file, so that the run is one file again.

        Where somebody else is reading the store the log stays beside it, which loses nothing.
        """
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute("PRAGMA journal_mode = DELETE")


def _unwritten(error: sqlite3.OperationalError, path: Path) -> DataError:
    return DataError(f"cannot be written ({error}); make room, and the same command with --resume goes on", path)
