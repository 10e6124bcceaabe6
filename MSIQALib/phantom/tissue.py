"""What tissues look like to CT and, an hour after an injection of FDG, to PET.

HU follow common reference values for non-contrast CT at 120 kV; SUV follow what is published as
normal body-weight SUV of FDG (for instance Zincirkeser et al., J Int Med Res 2007;35:231). Both are
typical values and no claim about a population.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """A material of the phantom.

    Attributes:
        hu: Mean CT number in Hounsfield units.
        suv: Mean body-weight SUV.
        hu_grain: Standard deviation of the texture in HU.
        suv_mottle: Standard deviation of the uptake, relative to its mean.
    """

    hu: float
    suv: float
    hu_grain: float = 0.0
    suv_mottle: float = 0.0


AIR = Tissue(-1000, 0.0)
TABLE_SHELL = Tissue(230, 0.0)
TABLE_FOAM = Tissue(-965, 0.0)

SKIN = Tissue(25, 0.55, 6, 0.10)
FAT = Tissue(-102, 0.2, 7, 0.15)
MUSCLE = Tissue(55, 0.6, 7, 0.12)
CARTILAGE = Tissue(95, 0.5, 10, 0.05)
CORTICAL = Tissue(680, 0.7, 90, 0.05)
MARROW = Tissue(185, 1.3, 48, 0.12)
YELLOW_MARROW = Tissue(20, 0.35, 25, 0.1)
DISC = Tissue(85, 0.7, 8, 0.05)
CORD = Tissue(38, 1.3, 4, 0.05)
CEREBROSPINAL = Tissue(12, 0.6, 3, 0.0)

LUNG = Tissue(-850, 0.4, 22, 0.12)
PULMONARY_VESSEL = Tissue(38, 1.5, 4, 0.0)
BRONCHUS_WALL = Tissue(-20, 0.7, 10, 0.0)
AIRWAY = Tissue(-990, 0.05, 0, 0.0)
BLOOD = Tissue(40, 1.6, 4, 0.04)
VESSEL_WALL = Tissue(52, 1.5, 4, 0.04)
HEART_MUSCLE = Tissue(52, 5.0, 5, 0.14)
RIGHT_HEART_MUSCLE = Tissue(50, 2.2, 5, 0.10)
OESOPHAGUS = Tissue(42, 1.4, 6, 0.1)
THYROID = Tissue(100, 1.5, 8, 0.1)

LIVER = Tissue(60, 2.2, 6, 0.06)
LIVER_VESSEL = Tissue(43, 1.8, 4, 0.04)
GALLBLADDER = Tissue(10, 0.7, 3, 0.0)
SPLEEN = Tissue(50, 1.8, 5, 0.05)
PANCREAS = Tissue(40, 1.5, 12, 0.1)
KIDNEY_CORTEX = Tissue(34, 4.0, 5, 0.1)
KIDNEY_SINUS = Tissue(-45, 2.2, 20, 0.1)
URINE = Tissue(6, 12.0, 3, 0.0)
GUT_WALL = Tissue(45, 1.7, 8, 0.3)
STOMACH_CONTENT = Tissue(28, 0.8, 12, 0.1)
BOWEL_CONTENT = Tissue(22, 1.2, 16, 0.35)
COLON_CONTENT = Tissue(10, 1.0, 75, 0.3)
GUT_GAS = Tissue(-960, 0.2, 10, 0.0)
