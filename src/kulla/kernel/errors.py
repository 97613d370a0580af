"""The one root of Kulla's errors: every message names the place and the remedy."""


class KullaError(Exception):
    """Something went wrong at a place a person can look at, with what to do about it.

    `place` is a file and line, the row of a table, the index of an entry or the name of a setting;
    `remedy` is a sentence that says what to do. Both go to the terminal and to error pages, so
    neither may hold personal data or a secret.
    """

    def __init__(self, message: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        what_to_do = f" {self.remedy}" if self.remedy else ""
        return f"{where}{self.message}{what_to_do}"


class UnfitAct(KullaError):
    """An act that meets a register it can't make sense of: it becomes a listed case, never a crash.

    Raised by `apply` before it changed anything; the register stays as it was.
    """
