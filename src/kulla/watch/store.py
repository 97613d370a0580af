"""ClickHouse in the process (chdb): the one place where SQL is run."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa

from kulla.watch.errors import WatchFailed

# LIKE chains are not rewritten (the rewrite changes which functions run), patterns of rules are
# ours and may be many, and a query that lists them is long.
SETTINGS: Final = {
    "optimize_or_like_chain": 0,
    "max_query_size": 1 << 30,
    "max_parser_depth": 100_000,
    "max_parser_backtracks": 0,
    "max_ast_depth": 100_000,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
    "max_hyperscan_regexp_length": 0,
    "max_hyperscan_regexp_total_length": 0,
    "reject_expensive_hyperscan_regexps": 0,
    "allow_suspicious_low_cardinality_types": 1,
    "log_queries": 0,
}


class Store:
    """A ClickHouse of this process's own. One at a time; not for several threads.

    folder: where tables outlive the process; without, all is gone when it is closed. threads: how
    many cores a query may use.
    """

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        try:
            from chdb.session import Session
        except ImportError:
            raise WatchFailed(
                "ClickHouse's library is not installed.",
                place="chdb",
                remedy="Install Kulla with its extra: pip install 'kulla[watch]'.",
            ) from None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        opened: Any = Session
        self._session: Any = opened(str(folder)) if folder is not None else opened()
        settings = {**SETTINGS, "max_threads": threads}
        for name, value in settings.items():
            self._session.query(f"SET {name} = {value}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; a store without a folder is gone."""
        self._session.close()

    def run(self, sql: str) -> None:
        """Run a statement that gives nothing. Raises WatchFailed with ClickHouse's words."""
        self._query(sql, "Null")

    def rows(self, sql: str) -> pa.Table:
        """The rows of a query, as an Arrow table. Raises WatchFailed."""
        answer = self._query(sql, "Arrow").bytes()
        if not answer:
            return pa.table({})
        return pa.ipc.open_file(pa.py_buffer(answer)).read_all()

    def take(self, sql: str, incoming: pa.Table) -> None:
        """Run a statement whose `Python(incoming)` is this Arrow table. Raises WatchFailed."""
        # chdb finds the table by the name of the caller's variable, so it goes no deeper.
        try:
            self._session.query(sql, "Null")
        except Exception as error:
            raise _failed(error) from error
        del incoming

    def _query(self, sql: str, form: str) -> Any:
        try:
            return self._session.query(sql, form)
        except Exception as error:
            raise _failed(error) from error


def _failed(error: Exception) -> WatchFailed:
    text = " ".join(str(error).split())
    return WatchFailed(f"ClickHouse refused: {text[:600]}", place="event store")
