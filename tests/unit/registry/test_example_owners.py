"""The example's own owners: what `feature_repo/owners.toml` says is read, and names its domains."""

from pathlib import Path

from registry.adapters.owners_file import read_owners

REPOSITORY = Path(__file__).parents[3] / "feature_repo"


def domains_of_the_example() -> set[str]:
    return {file.parent.name for file in REPOSITORY.glob("*/*.py")}


def test_every_folder_of_the_example_has_an_owner_who_can_be_written_to() -> None:
    owners = read_owners(REPOSITORY, {})
    assert set(owners.domains) == domains_of_the_example()
    assert all("@" in owners.owner(domain) for domain in owners.domains)


def test_who_owns_weather_is_who_the_file_says() -> None:
    owners = read_owners(REPOSITORY, {})
    assert owners.owner("weather") == "weather@flights.example"
    assert owners.owner("elsewhere") == ""
    assert owners.stewards("weather") == ()
