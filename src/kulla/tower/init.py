"""How a country begins: keys, the policy file that names them, a home, and the recovery kit.

Explicit, once: nothing here ever happens because an address was mistyped. Embassies are made first,
each by its own operator, who hands over two public keys; here they are named in the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import kulla.keeper.folder as keeper_folder
from kulla.journal.notes import KIND_ED25519, SigningKey
from kulla.journal.policy_file import Custodian, Embassy, Log, Reader, first_policy, sign_policy
from kulla.keeper.wrapping import new_recovery_key
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError
from kulla.tower.home import Home, write_secret
from kulla.tower.takeover.custody import RECOVERY_KEY, share_out

CUSTODIANS = ("custodian-1", "custodian-2", "custodian-3")
CUSTODIAN_THRESHOLD = 2
QUORUM_OF_FOUR = 3


class CountryExists(KullaError):
    """A folder that should begin a country is not empty."""


class QuorumUnfit(KullaError):
    """The embassies and the number who must hold an act don't fit."""


class CustodiansUnfit(KullaError):
    """The custodians and the number who must sign don't fit."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a new country is told: its name, its domain, its embassies and where its parts go."""

    tower: str
    relying_party: str
    public_url: str
    bind: str
    port: int
    demo: bool
    embassies: Sequence[Embassy]
    quorum_k: int = QUORUM_OF_FOUR
    custodians: Sequence[str] = CUSTODIANS
    custodian_threshold: int = CUSTODIAN_THRESHOLD
    split_recovery: bool = False
    """Whether custodians get shares of the recovery key, so that the kit alone opens nothing."""


def begin(home: Home, kit: Path, beginning: Beginning, entropy: Entropy) -> None:
    """Make the home's folder and the recovery kit. Raises CountryExists where one is there.

    The kit is all that a new home needs beside the embassies: policy, custodians' keys, recovery
    key (or a share of it for each custodian), journal key, index key, settings. It belongs off
    line, the custodians' keys and shares each with its custodian.
    """
    for folder in (home.folder, kit):
        if folder.exists() and any(folder.iterdir()):
            raise CountryExists(
                "this folder is not empty.",
                place=str(folder),
                remedy="Name an empty one: a country begins once, and nothing is overwritten.",
            )
    _check_custodians(beginning)
    _check_quorum(beginning)
    for folder in (home.folder, kit):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_key = _key(f"{beginning.tower}/epoch-1", entropy)
    reader_key = _key(f"{beginning.tower}/home", entropy)
    custodians = {
        name: _key(f"{beginning.tower}/custodian/{name}", entropy) for name in beginning.custodians
    }
    recovery_private, recovery_public = new_recovery_key(entropy)
    journal_key, index_key = entropy.random_bytes(32), entropy.random_bytes(32)
    policy = first_policy(
        tower=beginning.tower,
        relying_party=beginning.relying_party,
        custodians=[Custodian(name, key.verifier) for name, key in custodians.items()],
        custodian_threshold=beginning.custodian_threshold,
        log=Log(log_key.verifier, beginning.public_url),
        embassies=beginning.embassies,
        quorum_k=beginning.quorum_k,
        readers=[Reader("home", reader_key.verifier)],
    )
    for key in list(custodians.values())[: beginning.custodian_threshold]:
        policy = sign_policy(policy, key)
    settings = _settings_text(beginning).encode()
    for folder in (home.folder, kit):
        write_secret(folder / "policy", policy.render())
        write_secret(folder / "home.toml", settings)
        write_secret(folder / "recovery.pub", recovery_public)
    write_secret(home.folder / "keys" / "log.key", log_key.secret_text().encode())
    write_secret(home.folder / "keys" / "reader.key", reader_key.secret_text().encode())
    write_secret(home.folder / "keys" / "journal.key", journal_key)
    write_secret(home.django_key, entropy.random_bytes(32).hex().encode())
    write_secret(home.folder / "begin", b"This country has not begun: its journal may be empty.\n")
    write_secret(kit / "journal.key", journal_key)
    write_secret(kit / "index.key", index_key)
    write_secret(kit / "reader.key", reader_key.secret_text().encode())
    if beginning.split_recovery:
        needed = beginning.custodian_threshold
        share_out(kit, recovery_private, beginning.custodians, needed, entropy)
    else:
        write_secret(kit / RECOVERY_KEY, recovery_private)
    for name, key in custodians.items():
        write_secret(kit / "custodians" / f"{name}.key", key.secret_text().encode())
    keeper_folder.init(home.keeper, recovery_public, index_key, entropy)


def _check_custodians(beginning: Beginning) -> None:
    count = len(set(beginning.custodians))
    if not 1 <= beginning.custodian_threshold <= count == len(beginning.custodians):
        raise CustodiansUnfit(
            f"{beginning.custodian_threshold} of {count} custodians can't sign.",
            place="--custodian",
            remedy="Name different custodians, at least as many as must sign.",
        )


def _check_quorum(beginning: Beginning) -> None:
    n, k = len(beginning.embassies), beginning.quorum_k
    if not (0 < k <= n and 2 * k > n):
        raise QuorumUnfit(
            f"{k} of {n} embassies are no quorum: two histories could each find as many.",
            place="--quorum",
            remedy="Four embassies with a quorum of three let home and any one of them be lost.",
        )


def _key(name: str, entropy: Entropy) -> SigningKey:
    return SigningKey(name, KIND_ED25519, entropy.random_bytes(32))


def _settings_text(beginning: Beginning) -> str:
    return (
        "# Settings of a home; no secrets. See docs/OPERATE.md.\n"
        f'tower = "{beginning.tower}"\n'
        f'bind = "{beginning.bind}"\n'
        f"port = {beginning.port}\n"
        f'public_url = "{beginning.public_url}"\n'
        f"demo = {str(beginning.demo).lower()}\n"
        "workers = 2\n"
        "threads = 128\n"
    )
