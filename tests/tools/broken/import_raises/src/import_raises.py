import settings


def read() -> str:
    return settings.PLACE
