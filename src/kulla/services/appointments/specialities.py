"""The specialities that clinics write into the register in Albanian, with their names in English.

The register keeps the words of the clinic. What is not in this list is shown as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils import translation

ENGLISH: Final[Mapping[str, str]] = {
    "Alergologji": "Allergology",
    "Dermatologji": "Dermatology",
    "Diabetologji": "Diabetes care",
    "Endokrinologji": "Endocrinology",
    "Fizioterapi": "Physiotherapy",
    "Gastroenterologji": "Gastroenterology",
    "Geriatri": "Geriatrics",
    "Hematologji": "Haematology",
    "Infermieri": "Nursing",
    "Kardiologji": "Cardiology",
    "Kirurgji": "Surgery",
    "Kirurgji e përgjithshme": "General surgery",
    "Kirurgji pediatrike": "Paediatric surgery",
    "Mami": "Midwifery",
    "Mjekësi e brendshme": "Internal medicine",
    "Mjekësi e familjes": "Family medicine",
    "Mjekësi e përgjithshme": "General medicine",
    "Mjekësi e punës": "Occupational medicine",
    "Mjekësi familjeje": "Family medicine",
    "Mjekësi interne": "Internal medicine",
    "Nefrologji": "Nephrology",
    "Neurologji": "Neurology",
    "Obstetrikë-gjinekologji": "Obstetrics and gynaecology",
    "Oftalmologji": "Ophthalmology",
    "Okulistikë": "Eye care",
    "Onkologji": "Oncology",
    "Ortopedi": "Orthopaedics",
    "Ortopedi-traumatologji": "Orthopaedics and traumatology",
    "Otorinolaringologji": "Ear, nose and throat",
    "Pediatri": "Paediatrics",
    "Pneumologji": "Lung medicine",
    "Psikiatri": "Psychiatry",
    "Psikologji": "Psychology",
    "Radiologji": "Radiology",
    "Reumatologji": "Rheumatology",
    "Sëmundje infektive": "Infectious diseases",
    "Stomatologji": "Dentistry",
    "Urologji": "Urology",
    "Vaksinim": "Vaccination",
}


def in_words(speciality: str) -> str:
    """The speciality in the language of the page; as the register has it where it is not known."""
    if translation.get_language() == "en":
        return ENGLISH.get(speciality, speciality)
    return speciality
