"""Numbers beside the entries of the navigation; apps register theirs in `AppConfig.ready`."""

from collections.abc import Callable, Iterator, Mapping

from portal.core.models import Organisation, User

CountProvider = Callable[[User, Organisation], int]

_counts: dict[str, CountProvider] = {}


def register_count(name: str, provider: CountProvider) -> None:
    """`register_count("inbox", count_for)`; the shell shows `nav_counts.inbox`. It costs one query at most."""
    _counts[name] = provider


class Counts(Mapping[str, int]):
    """Each number is asked for when the page shows it, and once: a partial without navigation costs nothing."""

    def __init__(self, user: User, organisation: Organisation) -> None:
        self._user, self._organisation = user, organisation
        self._known: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = _counts[name](self._user, self._organisation)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_counts)

    def __len__(self) -> int:
        return len(_counts)
