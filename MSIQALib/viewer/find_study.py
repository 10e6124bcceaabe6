"""Finding the PET/CT studies below a folder, whatever they are stored as."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_scan import DicomFile, is_dicom, read_header
from MSIQALib.imaging.dicom_series import choose_series
from MSIQALib.imaging.volume import Modality
from MSIQALib.viewer import image_names
from MSIQALib.viewer.study_paths import StudyPaths

logger = logging.getLogger(__name__)

__all__ = ["StudyPaths", "find_studies"]


@dataclass(frozen=True, eq=False)
class _Found:
    """The images of one folder, by kind."""

    folder: Path
    slices: tuple[DicomFile, ...]
    images: tuple[Path, ...]
    files: int

    @property
    def modalities(self) -> set[str]:
        """What is there as far as headers and names tell."""
        from_headers = {file.modality for file in self.slices}
        return from_headers | {image_names.modality_by_name(path) or "" for path in self.images}

    @property
    def may_be_pair(self) -> bool:
        """Whether CT and PET are there; files whose names are silent may be either."""
        silent = "" in self.modalities and len(self.images) > 1
        return silent or {"CT", "PT"} <= self.modalities


def find_studies(root: Path) -> tuple[StudyPaths, ...]:
    """Find every CT below a folder, with the PET that belongs to it.

    A study is an immediate subfolder that holds CT and PET, or else the folder itself. DICOM series
    belong together by their frame of reference, other files by what their names share beside the
    modality ("7_CT.nii.gz" and "7_PET.nii.gz"). A CT without any PET is a study, too.

    Args:
        root: A folder, as deep as it may be.

    Returns:
        The studies by name. Subfolders that hold none are passed over.

    Raises:
        InputError: There is no study; where something was near to being one, the message says
            what was in the way (two CT series, a PET alone, a damaged file).
    """
    if not root.is_dir():
        raise InputError(root, "there is no such folder", "Give a folder that holds a CT and a PET")
    problems: list[InputError] = []
    parts = [_look(root, nested=False)]
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        try:
            parts.append(_look(folder, nested=True))
        except InputError as error:
            problems.append(error)
    if not any(part.may_be_pair for part in parts):
        if problems:  # what cannot be read may be the other half
            raise problems[0]
        parts = [_whole(root, parts)]
    studies: list[StudyPaths] = []
    for part in parts:
        try:
            studies += _studies(part)
        except InputError as error:
            problems.append(error)
    if studies:
        if problems:
            logger.warning("%d folders hold no study that can be opened", len(problems))
        return tuple(_distinct(studies))
    if problems:
        raise problems[0]
    files = sum(part.files for part in parts)
    raise InputError(
        root,
        f"none of its {files} files is a CT or PET image" if files else "the folder is empty",
        "Give a CT and a PET as DICOM, NIfTI, NRRD or MHA",
    )


def _look(folder: Path, *, nested: bool) -> _Found:
    """Sort a folder's files by kind.

    Raises:
        InputError: A DICOM file is damaged.
    """
    paths = sorted(_files(folder, nested=nested))
    slices, images = [], []
    for path in paths:
        if image_names.is_image(path):
            images.append(path)
        elif is_dicom(path):
            header = read_header(path)
            if header.series_uid and header.is_slice and header.modality in ("CT", "PT"):
                slices.append(header)
    return _Found(folder, tuple(slices), tuple(images), len(paths))


def _files(folder: Path, *, nested: bool) -> Iterable[Path]:
    # os.walk does not follow links to folders, so that it comes to an end.
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(folders) if nested else []
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _whole(root: Path, parts: Sequence[_Found]) -> _Found:
    return _Found(
        root,
        tuple(file for part in parts for file in part.slices),
        tuple(path for part in parts for path in part.images),
        sum(part.files for part in parts),
    )


def _studies(found: _Found) -> list[StudyPaths]:
    if found.slices:
        return _dicom_studies(found)
    return _image_studies(found) if found.images else []


# DICOM


def _dicom_studies(found: _Found) -> list[StudyPaths]:
    frames: dict[str, list[DicomFile]] = {}
    for file in found.slices:
        frames.setdefault(str(file.header.get("FrameOfReferenceUID") or ""), []).append(file)
    pairs = [files for files in frames.values() if _holds(files, "CT") and _holds(files, "PT")]
    if pairs:
        return [_dicom_study(found, files) for files in pairs]
    if _holds(found.slices, "PT"):
        # The only CT and the only PET, in two frames: opening them says what is the matter.
        return [_dicom_study(found, found.slices)]
    return [_dicom_study(found, files) for files in _by_folder(found.slices)]


def _by_folder(files: Iterable[DicomFile]) -> list[list[DicomFile]]:
    """CTs in folders of their own are studies of their own."""
    folders: dict[Path, list[DicomFile]] = {}
    for file in files:
        folders.setdefault(file.path.parent, []).append(file)
    series = [{file.series_uid for file in group} for group in folders.values()]
    if sum(map(len, series)) > len(set().union(*series)):  # a series over several folders
        return [[file for group in folders.values() for file in group]]
    return list(folders.values())


def _holds(files: Iterable[DicomFile], modality: Modality) -> bool:
    return any(file.modality == modality for file in files)


def _dicom_study(found: _Found, files: Sequence[DicomFile]) -> StudyPaths:
    if not _holds(files, "CT"):
        raise _no_ct(found.folder)
    ct, ct_series = _series(found, files, "CT")
    pet, pet_series = None, None
    if _holds(files, "PT"):
        pet, pet_series = _series(found, files, "PT")
    common = _common([ct] if pet is None else [ct, pet])
    if pet is not None and common in (ct, pet) and common != found.folder and ct != pet:
        common = common.parent  # a PET below its CT's folder
    name = common.name if found.folder in (common, *common.parents) else found.folder.name
    return StudyPaths(name, ct, pet, ct_series, pet_series)


def _series(
    found: _Found, files: Sequence[DicomFile], modality: Modality
) -> tuple[Path, str | None]:
    """The folder of the one series of a modality, and its UID where the folder holds others."""
    try:
        series = choose_series(files, found.folder, modality=modality, series_uid=None)
    except InputError as error:
        raise InputError(
            error.source, error.cause, "Give a folder that holds only the one that is meant"
        ) from error
    folder = _common([file.path.parent for file in series.files])
    others = any(
        file.modality == modality and file.series_uid != series.uid
        for file in found.slices
        if folder in file.path.parents
    )
    return folder, series.uid if others else None


def _common(folders: Sequence[Path]) -> Path:
    return Path(os.path.commonpath(folders))


def _no_ct(folder: Path) -> InputError:
    return InputError(folder, "there is a PET, but no CT", "Add the CT of the same examination")


# NIfTI, NRRD, MHA


def _image_studies(found: _Found) -> list[StudyPaths]:
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in found.images:
        groups.setdefault((path.parent, image_names.examination(path)), []).append(path)
    pairs = {
        key: group
        for key, group in groups.items()
        if {"CT", "PT"} <= {image_names.modality_by_name(path) for path in group}
    }
    if pairs:
        return [
            _image_study(found.folder, _title(found.folder, key, alone=len(pairs) == 1), group)
            for key, group in pairs.items()
        ]
    return [_image_study(found.folder, found.folder.name, found.images)]


def _title(folder: Path, key: tuple[Path, str], *, alone: bool) -> str:
    parent, examination = key
    if alone:
        return folder.name
    return examination or parent.name


def _image_study(folder: Path, name: str, paths: Sequence[Path]) -> StudyPaths:
    named = {path: image_names.modality_by_name(path) for path in paths}
    cts = [path for path in paths if named[path] == "CT" and not image_names.is_labels(path)]
    pets = [path for path in paths if named[path] == "PT" and not image_names.is_labels(path)]
    if len(pets) > 1:
        pets = [path for path in pets if image_names.says_suv(path)] or pets
    # Values are read only where names leave something open: files can be large.
    if not cts or not pets:
        for path in paths:
            if named[path] is None:
                modality = image_names.modality_by_values(path)
                if modality == "CT" and (not cts or named[cts[0]] is None):
                    cts.append(path)
                elif modality == "PT" and (not pets or named[pets[0]] is None):
                    pets.append(path)
    for modality, several in (("CT", cts), ("PET", pets)):
        if len(several) > 1:
            listing = ", ".join(path.name for path in several)
            raise InputError(
                folder,
                f"there are {len(several)} {modality} files: {listing}",
                "Give a folder that holds only the one that is meant",
            )
    if cts:
        return StudyPaths(name, cts[0], pets[0] if pets else None)
    if pets:
        raise _no_ct(folder)
    raise InputError(
        folder,
        f"none of its {len(paths)} image files is a CT in HU or a PET in SUV",
        "Give them names that say which is which, such as CT.nii.gz and PET.nii.gz",
    )


def _distinct(studies: Sequence[StudyPaths]) -> Iterable[StudyPaths]:
    """Number the studies whose folders have the same name."""
    seen: dict[str, int] = {}
    for study in studies:
        count = seen[study.name] = seen.get(study.name, 0) + 1
        name = study.name if count == 1 else f"{study.name} ({count})"
        yield StudyPaths(name, study.ct, study.pet, study.ct_series, study.pet_series)
