import redis
import redis.asyncio


def works(port: int, secure_port: int) -> dict:
    with redis.Redis("redis.test", port, decode_responses=True) as client:
        client.set("greeting", "hello")
        client.hset("hash", mapping={"a": "1", "b": "2"})
        seen = [client.get("greeting"), client.hgetall("hash"), client.ttl("greeting")]
        try:
            client.incr("greeting")
        except redis.ResponseError as error:
            seen.append(str(error))
        large = "x" * 1_000_000
        client.set("large", large)
        seen.append(client.get("large") == large)
    with redis.Redis("redis.test", secure_port, ssl=True, decode_responses=True) as client:
        seen.append(client.get("greeting"))
    return {"seen": seen}


def pipelines(port: int, count: int) -> dict:
    """All commands are sent before the first reply is read, which is more than any buffer between the two holds."""
    with redis.Redis("redis.test", port) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(count):
            pipeline.execute_command("ECHO", number)
        replies = pipeline.execute()
    return {"replies": len(replies), "last": replies[-1].decode()}


async def works_async(port: int, secure_port: int) -> dict:
    async with redis.asyncio.Redis(host="redis.test", port=secure_port, ssl=True, decode_responses=True) as client:
        async with client.pipeline(transaction=True) as pipeline:
            replies = await pipeline.set("async", "1").incr("async").get("async").execute()
    async with redis.asyncio.Redis(host="redis.test", port=port) as client, client.pubsub() as pubsub:
        await pubsub.subscribe("channel")
        await pubsub.get_message(timeout=5)
        await client.publish("channel", "news")
        message = await pubsub.get_message(timeout=5)
    return {"replies": replies, "message": message["data"].decode()}
