def write(number: int) -> str:
    """Write a number again and again, up to one and a half megabytes of it."""
    length = number * 370_001 % 1_500_000
    return (f"{number} " * (length // 2))[:length]
