"""Earlier versions of the policy file that are kept beside the newest, in a folder `policies`.

A replay judges an undo of years ago by the custodians of then, where today's did not sign it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures

FOLDER: Final = "policies"


def older_policies(folder: Path, newest: PolicyFile) -> list[PolicyFile]:
    """The versions before `newest` in `folder`, of the same tower and whole; [] without a folder.

    The folder is trusted as the kit or the home is that it lies in. Raises PolicyInvalid, or
    SignatureInvalid, for a file that is no policy or not signed by its own custodians.
    """
    found = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        policy = parse_policy(path.read_bytes(), place=str(path))
        verify_policy_signatures(policy)
        if policy.tower == newest.tower and policy.version < newest.version:
            found.append(policy)
    return found
