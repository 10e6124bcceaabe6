"""What a reader does, without a browser: studies, assessments, heatmaps, exports."""

from __future__ import annotations

import asyncio
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from MSIQALib.viewer.config import WorkerConfig
from MSIQALib.viewer.study_paths import StudyPaths

pytest.importorskip("slicer", reason="the extra viewer is not installed")
state_module = pytest.importorskip("trame_server.state")

from MSIQALib.viewer.page.assessment import Assessment  # noqa: E402
from MSIQALib.viewer.page.downloads import Downloads  # noqa: E402
from MSIQALib.viewer.page.frame import Frame  # noqa: E402
from MSIQALib.viewer.page.page_state import PageState  # noqa: E402
from MSIQALib.viewer.page.session import Session  # noqa: E402

ENGINE = Path(__file__).with_name("stand_in_engine.py")
SLICES, STEP = 12, 10.0


class Values(dict):
    """trame's state as far as the page state needs it."""

    def __enter__(self) -> Values:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def write_images(folder: Path) -> StudyPaths:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, low, high in (("CT", -1000, 400), ("PET", 0, 8)):
        values = np.linspace(low, high, SLICES * 24 * 24).reshape(SLICES, 24, 24)
        image = sitk.GetImageFromArray(values.astype(np.float32))
        image.SetSpacing((8.0, 8.0, STEP))
        paths.append(folder / f"case_{name}.nii.gz")
        sitk.WriteImage(image, str(paths[-1]))
    return StudyPaths("case", *paths)


