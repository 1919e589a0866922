"""The services that tests/conftest.py starts are real and each test finds them empty."""

import redis
import sqlalchemy as sa


def test_redis_is_real_and_empty(empty_redis_url: str) -> None:
    with redis.Redis.from_url(empty_redis_url) as client:
        assert client.dbsize() == 0
        client.set("here", "1")
        assert client.eval("return redis.call('get', KEYS[1])", 1, "here") == b"1"


def test_postgres_is_real_and_empty(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert "PostgreSQL" in str(connection.execute(sa.text("select version()")).scalar())
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()


def test_each_test_has_a_database_of_its_own(postgres_url: str, postgres_server: str) -> None:
    assert postgres_url.split("/")[-1].split("?")[0] != "postgres"
    assert "host=" in postgres_server
