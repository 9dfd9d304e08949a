class OutOfStock(Exception):
    """There are fewer than were asked for."""


class Shelf:
    def __init__(self, articles: dict[str, int]) -> None:
        self._articles = articles

    def take(self, article: str, amount: int) -> str:
        def check(there: int) -> None:
            if amount > there:
                raise OutOfStock(f"{there} of {article} left, {amount} wanted")

        check(self._articles[article])
        return f"{amount} x {article}"
