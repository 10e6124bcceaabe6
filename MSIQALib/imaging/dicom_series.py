"""Choosing the wanted series among the files of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_scan import DicomFile
from MSIQALib.imaging.volume import Modality

_OPTION = {"CT": "--ct-series", "PT": "--pet-series"}
_NAME = {"CT": "CT", "PT": "PET"}


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """The slices of one series, in no particular order.

    Attributes:
        uid: Series Instance UID.
        files: Its slices; localizers, captures and objects without pixels are left out.
        warnings: Why it was chosen, where that was not plain.
    """

    uid: str
    files: tuple[DicomFile, ...]
    warnings: tuple[str, ...] = ()

    @property
    def modality(self) -> str:
        """Modality of the series."""
        return self.files[0].modality

    @property
    def attenuation_corrected(self) -> bool:
        """Whether Corrected Image (0028,0051) lists ATTN, or does not exist."""
        corrected = self.files[0].header.get("CorrectedImage")
        return corrected is None or "ATTN" in [str(word) for word in corrected]

    @property
    def description(self) -> str:
        """Series Description (0008,103E), with the modality and the number of slices."""
        title = str(self.files[0].header.get("SeriesDescription") or "without description")
        return f"{self.modality} '{title}', {len(self.files)} images"


def choose_series(
    files: Sequence[DicomFile],
    source: Path,
    *,
    modality: Modality | None,
    series_uid: str | None,
) -> DicomSeries:
    """Find the one series that is meant.

    Args:
        files: All DICOM files found.
        source: Where they were found, for the messages.
        modality: The modality wanted; None takes CT or PET.
        series_uid: The series wanted, where the user named it.

    Returns:
        The series. A PET without attenuation correction gives way to one with it.

    Raises:
        InputError: There is no such series, or more than one.
    """
    series = _group(files)
    if series_uid is not None:
        return _named(series, files, source, modality=modality, series_uid=series_uid)
    wanted = [one for one in series if one.modality in ((modality,) if modality else _NAME)]
    if not wanted:
        name = _NAME[modality] if modality else "CT or PET"
        raise InputError(
            source,
            f"there is no {name} series; found instead: {_found(files)}",
            f"Give the folder of a {name} series",
        )
    # Scouts that do not call themselves so, and captures, are single images.
    volumes = [one for one in wanted if len(one.files) > 1 or one.files[0].frames > 1] or wanted
    if len(volumes) == 1:
        return volumes[0]
    corrected = [one for one in volumes if one.attenuation_corrected]
    if len(corrected) == 1 and {one.modality for one in volumes} == {"PT"}:
        sentence = (
            "Of several PET series the only one with attenuation correction was taken: "
            f"{corrected[0].description}."
        )
        return DicomSeries(corrected[0].uid, corrected[0].files, (sentence,))
    listing = "; ".join(f"{one.description}{_spacing(one)}: {one.uid}" for one in volumes)
    option = _OPTION.get(modality or "", "a series UID")
    raise InputError(
        source,
        f"there are {len(volumes)} {_NAME[modality] if modality else 'CT and PET'} series: "
        + listing,
        f"Say which one is meant with {option} and its UID, or give its own folder",
    )


def _group(files: Sequence[DicomFile]) -> list[DicomSeries]:
    groups: dict[str, list[DicomFile]] = {}
    for file in files:
        if file.is_slice:
            groups.setdefault(file.series_uid, []).append(file)
    return [DicomSeries(uid, tuple(group)) for uid, group in groups.items()]


def _named(
    series: Sequence[DicomSeries],
    files: Sequence[DicomFile],
    source: Path,
    *,
    modality: Modality | None,
    series_uid: str,
) -> DicomSeries:
    for one in series:
        if one.uid == series_uid:
            break
    else:
        raise InputError(
            source,
            f"there is no series of images with the UID {series_uid}; found: {_found(files)}",
            "Check the UID and the folder",
        )
    if modality is not None and one.modality != modality:
        raise InputError(
            source,
            f"a {_NAME[modality]} series is needed here, and this one is {one.description}",
            f"Give a {_NAME[modality]} series",
        )
    return one


def _found(files: Sequence[DicomFile]) -> str:
    """What there is, by modality, for a message."""
    counts = Counter((file.modality, file.is_slice) for file in files)
    parts = [
        f"{count} {modality} {'images' if is_slice else 'objects without slices'}"
        for (modality, is_slice), count in sorted(counts.items())
    ]
    return ", ".join(parts)


def _spacing(series: DicomSeries) -> str:
    spacing = series.files[0].header.get("PixelSpacing")
    return f", pixels of {float(spacing[0]):.3g} mm" if spacing else ""
