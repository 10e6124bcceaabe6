"""Body-weight SUV against its closed form, and every header item that can be missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_factory import pet_header, ramp, tracer, write_series
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from MSIQALib.errors import InputError
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.suv import suv_conversion

HALF_LIFE_S = 6586.2
PLAIN = 70.0 * 1000 / 370e6  # g / Bq, without decay
HOUR = 2 ** (3600 / HALF_LIFE_S)
SOURCE = Path("PET")


def factor(*headers: Dataset) -> float:
    return suv_conversion(headers, SOURCE).factor


def with_tracer(header: Dataset | None = None, **changes: object) -> Dataset:
    header = header or pet_header()
    header.RadiopharmaceuticalInformationSequence = [tracer(**changes)]
    return header


def test_start_decays_the_dose_from_injection_to_series() -> None:
    assert factor(pet_header()) == pytest.approx(PLAIN * HOUR, rel=1e-12)


def test_admin_takes_the_dose_as_injected() -> None:
    header = pet_header(DecayCorrection="ADMIN", SeriesTime=None, AcquisitionTime=None)
    assert factor(header) == pytest.approx(PLAIN, rel=1e-12)


def test_suv_is_left_as_it_is() -> None:
    assert factor(pet_header(Units="GML")) == 1.0
    assert factor(pet_header(Units="GML", SUVType="BW")) == 1.0
    with pytest.raises(InputError, match="LBM"):
        factor(pet_header(Units="GML", SUVType="LBM"))


def test_philips_counts() -> None:
    header = pet_header(Units="CNTS")
    with pytest.raises(InputError, match=r"7053,1000.*7053,1009"):
        factor(header)
    block = header.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x09, "DS", "1.5")
    assert factor(header) == pytest.approx(1.5 * PLAIN * HOUR)
    block.add_new(0x00, "DS", "0")
    assert factor(header) == pytest.approx(1.5 * PLAIN * HOUR)
    block.add_new(0x00, "DS", "0.00025")
    assert factor(header) == pytest.approx(0.00025)


def test_private_factor_survives_an_implicit_vr_file(tmp_path: Path) -> None:
    header = pet_header(Units="CNTS")
    header.private_block(0x7053, "Philips PET Private Group", create=True).add_new(
        0x00, "UN", b"0.5 "
    )
    values = ramp(low=0)

    def implicit(_: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian

    write_series(tmp_path, values, modality="PT", header=header, edit=implicit)
    np.testing.assert_allclose(read_volume(tmp_path, modality="PT").array, values * 0.5)


def test_activity_in_files_becomes_suv(tmp_path: Path) -> None:
    values = ramp(low=0) * 20
    write_series(tmp_path, values, modality="PT")
    volume = read_volume(tmp_path, modality="PT")
    np.testing.assert_allclose(volume.array, values * PLAIN * HOUR, rtol=1e-6)


def test_injection_before_midnight() -> None:
    header = with_tracer(RadiopharmaceuticalStartTime="233000")
    header.SeriesTime = header.AcquisitionTime = "003000"
    assert factor(header) == pytest.approx(PLAIN * HOUR)


def test_start_date_time_goes_before_the_time_alone() -> None:
    header = with_tracer(
        RadiopharmaceuticalStartTime="080000", RadiopharmaceuticalStartDateTime="20240310100000.00"
    )
    assert factor(header) == pytest.approx(PLAIN * HOUR)


def test_shifted_start_date_falls_back_to_the_time_of_day() -> None:
    header = with_tracer(RadiopharmaceuticalStartDateTime="20190101100000")
    conversion = suv_conversion([header], SOURCE)
    assert conversion.factor == pytest.approx(PLAIN * HOUR)
    assert "only its time of day" in conversion.warnings[0]


def test_series_time_after_acquisition_is_not_the_scan() -> None:
    late = [pet_header(SeriesTime="150000", AcquisitionTime=time) for time in ("110800", "110000")]
    conversion = suv_conversion(late, SOURCE)
    assert conversion.factor == pytest.approx(PLAIN * HOUR)
    assert "earliest Acquisition Time" in conversion.warnings[0]
    block = late[0].private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20240310120000.00")
    assert factor(*late) == pytest.approx(PLAIN * HOUR**2)


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("PatientWeight", "0010,1030"),
        ("Units", "0054,1001"),
        ("DecayCorrection", "0054,1102"),
        ("RadiopharmaceuticalInformationSequence", "0054,0016"),
    ],
)
def test_missing_items_are_named(keyword: str, tag: str) -> None:
    with pytest.raises(InputError, match=tag):
        factor(pet_header(**{keyword: None}))


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("RadionuclideTotalDose", "0018,1074"),
        ("RadionuclideHalfLife", "0018,1075"),
        ("RadiopharmaceuticalStartTime", "0018,1072"),
    ],
)
def test_missing_tracer_items_are_named(keyword: str, tag: str) -> None:
    with pytest.raises(InputError, match=tag):
        factor(with_tracer(**{keyword: None}))


def test_missing_times_are_named() -> None:
    with pytest.raises(InputError, match="0008,0031"):
        factor(pet_header(SeriesTime=None, AcquisitionTime=None))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (with_tracer(RadionuclideTotalDose=370.0), "MBq"),
        (with_tracer(RadionuclideTotalDose=0.0), "0018,1074"),
        (with_tracer(RadionuclideHalfLife=0.0), "0018,1075"),
        (with_tracer(RadiopharmaceuticalStartTime="110500"), "half-lives"),
        (pet_header(PatientWeight=0.0), "0010,1030"),
        (pet_header(DecayCorrection="NONE"), "NONE"),
        (pet_header(Units="PROPCPS"), "PROPCPS"),
    ],
)
def test_impossible_values_are_refused(header: Dataset, words: str) -> None:
    with pytest.raises(InputError, match=words):
        factor(header)
