def capitalized(word: str) -> str:
    return word[:1].upper() + word[1:]
