import asyncio


async def gather(numbers: list[int]) -> dict[str, object]:
    """Double the numbers, all at once."""
    running = 0
    most = 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return 2 * number

    doubled = await asyncio.gather(*(double(number) for number in numbers))
    return {"doubled": doubled, "most_at_once": most}
