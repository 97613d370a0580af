"""Appointments for programs, as FHIR R4 (HL7): Schedule, Slot and Appointment."""
