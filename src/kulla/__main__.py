"""`python -m kulla`: the same as the command `kulla`."""

from kulla.cli.main import main

main()
