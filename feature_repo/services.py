"""What models and applications read. Every feature here is a number found by entity keys alone."""

from airports.airport_congestion import airport_congestion
from airports.destination_arrivals import destination_arrivals
from airports.destination_place import destination_place
from carriers.carrier_departures import carrier_departures
from carriers.carrier_performance import carrier_performance
from feast import FeatureService
from planes.plane_attributes import plane_attributes
from planes.plane_departures import plane_departures
from planes.plane_performance import plane_performance
from routes.route_performance import route_performance
from weather.airport_weather import airport_weather

from fieldhouse import governed

flight_delay = FeatureService(
    name="flight_delay",
    description="For predicting, two hours before scheduled departure, whether a flight arrives "
    "more than 15 minutes late. Keys: origin, dest, carrier, tailnum.",
    features=[
        airport_weather,
        airport_congestion,
        destination_arrivals,
        destination_place,
        plane_attributes[["year_built", "seats", "engines"]],
        plane_departures,
        plane_performance,
        carrier_departures,
        carrier_performance,
        route_performance,
    ],
    tags=governed(owner="operations@flights.example", state="production"),
)

airport_status = FeatureService(
    name="airport_status",
    description="The board of an airport of departure: its weather and its queue. Key: origin.",
    features=[airport_weather, airport_congestion],
    tags=governed(owner="operations@flights.example", state="production"),
)
