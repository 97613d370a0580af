"""The register of citizens: a subject id, a sealed name, and since when."""
