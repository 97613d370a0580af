"""The attribution desk's errors: each names the file, the place in it, and what to do."""

from kulla.kernel.errors import KullaError


class AttributionError(KullaError):
    """Something that the desk was given can't be used."""


class EvidenceInvalid(AttributionError):
    """An incident file, or one item of evidence in it, is not what the desk reads."""


class KnowledgeInvalid(AttributionError):
    """A release of ATT&CK, or a list of actors and states, can't be read or holds nothing."""


class RecordInvalid(AttributionError):
    """A record of a judgement is not in its format, or was changed."""


class EvaluationImpossible(AttributionError):
    """The data hold too few reports for the test that was asked for."""
