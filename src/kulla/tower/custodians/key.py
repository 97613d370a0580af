"""A custodian's own key, made on the custodian's machine; home never sees it."""

from __future__ import annotations

from pathlib import Path

from kulla.journal.notes import KIND_ED25519, SigningKey
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError
from kulla.tower.cards import write_key_card
from kulla.tower.home import write_secret


class KeyExists(KullaError):
    """A folder holds a key of this name already."""


def make_key(
    folder: Path, name: str, tower: str, entropy: Entropy, *, reader: bool = False
) -> tuple[Path, Path]:
    """Write NAME.key and NAME.card into the folder; their paths. `reader`: of a reading site.

    Raises KeyExists where there is such a key: none is overwritten; NoteInvalid for a name that no
    key may have.
    """
    label = f"{tower}/{name}" if reader else f"{tower}/custodian/{name}"
    key = SigningKey(label, KIND_ED25519, entropy.random_bytes(32))
    path, card = folder / f"{name}.key", folder / f"{name}.card"
    if path.exists():
        raise KeyExists(
            "there is a key of this name already.",
            place=str(path),
            remedy="Use it, or name another folder: what it signed for would be lost with it.",
        )
    write_secret(path, f"{key.secret_text()}\n".encode())
    write_key_card(card, "reader" if reader else "custodian", name, key.verifier)
    return path, card
