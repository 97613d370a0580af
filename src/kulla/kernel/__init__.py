"""What every part stands on: errors, canonical bytes, and the protocols of the edges. No I/O."""
