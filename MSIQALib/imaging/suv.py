"""Body-weight SUV from what a PET's DICOM header says.

After the vendor-neutral computation of the QIBA FDG-PET/CT profile: SUVbw is the activity
concentration in Bq/ml times the body weight in g, divided by the injected activity in Bq, both
decay-corrected to the same time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_scan import (
    GE_SCAN_DATETIME,
    PHILIPS_ACTIVITY_FACTOR,
    PHILIPS_SUV_FACTOR,
)

_SUV_TYPES_BODY_WEIGHT = ("", "BW")  # (0054,1006); absent means body weight
_LEAST_DOSE_BQ = 1e4
"""A "dose" below this is in MBq, which DICOM does not allow but some exports write."""

_MOST_HALF_LIVES = 8.0
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class SuvConversion:
    """How stored PET values (after the rescale slope) become SUV.

    Attributes:
        factor: SUVbw = value * factor.
        warnings: What had to be assumed.
    """

    factor: float
    warnings: tuple[str, ...] = ()


def suv_conversion(headers: Sequence[Dataset], source: Path) -> SuvConversion:
    """Work out the factor to body-weight SUV for one PET series.

    Args:
        headers: The headers of all its slices.
        source: Where they come from, for the messages.

    Returns:
        The factor: 1 for GML, weight / dose for BQML, Philips's own for CNTS.

    Raises:
        InputError: The unit has no way to SUV, another SUV type is stored, or a header item that is
            needed is missing or impossible; the message names it with its tag.
    """
    first = headers[0]
    units = str(first.get("Units") or "").upper()
    if units == "GML":
        kind = str(first.get("SUVType") or "").upper()
        if kind not in _SUV_TYPES_BODY_WEIGHT:
            raise InputError(
                source,
                f"the PET holds SUV of the type {kind} (SUV Type (0054,1006)), not by body weight",
                "Export the PET as body-weight SUV or in Bq/ml",
            )
        return SuvConversion(1.0)
    if units == "BQML":
        return _from_activity(headers, source)
    if units == "CNTS":
        factor = _private_number(first, PHILIPS_SUV_FACTOR)
        if factor > 0:
            return SuvConversion(factor)
        factor = _private_number(first, PHILIPS_ACTIVITY_FACTOR)
        if factor > 0:
            activity = _from_activity(headers, source)
            return SuvConversion(factor * activity.factor, activity.warnings)
        raise InputError(
            source,
            "the PET is in counts (CNTS), and neither the Philips SUV factor (7053,1000) nor the "
            "activity concentration factor (7053,1009) is in the header",
            "Export the PET with private tags, or in Bq/ml",
        )
    if not units:
        raise _missing(source, "Units (0054,1001)")
    raise InputError(
        source,
        f"PET values in {units} (Units (0054,1001)) cannot be turned into SUV",
        "Export the PET in Bq/ml (BQML) or as SUV (GML)",
    )


def _from_activity(headers: Sequence[Dataset], source: Path) -> SuvConversion:
    first = headers[0]
    weight_kg = _number(first, "PatientWeight", "Patient's Weight (0010,1030)", source)
    if weight_kg <= 0:
        raise _missing(source, "Patient's Weight (0010,1030) above 0")
    sequence = first.get("RadiopharmaceuticalInformationSequence")
    if not sequence:
        raise _missing(source, "Radiopharmaceutical Information Sequence (0054,0016)")
    tracer: Dataset = sequence[0]
    dose_bq = _number(
        tracer, "RadionuclideTotalDose", "Radionuclide Total Dose (0018,1074)", source
    )
    if dose_bq <= 0:
        raise _missing(source, "Radionuclide Total Dose (0018,1074) above 0")
    if dose_bq < _LEAST_DOSE_BQ:
        raise InputError(
            source,
            f"the Radionuclide Total Dose (0018,1074) of {dose_bq:g} is too low for Bq; it is "
            "probably in MBq",
            "Correct the header (DICOM wants Bq) and try again",
        )
    decay = str(first.get("DecayCorrection") or "").upper()
    if decay == "ADMIN":
        return SuvConversion(weight_kg * 1000.0 / dose_bq)
    if decay != "START":
        if not decay:
            raise _missing(source, "Decay Correction (0054,1102)")
        raise InputError(
            source,
            f"the PET is not decay-corrected in a way that SUV can be computed from (Decay "
            f"Correction (0054,1102) is {decay}, not START or ADMIN)",
            "Export the PET with decay correction",
        )
    half_life_s = _number(
        tracer, "RadionuclideHalfLife", "Radionuclide Half Life (0018,1075)", source
    )
    if half_life_s <= 0:
        raise _missing(source, "Radionuclide Half Life (0018,1075) above 0")
    scan, warnings = _scan_start(headers, source)
    elapsed_s, assumed = _since_injection(tracer, scan, half_life_s, source)
    decayed_bq = dose_bq * math.exp2(-elapsed_s / half_life_s)
    return SuvConversion(weight_kg * 1000.0 / decayed_bq, (*warnings, *assumed))


def _scan_start(headers: Sequence[Dataset], source: Path) -> tuple[datetime, tuple[str, ...]]:
    """The time that START refers to: the series's, unless that was set after the acquisition."""
    first = headers[0]
    date = first.get("SeriesDate")
    series = _date_time(date, first.get("SeriesTime"))
    times = (
        _date_time(header.get("AcquisitionDate") or date, header.get("AcquisitionTime"))
        for header in headers
    )
    acquired = [time for time in times if time is not None]
    if series is not None and (not acquired or series <= min(acquired)):
        return series, ()
    private = _private_text(first, GE_SCAN_DATETIME)
    scan = _date_time(private[:8], private[8:]) if private else None
    if scan is not None:
        return scan, ()
    if not acquired:
        raise _missing(source, "Series Date and Time (0008,0021) and (0008,0031)")
    return min(acquired), (
        "The series time lies after the acquisition; decay was reckoned to the earliest "
        "Acquisition Time (0008,0032).",
    )


