def loop() -> None:
    """Keep a processor busy."""
    while True:
        pass
