import json

import pytest

from jobchance.errors import SpecError
from jobchance.report.bundle import MANIFEST, check_target, sha256, write_bundle


def test_files_and_manifest_arrive_together_with_checksums(tmp_path):
    folder = write_bundle(
        tmp_path / "new" / "out", {"a.txt": b"one", "figures/b.csv": b"two"}, {"function": "f"}
    )
    assert (folder / "figures" / "b.csv").read_bytes() == b"two"
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["files"] == {"a.txt": sha256(b"one"), "figures/b.csv": sha256(b"two")}
    assert manifest["function"] == "f"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["out"]


def test_a_second_bundle_removes_only_what_the_first_one_wrote(tmp_path):
    out = tmp_path / "out"
    write_bundle(out, {"a.txt": b"one", "old.txt": b"old"}, {})
    (out / "mine.txt").write_text("the user's own")
    write_bundle(out, {"a.txt": b"two"}, {})
    assert sorted(p.name for p in out.iterdir()) == ["a.txt", MANIFEST, "mine.txt"]
    assert (out / "a.txt").read_bytes() == b"two"


def test_a_failing_write_leaves_the_target_as_it_was(tmp_path):
    out = tmp_path / "out"
    write_bundle(out, {"a.txt": b"one"}, {})
    with pytest.raises(TypeError):
        write_bundle(out, {"a.txt": b"two", "bad": "not bytes"}, {})
    assert (out / "a.txt").read_bytes() == b"one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_foreign_manifest_cannot_make_us_delete_elsewhere(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    precious = tmp_path / "precious.txt"
    precious.write_text("keep")
    (out / MANIFEST).write_text(json.dumps({"files": {"../precious.txt": "", str(precious): ""}}))
    write_bundle(out, {"a.txt": b"one"}, {})
    assert precious.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"files": 3}', '{"files": null}'])
def test_a_manifest_that_is_not_ours_is_no_obstacle(tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(content)
    write_bundle(out, {"a.txt": b"one"}, {})
    assert (out / "a.txt").read_bytes() == b"one"


@pytest.mark.parametrize("folder", ["hjemsendelser/2026-11-22", "Hjemtag", "x/hjemtagelse"])
def test_export_folders_are_refused(tmp_path, folder):
    with pytest.raises(SpecError, match="copy by hand"):
        check_target(tmp_path / folder)


def test_a_file_as_target_is_refused_without_its_path(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("")
    with pytest.raises(SpecError, match="names a file") as error:
        check_target(path)
    assert str(tmp_path) not in str(error.value)