class Work:
    """A session whose engine is the stand-in."""

    def __init__(self, root: Path, monkeypatch) -> None:
        self.paths = write_images(root / "case")
        heatmap = sitk.GetImageFromArray(np.full((SLICES, 24, 24), 200, np.uint8))
        heatmap.SetSpacing((8.0, 8.0, STEP))
        maps = [root / "F1.nrrd", root / "F3.nrrd"]
        for path in maps:
            sitk.WriteImage(heatmap, str(path))
        monkeypatch.setattr(
            Assessment,
            "_arguments",
            lambda run: (
                [str(ENGINE), str(run.results), str(SLICES), "0", str(STEP)]
                + [str(path) for path in maps]
            ),
        )
        self.page = PageState(Values())
        self.downloads = Downloads()
        self.busy: list[bool] = []
        config = WorkerConfig(root / "session", (self.paths,), open_first=True)
        self.session = Session(config, self.page, self.downloads, self.busy.append)

    async def until(self, true) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(300) if sys.version_info >= (3, 11) else _Never():
            while not true():
                await asyncio.sleep(0.02)

    async def assess(self, order: str = "go on") -> None:
        """Assess; the engine gets an order when half is done."""
        self.session.assess()
        await self.until(lambda: len(self.page["rows"]) == SLICES // 2)
        assert self.page["run"]["state"] == "running"
        if order == "cancel":
            self.session.cancel()
            assert self.page["run"]["state"] == "cancelling"
        else:
            self.session._assessment._process.stdin.write(f"{order}\n".encode())
        await self.until(lambda: self.page["run"]["state"] in ("complete", "cancelled", "failed"))

    def picture(self) -> np.ndarray:
        return self.session.views.picture("Axial", Frame(40, 40, (-92.0, -92.0, 60.0), 4.0))


class _Never:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


KEPT: list[Work] = []
"""VTK's objects go in an order of its own when Python lets go of them between two tests."""


@pytest.fixture
def work(tmp_path, monkeypatch):
    made = Work(tmp_path, monkeypatch)
    KEPT.append(made)
    yield made
    made.session.close()


def test_a_study_is_assessed_and_its_result_comes_back_with_it(work):
    async def run() -> None:
        await work.session.begin()
        assert work.page["study"]["count"] == SLICES
        assert work.page["study"]["hasPet"]
        await work.assess()
        assert work.busy == [True, False]
        assert work.page["run"]["state"] == "complete"
        assert work.page["maps"] == ["F1", "F3"]
        assert work.page["summary"]["worst"][:2] == [0, 1]
        assert [row[0] for row in work.page["rows"]] == list(range(SLICES))
        await work.session.open(0)
        assert work.page["run"]["state"] == "complete"
        assert len(work.page["rows"]) == SLICES
        assert work.page["maps"] == ["F1", "F3"]

    asyncio.run(run())


def test_a_heatmap_is_laid_over_the_ct_and_taken_off(work):
    async def run() -> None:
        await work.session.begin()
        await work.assess()
        plain = work.picture()
        work.session.set_display({"heatmap": "F3", "heatmap_shown": True})
        over_ct = work.picture()
        assert np.abs(over_ct.astype(int) - plain).max() > 40
        work.session.set_display({"heatmap_over_pet": True})
        assert np.abs(work.picture().astype(int) - over_ct).max() > 5
        work.session.set_display({"heatmap_shown": False})
        assert (work.picture() == plain).all()
        work.session.set_display({"tint": True, "heatmap_shown": True})
        await work.assess()  # again, with everything laid over
        assert work.page["run"]["state"] == "complete"

    asyncio.run(run())


def test_a_cancelled_assessment_keeps_what_is_done(work):
    async def run() -> None:
        await work.session.begin()
        await work.assess("cancel")
        assert work.page["run"]["state"] == "cancelled"
        scores = [row[2] for row in work.page["rows"]]
        assert None not in scores[: SLICES // 2]
        assert scores[SLICES // 2 :] == [None] * (SLICES // 2)
        assert work.page["summary"]["partial"]
        assert work.page["rows"][-1][4] == "not reached"

    asyncio.run(run())


def test_a_crash_leaves_the_page_alive(work):
    async def run() -> None:
        await work.session.begin()
        await work.assess("crash")
        assert work.page["run"]["state"] == "failed"
        assert "exit code 3" in work.page["run"]["message"]
        assert work.busy == [True, False]
        await work.assess()
        assert work.page["run"]["state"] == "complete"

    asyncio.run(run())


def test_studies_stay_while_one_is_assessed(work):
    async def run() -> None:
        await work.session.begin()
        work.session.assess()
        await work.session.open(0)
        assert "running" in work.page["message"]
        await work.session.swap()
        assert work.page["study"]["swapped"] is False
        work.session.cancel()
        await work.until(lambda: work.page["run"]["state"] in ("cancelled", "complete"))

    asyncio.run(run())


def test_files_of_the_result_are_offered_once(work):
    async def fetch(url: str) -> Path:
        token = url.split("/")[1]
        answer = await work.downloads.send(SimpleNamespace(match_info={"token": token}))
        return Path(answer._path)

    async def run() -> None:
        await work.session.begin()
        assert await work.session.export("report") is None
        await work.assess()
        report = await work.session.export("report")
        assert report.endswith("/msiqa-case-report.html")
        assert (await fetch(report)).read_text() == "report.html"
        with pytest.raises(Exception, match="Not Found"):
            await fetch(report)
        with zipfile.ZipFile(await fetch(await work.session.export("features"))) as archive:
            assert archive.namelist() == ["F1.nrrd", "F3.nrrd"]

    asyncio.run(run())


def test_uploads_are_opened_or_refused_with_the_reason(work, tmp_path):
    async def run() -> None:
        await work.session.begin()
        empty = tmp_path / "uploads" / "1"
        empty.mkdir(parents=True)
        (empty / "notes.txt").write_text("no image")
        await work.session.uploaded(empty)
        assert work.page["message"]
        assert str(tmp_path) not in work.page["message"], "no folders of the server"
        assert work.page["loading"] == ""
        assert work.page["study"]["name"] == "case"
        write_images(tmp_path / "uploads" / "2")
        await work.session.uploaded(tmp_path / "uploads" / "2")
        assert len(work.page["studies"]) == 2
        assert work.page["chosen"] == 1
        assert work.page["message"] is None
        await work.session.swap()
        assert work.page["study"]["swapped"] or work.page["message"]

    asyncio.run(run())
