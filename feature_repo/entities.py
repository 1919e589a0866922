"""What features describe. A route is two entities together: it has a composite key."""

from feast import Entity, ValueType

OPERATIONS = "operations@flights.example"
FLEET = "fleet@flights.example"

origin_airport = Entity(
    name="origin_airport",
    join_keys=["origin"],
    value_type=ValueType.STRING,
    description="An airport that flights leave from: EWR, JFK or LGA, by its FAA code.",
    owner=OPERATIONS,
)
destination_airport = Entity(
    name="destination_airport",
    join_keys=["dest"],
    value_type=ValueType.STRING,
    description="An airport that flights go to, by its FAA code.",
    owner=OPERATIONS,
)
plane = Entity(
    name="plane",
    join_keys=["tailnum"],
    value_type=ValueType.STRING,
    description="One aircraft, by its tail number.",
    owner=FLEET,
)
carrier = Entity(
    name="carrier",
    join_keys=["carrier"],
    value_type=ValueType.STRING,
    description="An airline, by its two-letter code.",
    owner=OPERATIONS,
)

ROUTE = [origin_airport, destination_airport]
