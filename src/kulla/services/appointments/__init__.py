"""Doctor's appointments: clinics, practitioners, their hours, slots, and who booked which."""
