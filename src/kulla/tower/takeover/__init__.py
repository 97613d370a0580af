"""Another site becomes home: planned, signed, carried out."""
