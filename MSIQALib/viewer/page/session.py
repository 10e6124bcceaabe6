"""What the reader does and what comes of it: studies, settings, assessments, exports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MSIQALib.assessment.result import NOT_REACHED, SliceResult, Status
from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.process.events import Advanced, Event, Started
from MSIQALib.process.settings import MAPS
from MSIQALib.report.outputs import OutputFiles
from MSIQALib.scene.heatmaps import load_heatmap
from MSIQALib.scene.study import (
    StudyNodes,
    append_rows,
    create_study_nodes,
    finish_study,
    remove_study,
    result_of,
)
from MSIQALib.viewer.config import WorkerConfig
from MSIQALib.viewer.find_study import find_studies
from MSIQALib.viewer.page.assessment import Assessment, Ending
from MSIQALib.viewer.page.display import Display
from MSIQALib.viewer.page.downloads import Downloads, zip_files
from MSIQALib.viewer.page.page_state import IDLE, PageState
from MSIQALib.viewer.page.study_images import ImageNodes, add_images, read_images
from MSIQALib.viewer.page.views import Views
from MSIQALib.viewer.page.wire import activation_range, row_values, study_values, summary_values
from MSIQALib.viewer.page.world import World
from MSIQALib.viewer.study_paths import StudyPaths

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """An assessment that has ended, kept for the time when its study is shown again."""

    rows: tuple[SliceResult, ...]
    ending: Ending
    results: Path


@dataclass
class Shown:
    """The study on the page.

    Attributes:
        paths: Where it lies.
        nodes: Its images in the scene.
        study: Its assessment in the scene; None before there is one.
        results: Folder of the assessment's files; None before there is one.
    """

    paths: StudyPaths
    nodes: ImageNodes
    study: StudyNodes | None = None
    results: Path | None = None


class Session:
    """One browser's work. All of it runs in the thread of the event loop.

    Args:
        config: What the front wants.
        page: What the browser is told.
        downloads: Files for the browser to keep.
        on_busy: Called when an assessment begins (True) and ends (False).
    """

    def __init__(
        self,
        config: WorkerConfig,
        page: PageState,
        downloads: Downloads,
        on_busy: Callable[[bool], None],
    ) -> None:
        self._config, self._page, self._downloads = config, page, downloads
        self._on_busy = on_busy
        self._world = World()
        self.views = Views(self._world)
        self._studies = list(config.studies)
        self._shown: Shown | None = None
        self._display = Display()
        self._assessment: Assessment | None = None
        self._following: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._finished: dict[StudyPaths, Finished] = {}
        page.tell(studies=self._study_names(), display=self._display.to_dict(), loading="")

    async def begin(self) -> None:
        """Show the first study, and assess it, if that is wanted."""
        if self._config.open_first and self._studies:
            await self.open(0)
            if self._config.assess_first:
                self.assess()

    def close(self) -> None:
        """Empty the scene; nothing may be asked of the session afterwards."""
        self._close()
        self.views.close()
        self._world.scene.Clear(True)

    async def open(self, at: int) -> None:
        """Show a study of the list."""
        if 0 <= at < len(self._studies):
            await self._open(self._studies[at], at, swapped=False)

    async def swap(self) -> None:
        """Take the CT for the PET and the PET for the CT."""
        paths = self._shown.paths if self._shown is not None else None
        if paths is None or paths.pet is None:
            return
        other = StudyPaths(paths.name, paths.pet, paths.ct, paths.pet_series, paths.ct_series)
        page = self._page
        await self._open(other, page["chosen"], swapped=not page["study"]["swapped"])

    async def uploaded(self, folder: Path) -> None:
        """Take in what the browser sent."""
        self._page.tell(loading="Looking through the files…")
        try:
            found = await asyncio.to_thread(find_studies, folder)
        except MSIQAError as error:
            self._page.tell(loading="")
            about_all = isinstance(error, InputError) and error.source == folder
            self._page.complain(_words(error, "The upload" if about_all else None))
            return
        first = len(self._studies)
        self._studies += found
        self._page.tell(studies=self._study_names(), loading="")
        await self.open(first)
        if self._page["chosen"] != first and self._assessment is None:
            # What cannot be read is not offered again.
            del self._studies[first]
            self._page.tell(studies=self._study_names())

    def set_display(self, values: Mapping[str, Any]) -> None:
        """Change settings.

        Raises:
            ValueError: A setting is unknown, or a value is of the wrong kind.
        """
        self._display = self._display.changed(values)
        self._load_chosen_heatmap()
        self._apply()

    def remember(self, place: Sequence[float]) -> None:
        """Note where the reader looks, for when the page is loaded again."""
        right, anterior, superior = (float(value) for value in place)
        self._page.tell(place=[right, anterior, superior])

    def assess(self) -> None:
        """Start to assess the study that is shown."""
        if self._shown is None or self._assessment is not None:
            return
        shown = self._shown
        self._drop_result()
        shown.study = create_study_nodes(
            self._world.scene, shown.nodes.ct, name=shown.paths.name, pet_node=shown.nodes.pet
        )
        self._assessment = Assessment(
            shown.paths,
            device=self._config.device,
            weights=self._config.weights,
            folder=self._config.folder,
            on_event=self._on_event,
        )
        self._page.tell(run={**IDLE, "state": "starting"})
        self._following = asyncio.create_task(self._follow(shown, self._assessment))

    def cancel(self) -> None:
        """Ask the assessment to stop; what is finished stays."""
        if self._assessment is not None:
            self._assessment.cancel()
            self._page.tell(run={**self._page["run"], "state": "cancelling"})

    async def export(self, what: str) -> str | None:
        """Offer a file of the result.

        Args:
            what: "report", "scores" or "features".

        Returns:
            A relative URL; None where there is no such file.
        """
        shown = self._shown
        if shown is None or shown.results is None:
            return None
        files = OutputFiles.in_folder(shown.results)
        name = _file_name(shown.paths.name)
        if what == "features":
            path = shown.results / "features.zip"
            maps = [shown.results / f"{key}.nrrd" for key in MAPS]
            await asyncio.to_thread(zip_files, path, [file for file in maps if file.is_file()])
            return self._downloads.offer(path, f"{name}-features.zip")
        path = {"report": files.report, "scores": files.scores}[what]
        if not path.is_file():
            self._page.complain("This assessment left no such file.")
            return None
        return self._downloads.offer(path, f"{name}-{path.name}")

    async def _open(self, paths: StudyPaths, chosen: int, *, swapped: bool) -> None:
        if self._assessment is not None:
            self._page.complain("An assessment is running. Cancel it, or wait for its end.")
            return
        async with self._opening:
            self._page.tell(loading=f"Reading {paths.name}…", message=None)
            try:
                images = await asyncio.to_thread(read_images, paths)
            except MSIQAError as error:
                self._page.complain(_words(error))
                return
            finally:
                self._page.tell(loading="")
            self._close()
            nodes = add_images(self._world.scene, images, paths.name)
            self._shown = Shown(paths, nodes)
            self.views.show_images(nodes)
            self._display = self._display.changed({"heatmap": "", "heatmap_shown": False})
            self._page.tell(
                chosen=chosen,
                place=None,
                study=study_values(paths.name, images, nodes, swapped=swapped),
            )
            self._bring_back()
            self._apply()

    def _close(self) -> None:
        """Take the study that is shown, and its result, out of the scene."""
        if self._shown is not None:
            shown, self._shown = self._shown, None
            self.views.show_images(None)
            if shown.study is not None:
                remove_study(shown.study)
            shown.nodes.remove()
        self._page.tell(study=None, rows=[], summary=None, maps=[], activations={}, run=IDLE)

    def _drop_result(self) -> None:
        shown = self._shown
        if shown is not None and shown.study is not None:
            study, shown.study, shown.results = shown.study, None, None
            self._display = self._display.changed({"heatmap_shown": False})
            self._apply()  # first, so that no view shows what is removed
            remove_study(study)
        self._page.tell(rows=[], summary=None, maps=[], activations={}, message=None)

    def _bring_back(self) -> None:
        """Show the result that a study had when it was shown before."""
        shown = self._shown
        finished = self._finished.get(shown.paths) if shown is not None else None
        if shown is None or finished is None:
            return
        shown.study = create_study_nodes(
            self._world.scene, shown.nodes.ct, name=shown.paths.name, pet_node=shown.nodes.pet
        )
        self._finish(shown, finished)

    async def _follow(self, shown: Shown, assessment: Assessment) -> None:
        self._on_busy(True)
        try:
            ending = await assessment.run()
        except Exception:
            logger.exception("Following an assessment")
            assessment.cancel()
            ending = Ending(Status.FAILED, "The viewer lost track of the process.")
        self._assessment = None
        self._on_busy(False)
        assert shown.study is not None
        grid, done = shown.study.grid, {row.index: row for row in result_of(shown.study).slices}
        rows = tuple(
            done.get(k) or SliceResult(k, grid.position_mm(k), NOT_REACHED)
            for k in range(grid.count)
        )
        finished = Finished(rows, ending, assessment.results)
        earlier = self._finished.get(shown.paths)
        self._finished[shown.paths] = finished
        if earlier is not None:
            await asyncio.to_thread(_remove_workspace_of, earlier.results)
        self._finish(shown, finished)
        self._apply()

    def _finish(self, shown: Shown, finished: Finished) -> None:
        assert shown.study is not None
        ending = finished.ending
        finish_study(
            shown.study,
            finished.rows,
            status=ending.status,
            stopped=ending.message,
            warnings=ending.warnings,
        )
        shown.results = finished.results
        result = result_of(shown.study)
        maps = [name for name in MAPS if (finished.results / f"{name}.nrrd").is_file()]
        self._page.tell(
            rows=row_values(result.slices),
            summary=summary_values(result),
            maps=maps,
            run={
                **self._page["run"],
                "state": ending.status.value,
                "secondsLeft": None,
                "message": ending.message or "",
                "warnings": list(ending.warnings),
            },
        )

    def _on_event(self, event: Event) -> None:
        shown = self._shown
        assert shown is not None
        assert shown.study is not None
        run = dict(self._page["run"])
        if isinstance(event, Started):
            run |= {"total": event.total, "device": event.reason, "warnings": list(event.warnings)}
            if run["state"] == "starting":
                run["state"] = "running"
            self._page.tell(run=run)
        elif isinstance(event, Advanced):
            append_rows(shown.study, event.rows)
            run |= {
                "done": event.done,
                "total": event.total,
                "secondsLeft": event.seconds_left,
            }
            self._page.tell(run=run, rows=row_values(result_of(shown.study).slices))

    def _load_chosen_heatmap(self) -> None:
        shown, name = self._shown, self._display.heatmap
        if shown is None or shown.study is None or shown.results is None:
            return
        if name not in self._page["maps"] or name in shown.study.heatmaps:
            return
        try:
            heatmap = load_heatmap(shown.study, name, shown.results / f"{name}.nrrd")
        except MSIQAError as error:
            self._page.complain(_words(error))
            return
        ends = activation_range(heatmap)
        self._page.tell(activations={**self._page["activations"], name: ends})

    def _apply(self) -> None:
        study = self._shown.study if self._shown is not None else None
        self.views.apply(self._display, study)
        self._page.tell(display=self._display.to_dict(), revision=self._page["revision"] + 1)

    def _study_names(self) -> list[str]:
        return [study.name for study in self._studies]


def _remove_workspace_of(results: Path) -> None:
    from MSIQALib.process.workspace import Workspace

    Workspace(results.parent).remove()


def _words(error: MSIQAError, source: str | None = None) -> str:
    """The message with the file's name (or another), but without the folders that lead to it."""
    if isinstance(error, InputError):
        return f"{source or error.source.name}: {error.cause}. {error.remedy}."
    return str(error)


def _file_name(name: str) -> str:
    """A study's name as a part of file names."""
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return f"msiqa-{kept.strip('-')[:60] or 'study'}"
