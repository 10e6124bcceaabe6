"""What archives may do, and what names may say."""

from __future__ import annotations

import stat
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from archives import make_tar, make_zip, tar_with_large_header, zip_that_lies

from MSIQALib.viewer.limits import Budget, UploadError, UploadLimits, size
from MSIQALib.viewer.safe_path import create, inside
from MSIQALib.viewer.unpack import archive_stem, unpack

_FILES = {"study/CT/1.dcm": b"one", "study/PET/1.dcm": b"two two"}
_BAD_NAMES = (
    "../out.dcm",
    "a/../../out.dcm",
    "/etc/out.dcm",
    "\\out.dcm",
    "C:\\out.dcm",
    "c:out.dcm",
    "..\\out.dcm",
    "a\x1fb",
    "a/" * 40 + "b",
    "x" * 300,
)


def _unpack(
    data: bytes, name: str, place: Path, limits: UploadLimits | None = None
) -> tuple[dict[str, bytes], Budget]:
    archive = place / "the.archive"
    archive.write_bytes(data)
    budget = Budget(limits or UploadLimits())
    folder = place / "unpacked"
    unpack(archive, name, folder, budget)
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return found, budget


def _nothing_outside(place: Path) -> bool:
    outside = [place.parent, Path("/etc")]
    return not any((folder / "out.dcm").exists() for folder in [place, *outside])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("s.zip", make_zip(_FILES)),
        ("S.ZIP", make_zip({**_FILES, "study/": b""})),
        ("s.tar", make_tar(_FILES)),
        ("s.tar.gz", make_tar(_FILES, mode="w:gz")),
        ("s.tgz", make_tar({f"./{name}": data for name, data in _FILES.items()}, mode="w:gz")),
        ("s.tar.bz2", make_tar(_FILES, mode="w:bz2")),
        ("s.tar.xz", make_tar(_FILES, mode="w:xz")),
    ],
)
def test_archives_are_unpacked(name: str, data: bytes, tmp_path: Path) -> None:
    found, budget = _unpack(data, name, tmp_path)

    assert found == _FILES
    assert (budget.files, budget.stored) == (2, 10)


def test_files_are_private(tmp_path: Path) -> None:
    _unpack(make_zip(_FILES), "s.zip", tmp_path)

    path = tmp_path / "unpacked" / "study" / "CT" / "1.dcm"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0 or path.parent.name == "CT"


@pytest.mark.parametrize("name", _BAD_NAMES)
def test_names_cannot_leave_the_folder(name: str, tmp_path: Path) -> None:
    place = tmp_path / "in" / "there"
    place.mkdir(parents=True)
    with pytest.raises(UploadError):
        inside(place, name)
    with pytest.raises(UploadError):
        _unpack(make_tar({name: b"x"}), "s.tar", place)
    with pytest.raises(UploadError):
        _unpack(make_zip({name: b"x"}), "s.zip", place)
    assert _nothing_outside(place)


def test_inside_is_below() -> None:
    assert inside(Path("/x"), "a/./b//c.dcm") == Path("/x/a/b/c.dcm")
    assert inside(Path("/x"), "a\\b.dcm") == Path("/x/a/b.dcm")
    assert inside(Path("/x"), "..a/b..") == Path("/x/..a/b..")
    for nothing in ("", ".", "./"):
        with pytest.raises(UploadError):
            inside(Path("/x"), nothing)


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        b"?",
    ],
)
def test_tar_with_anything_but_files_is_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="links or devices"):
        _unpack(make_tar({"a": b""}, kind=kind, link="/etc"), "s.tar", tmp_path)
    assert not (tmp_path / "unpacked" / "a").is_symlink()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_zip_with_anything_but_files_is_refused(kind: int, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="links or devices"):
        _unpack(make_zip({"a": b"/etc/passwd"}, kind=kind), "s.zip", tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("s.zip", make_zip({"a.dcm": bytes(1 << 20)})),
        ("s.tar.gz", make_tar({"a.dcm": bytes(1 << 20)}, mode="w:gz")),
        ("s.tar.xz", make_tar({f"{n}.dcm": bytes(1 << 16) for n in range(16)}, mode="w:xz")),
    ],
)
def test_bombs_stop_at_the_limit(name: str, data: bytes, tmp_path: Path) -> None:
    assert len(data) < 1 << 14  # small where it comes from

    with pytest.raises(UploadError, match="unpacked larger than the 512 kB") as refused:
        _unpack(data, name, tmp_path, UploadLimits(stored=1 << 19))

    assert refused.value.status == 413
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.dcm"))
    assert written <= 1 << 19


def test_sizes_that_are_lies_do_not_help(tmp_path: Path) -> None:
    with pytest.raises(UploadError):
        _unpack(zip_that_lies(1 << 20), "s.zip", tmp_path, UploadLimits(stored=1 << 19))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.dcm")) <= 1 << 19


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    many = {f"{number}.dcm": b"" for number in range(11)}

    for name, data in (("s.zip", make_zip(many)), ("s.tar", make_tar(many))):
        with pytest.raises(UploadError, match="more than 10 files"):
            _unpack(data, name, tmp_path, UploadLimits(files=10))
        assert len(list(tmp_path.rglob("*.dcm"))) == 10
        for path in tmp_path.rglob("*.dcm"):
            path.unlink()


def test_headers_cannot_fill_the_memory(tmp_path: Path) -> None:
    data = tar_with_large_header(64 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(UploadError, match="damaged"):
            _unpack(data, "s.tar.gz", tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.tar.bz2", "s.tar.xz"])
@pytest.mark.parametrize("data", [b"", b"no archive at all" * 99])
def test_what_is_no_archive_is_refused(name: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="damaged"):
        _unpack(data, name, tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("s.zip", make_zip({"a": bytes(range(256)) * 99})),
        ("s.tar.gz", make_tar({"a": bytes(range(256)) * 99}, mode="w:gz")),
        ("s.tar", make_tar({"a": bytes(range(256)) * 99})),
    ],
)
def test_what_is_cut_off_is_refused(name: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="damaged"):
        _unpack(data[: len(data) // 2], name, tmp_path)


def test_encrypted_zips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="encrypted"):
        _unpack(make_zip({"a": b"x"}, flags=1), "s.zip", tmp_path)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    data = make_tar({"a/b": b"1", "a\\b": b"2"})
    with pytest.raises(UploadError, match="same name twice"):
        _unpack(data, "s.tar", tmp_path)
    data = make_tar({"c": b"1", "c/d": b"2"})  # a file, then a folder of its name
    with pytest.raises(UploadError, match="same name twice"):
        _unpack(data, "s.tar", tmp_path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UploadError):
        create(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_only_archives_are_unpacked() -> None:
    assert archive_stem("Study 1.ZIP") == "Study 1"
    assert archive_stem("a.tar.gz") == "a"
    assert archive_stem("CT.nii.gz") is None
    assert archive_stem("1.dcm") is None


def test_sizes_are_said_as_people_do() -> None:
    assert [size(count) for count in (10, 2048, 4 << 30)] == ["10 bytes", "2 kB", "4 GB"]
