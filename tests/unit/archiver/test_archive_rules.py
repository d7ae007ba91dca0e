"""What goes where in the archive, and what counts as the same bytes."""

import pytest

from contracts.messages import ArchiveBatch, BatchManifest, ManifestFile, ObjectRef
from services.archiver.domain import (
    Pinned,
    Stored,
    Verdict,
    audit_copies,
    judge,
    moves,
    provenance,
    was_copied_from,
)

BATCH = "3f2a9c0d1e4b5a67"


def a_file(index: int, key: str, duplicate_of: int | None = None) -> ManifestFile:
    return ManifestFile(
        index=index,
        kind="orders",
        key=key,
        version_id=f"v{index}",
        size_bytes=10,
        etag="e",
        duplicate_of=duplicate_of,
    )


def a_manifest(*files: ManifestFile) -> BatchManifest:
    return BatchManifest(
        batch_id=BATCH,
        bucket="uploads",
        sealed_at="2025-07-07T12:00:00.000Z",
        trigger="MANIFEST",
        files=list(files),
    )


def a_ref(name: str) -> ObjectRef:
    return ObjectRef(
        bucket="uploads", key=f"processing/{BATCH}/{name}", version_id=f"v-{name}", sha256="9" * 64
    )


def a_source(size_bytes: int = 10, etag: str = "abc", sha256: str | None = None) -> Pinned:
    return Pinned("uploads", "orders/1.csv", "v1", size_bytes, etag, sha256)


def test_every_file_keeps_its_key_under_the_batch_duplicates_too() -> None:
    planned = moves(a_manifest(a_file(0, "orders/a.csv"), a_file(1, "orders/b.csv", 0)))
    assert [(move.source.version_id, move.archive_key) for move in planned] == [
        ("v0", f"archive/{BATCH}/orders/a.csv"),
        ("v1", f"archive/{BATCH}/orders/b.csv"),
    ]


def test_manifest_result_and_the_reports_of_validated_files_are_kept_beside() -> None:
    command = ArchiveBatch(
        batch_id=BATCH,
        manifest=a_ref("manifest.json"),
        result=a_ref("result.json"),
        fence=7,
        attempt=0,
    )
    files = (a_file(0, "orders/a.csv"), a_file(1, "orders/b.csv", 0), a_file(2, "orders/c.csv"))
    audit_documents = audit_copies(command, a_manifest(*files))
    assert [
        (document.key, document.version_id, document.archive_key) for document in audit_documents
    ] == [
        (
            f"processing/{BATCH}/manifest.json",
            "v-manifest.json",
            f"archive/{BATCH}/_audit/manifest.json",
        ),
        (
            f"processing/{BATCH}/result.json",
            "v-result.json",
            f"archive/{BATCH}/_audit/result.json",
        ),
        (
            f"processing/{BATCH}/reports/0000.json",
            None,
            f"archive/{BATCH}/_audit/reports/0000.json",
        ),
        (
            f"processing/{BATCH}/reports/0002.json",
            None,
            f"archive/{BATCH}/_audit/reports/0002.json",
        ),
    ]


@pytest.mark.parametrize(
    ("size_bytes", "etag", "copied_etag", "verdict"),
    [
        (10, "abc", "abc", "SAME"),
        (11, "abc", "abc", "DIFFERENT"),
        (10, "abc", "xyz", "COMPARE_BYTES"),
        (10, "abc-2", "abc-2", "COMPARE_BYTES"),
        (10, "abc-2", "xyz", "COMPARE_BYTES"),
    ],
)
def test_size_and_single_part_etags_decide_and_everything_else_compares_the_bytes(
    size_bytes: int, etag: str, copied_etag: str, verdict: Verdict
) -> None:
    copy = Stored(version_id="c1", size_bytes=10, etag=copied_etag)
    assert judge(a_source(size_bytes, etag), copy) == verdict


def test_a_copy_says_which_version_it_was_made_from() -> None:
    source = a_source()
    copy = Stored("c1", 10, "other", metadata={**provenance(source), "team": "shop"})
    assert was_copied_from(source, copy)
    assert not was_copied_from(a_source(size_bytes=11), copy)
    assert not was_copied_from(a_source(etag="newer"), copy)
    assert not was_copied_from(source, Stored("c1", 10, "other"))