def _since_injection(
    tracer: Dataset, scan: datetime, half_life_s: float, source: Path
) -> tuple[float, tuple[str, ...]]:
    """Seconds from injection to ``scan``."""
    text = str(tracer.get("RadiopharmaceuticalStartDateTime") or "")
    injected = _date_time(text[:8], text[8:]) if text else None
    longest_s = _MOST_HALF_LIVES * half_life_s
    if injected is not None and 0 <= (scan - injected).total_seconds() <= longest_s:
        return (scan - injected).total_seconds(), ()

    clock = tracer.get("RadiopharmaceuticalStartTime") or text[8:]
    started = _date_time(scan.strftime("%Y%m%d"), clock)
    if started is None:
        raise _missing(
            source,
            "Radiopharmaceutical Start Time (0018,1072) or Start DateTime (0018,1078)",
        )
    if started > scan:  # injected before midnight
        started -= _DAY
    elapsed_s = (scan - started).total_seconds()
    if elapsed_s > longest_s:
        raise InputError(
            source,
            f"the injection would lie {elapsed_s / 3600:.1f} hours before the scan, "
            f"{elapsed_s / half_life_s:.0f} half-lives (Radiopharmaceutical Start Time (0018,1072) "
            "against Series Time (0008,0031))",
            "Check these times in the header",
        )
    if injected is not None:
        return elapsed_s, (
            "The date in Radiopharmaceutical Start DateTime (0018,1078) does not fit the scan's; "
            "only its time of day was used.",
        )
    return elapsed_s, ()


def _date_time(date: object, time: object) -> datetime | None:
    """A DICOM date and time (PS3.5 6.2: DA, TM); None where one is missing or no such thing.

    An offset from UTC is left out: scanners write both ends of the interval in one zone.
    """
    digits = re.sub(r"[-.]", "", str(date or "")) if date else ""
    match = re.match(r"(\d{2})(?::?(\d{2}))?(?::?(\d{2}))?(\.\d+)?", str(time or ""))
    if len(digits) != 8 or not digits.isdigit() or match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    try:
        day = datetime.strptime(digits, "%Y%m%d")
    except ValueError:
        return None
    return day + timedelta(
        hours=hour, minutes=minute, seconds=second, microseconds=1e6 * float(match.group(4) or 0)
    )


def _number(header: Dataset, keyword: str, name: str, source: Path) -> float:
    value = header.get(keyword)
    if value is None or str(value).strip() == "":
        raise _missing(source, name)
    return float(value)


def _private_text(header: Dataset, tag: int) -> str:
    """A private element's text; implicit VR leaves such values as bytes."""
    element = header.get(Tag(tag))
    value: Any = element.value if element is not None else ""
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="ignore")
    return str(value or "").strip("\0 ")


def _private_number(header: Dataset, tag: int) -> float:
    try:
        return float(_private_text(header, tag) or 0.0)
    except ValueError:
        return 0.0


def _missing(source: Path, name: str) -> InputError:
    return InputError(
        source,
        f"SUV cannot be computed: the PET header lacks {name}",
        "Export the PET with a complete header, or as SUV (GML)",
    )
