"""The lock files: complete, hashed, without an address, one a part of the other."""

from __future__ import annotations

import re
import tomllib

from style.project_files import TOP

RUN = TOP / "requirements.lock"
DEV = TOP / "requirements-dev.lock"


def _pins(path):
    """Name -> (version, hashes) of each package in a lock file."""
    text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE)
    pins = {}
    for block in text.replace("\\\n", " ").splitlines():
        name, _, rest = block.partition("==")
        version, *hashes = rest.split("--hash=")
        exact = version.partition(";")[0].strip()
        pins[name.strip()] = (exact, frozenset(item.strip() for item in hashes))
    return pins


def test_every_package_has_a_version_and_hashes():
    for path in (RUN, DEV):
        for name, (version, hashes) in _pins(path).items():
            assert re.match(r"\d", version), f"{path.name}: {name} has no exact version"
            assert hashes, f"{path.name}: {name} has no hash"
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", item) for item in hashes), name


def test_no_address_stands_in_them():
    for path in (RUN, DEV):
        assert "://" not in path.read_text(), f"{path.name}: make lock writes it without addresses"
        options = set(re.findall(r"^ *(-[a-z-]+)", path.read_text(), re.MULTILINE))
        assert options == {"--hash"}, f"{path.name} tells pip where to look or what to do"


def test_the_runtime_lock_is_a_part_of_the_development_lock():
    development = _pins(DEV)
    for name, pin in _pins(RUN).items():
        assert development.get(name) == pin, f"{name} differs; type make lock"


def test_what_the_project_names_is_locked():
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    for path, named in (
        (RUN, [*project["project"]["dependencies"], *groups["build"]]),
        (DEV, [*project["project"]["dependencies"], *groups["build"], *groups["dev"]]),
    ):
        names = {re.match(r"[a-z0-9-]+", item.lower())[0] for item in named}
        assert not names - _pins(path).keys(), f"missing in {path.name}; type make lock"
