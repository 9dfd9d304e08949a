from stock import Shelf


def order(article: str, amount: int) -> str:
    """Order an article."""
    shelf = Shelf({"cup": 3})
    return shelf.take(article, amount)
