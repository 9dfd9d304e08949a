def answer() -> int:
    number = 40 +
    return number
