"""The main job from files to files: read, fuse, score, write."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from MSIQALib.assessment.assessor import Assessor, Progress
from MSIQALib.assessment.device import Device, choose_device
from MSIQALib.assessment.heatmaps import HeatmapStore
from MSIQALib.assessment.nrrd import write_heatmap_volume
from MSIQALib.assessment.record import make_record
from MSIQALib.assessment.result import DEFAULT_THRESHOLD, SliceResult, StudyResult
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.assessment.views import several_if
from MSIQALib.atomic import atomic_path
from MSIQALib.imaging.fusion import FusionOptions
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.slices import FusedSlice, FusedStudy, fuse_study
from MSIQALib.imaging.volume import Geometry
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights
from MSIQALib.report.outputs import write_outputs
from MSIQALib.report.pictures import (
    RGB,
    HeatmapPicture,
    ReportPictures,
    SlicePicture,
    coronal_overview,
    coronal_row,
    overlay_heatmap,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        ct: CT folder or file.
        output: Folder for the results.
        pet: PET folder or file; None to assess the CT alone.
        ct_series: Series Instance UID, where the CT path holds several CT series.
        pet_series: The same for the PET.
        weights: Weights file; None for the shipped one.
        device: "auto", "cuda", "mps" or "cpu".
        batch_size: Slices scored at once; None for what suits the device.
        threshold: Likert score under which a slice counts as poor.
        fusion: How CT and PET become pictures.
        several_views: Score each slice as the mean of four views, which takes four times as long.
        features: Also write the six heatmap volumes.
        ignore_frame_of_reference: The user knows that PET and CT are registered although their
            frames of reference differ.
        accept_gaps: Assess the slices that are there although others are missing.
    """

    ct: Path
    output: Path
    pet: Path | None = None
    ct_series: str | None = None
    pet_series: str | None = None
    weights: Path | None = None
    device: str = "auto"
    batch_size: int | None = None
    threshold: float = DEFAULT_THRESHOLD
    fusion: FusionOptions = field(default_factory=FusionOptions)
    several_views: bool = False
    features: bool = False
    ignore_frame_of_reference: bool = False
    accept_gaps: bool = False


@dataclass(frozen=True)
class Start:
    """Said once, before the first slice: what is about to run."""

    total: int
    device: Device
    weights: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The result and the files that hold it."""

    result: StudyResult
    files: tuple[Path, ...]


def _ignore(_: Start | Progress) -> None:
    pass


def _never() -> bool:
    return False


def assess_files(
    request: Request,
    *,
    on_event: Callable[[Start | Progress], None] = _ignore,
    cancelled: Callable[[], bool] = _never,
) -> Outcome:
    """Assess a PET/CT from files and write table, summary, curve, report and heatmaps.

    Args:
        request: What to do.
        on_event: Called with a :class:`Start`, then with a
            :class:`~MSIQALib.assessment.assessor.Progress` after every batch.
        cancelled: Asked before every batch; a cancelled run still writes what it has.

    Returns:
        The result, marked as partial where the run was cancelled or failed half-way, and the
        files written.

    Raises:
        MSIQAError: The input, the weights or the output folder cannot be used.
    """
    _check_writable(request.output)
    model = load_model(find_weights(request.weights))
    device = choose_device(request.device)
    batch_size = request.batch_size or device.batch_size
    ct = read_volume(
        request.ct, modality="CT", series_uid=request.ct_series, accept_gaps=request.accept_gaps
    )
    pet = None
    if request.pet is not None:
        pet = read_volume(
            request.pet,
            modality="PT",
            series_uid=request.pet_series,
            accept_gaps=request.accept_gaps,
        )
    study = fuse_study(
        ct, pet, request.fusion, ignore_frame_of_reference=request.ignore_frame_of_reference
    )
    on_event(Start(len(study), device, model.info.name, study.warnings))
    record = make_record(
        ct=ct,
        pet=pet,
        options={
            "fusion": request.fusion.to_dict(),
            "threshold": request.threshold,
            "several_views": request.several_views,
            "ignore_frame_of_reference": request.ignore_frame_of_reference,
            "accept_gaps": request.accept_gaps,
        },
        info=model.info,
        device=device,
        batch_size=batch_size,
    )
    with tempfile.TemporaryDirectory(prefix=".heatmaps-", dir=request.output) as folder:
        heatmaps = HeatmapStore(Path(folder))
        watched = _Watched(study)
        scorer = several_if(request.several_views, NetworkScorer(model, device))
        result = Assessor(scorer, batch_size).assess(
            watched,
            threshold=request.threshold,
            record=record,
            heatmaps=heatmaps,
            on_progress=on_event,
            cancelled=cancelled,
        )
        files = write_outputs(request.output, result, _pictures(watched, result, heatmaps))
        volumes: tuple[Path, ...] = ()
        if request.features:
            volumes = write_features(request.output, study, heatmaps)
    return Outcome(result, (*files, *volumes))


def write_features(output: Path, study: FusedStudy, heatmaps: HeatmapStore) -> tuple[Path, ...]:
    """Write one NRRD volume for each feature map, on the study's grid.

    Returns:
        The files: F1.nrrd to F4.nrrd, F_W.nrrd and F_S.nrrd.
    """
    width, height, depth = study.geometry.size
    paths = []
    for name in heatmaps.names:
        path = output / f"{name}.nrrd"
        scale = heatmaps.scale(name)
        write_heatmap_volume(
            path,
            heatmaps.volume_slices(name, depth, (height, width)),
            study.geometry,
            {
                "MSIQA_map": name,
                "MSIQA_quantity": "channel-mean of the absolute activation",
                "MSIQA_activation_at_0": repr(scale.low),
                "MSIQA_activation_at_255": repr(scale.high),
            },
        )
        paths.append(path)
    return tuple(paths)


class _Watched:
    """A study that keeps one line of each slice that passes, for the report's overview."""

    def __init__(self, study: FusedStudy) -> None:
        self.study = study
        self.lines: list[RGB | None] = [None] * len(study)

    @property
    def geometry(self) -> Geometry:
        return self.study.geometry

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.study.warnings

    def position_mm(self, k: int) -> float:
        return self.study.position_mm(k)

    def __len__(self) -> int:
        return len(self.study)

    def __iter__(self) -> Iterator[FusedSlice]:
        for item in self.study:
            if item.rgb is not None:
                self.lines[item.index] = coronal_row(item.rgb)
            yield item


def _pictures(watched: _Watched, result: StudyResult, heatmaps: HeatmapStore) -> ReportPictures:
    def picture(row: SliceResult) -> SlicePicture:
        rgb = watched.study[row.index].rgb
        assert rgb is not None, "a slice with a score has a picture"
        return SlicePicture(row, rgb)

    worst = tuple(picture(row) for row in result.worst())
    maps: tuple[HeatmapPicture, ...] = ()
    if worst:
        row, rgb = worst[0]
        shape = (rgb.shape[0], rgb.shape[1])
        maps = tuple(
            HeatmapPicture(name, overlay_heatmap(rgb, heatmaps.slice_map(name, row.index, shape)))
            for name in heatmaps.names
        )
    return ReportPictures(
        worst=worst,
        best=tuple(picture(row) for row in result.best()),
        heatmaps=maps,
        overview=coronal_overview(watched.lines),
    )


def _check_writable(output: Path) -> None:
    """Fail before the work, not after it, where the folder cannot be written."""
    with atomic_path(output / ".msiqa-write-test"):
        pass
    (output / ".msiqa-write-test").unlink(missing_ok=True)
