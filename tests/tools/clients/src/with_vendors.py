import boto3
import botocore.config
import stripe
import told


def _s3(ports, verify=True, **config):
    return boto3.client(
        "s3",
        endpoint_url=f"https://api.test:{ports['https']}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="eu-west-1",
        verify=verify,
        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **config),
    )


def stores(ports) -> dict:
    s3 = _s3(ports)
    put = s3.put_object(Bucket="bucket", Key="a key", Body=b"x" * 100_000)
    got = s3.get_object(Bucket="bucket", Key="a key")
    return {
        "put": [put["ETag"], put["VersionId"]],
        "got": [got["ContentLength"], got["Body"].read().decode()],
        "never": told.by(_s3(ports, connect_timeout=5, read_timeout=0.3).list_objects_v2, Bucket="never")[0],
        "unverified": told.by(_s3(ports, verify=False).list_buckets),
    }


def pays(ports) -> dict:
    def client(key):
        return stripe.StripeClient(key, base_addresses={"api": f"https://api.test:{ports['https']}"})

    made = client("sk_right").v1.customers.create({"name": "Ada", "metadata": {"a": "b"}})
    return {
        "made": [made.id, made.description],
        "refused": told.by(client("sk_wrong").v1.customers.create, {"name": "Ada"}),
    }


async def pays_async(ports) -> dict:
    client = stripe.StripeClient(
        "sk_right",
        base_addresses={"api": f"https://api.test:{ports['https']}"},
        http_client=stripe.HTTPXClient(),
    )
    return {"made": (await client.v1.customers.create_async({"name": "Ada"})).id}
