"""SQL that turns the CSV files into warehouse tables: when each fact became known, in UTC.

Text only: nothing is read or run here. The rules and their counts are told in `docs/data.md`.
"""

from collections.abc import Mapping

# Airports that flights go to and airports.csv lacks. All four lie in the zone of Puerto Rico (the
# U.S. Virgin Islands keep the same time: Atlantic standard time, without daylight saving).
MISSING_AIRPORTS = ("BQN", "PSE", "SJU", "STT")
MISSING_AIRPORTS_ZONE = "America/Puerto_Rico"

# The data say that a flight was cancelled or diverted and not when that was known.
UNTIMED_OUTCOME_HOURS = 24

_MISSING = ", ".join(f"'{code}'" for code in MISSING_AIRPORTS)

FLIGHTS = f"""
WITH known AS (
  SELECT
    f.*,
    time_hour + to_minutes(minute) AS sched_dep_at,
    time_hour + to_minutes(minute + dep_delay) AS dep_at,
    dep_delay IS NULL AS cancelled,
    dep_delay IS NOT NULL AND arr_delay IS NULL AS diverted,
    coalesce(tzone, CASE WHEN dest IN ({_MISSING}) THEN '{MISSING_AIRPORTS_ZONE}' END) AS zone
  FROM flights_csv f LEFT JOIN airports_csv ON faa = dest
),
scheduled AS (
  SELECT *,
    next_local(sched_arr_time, zone, sched_dep_at + INTERVAL 20 MINUTE) AS sched_arr_at,
    CASE WHEN arr_delay IS NOT NULL
         THEN next_local(arr_time, zone, dep_at + to_minutes(air_time)) END AS clock_arr_at
  FROM known
),
landed AS (
  SELECT *,
    greatest(clock_arr_at, sched_arr_at + to_minutes(arr_delay)) AS arr_at
  FROM scheduled
)
SELECT
  "row" AS flight_id,
  carrier,
  flight::INTEGER AS flight,
  tailnum,
  origin,
  dest,
  distance::INTEGER AS distance,
  air_time::INTEGER AS air_time,
  sched_dep_at,
  dep_at,
  sched_arr_at,
  CASE WHEN arr_delay IS NOT NULL THEN arr_at END AS arr_at,
  dep_delay::INTEGER AS dep_delay,
  arr_delay::INTEGER AS arr_delay,
  cancelled,
  diverted,
  CASE WHEN arr_delay IS NOT NULL AND arr_at IS NOT NULL THEN arr_at
       ELSE greatest(sched_dep_at, dep_at) + INTERVAL {UNTIMED_OUTCOME_HOURS} HOUR
  END AS outcome_known_at
FROM landed
ORDER BY flight_id
"""

# The first instant not before `earliest` at which a clock in `zone` shows `hhmm` (2400: midnight).
# An hour that occurs twice, when daylight saving ends, is read as the later one by DuckDB's ICU.
NEXT_LOCAL = """
CREATE MACRO next_local(hhmm, zone, earliest) AS list_min(list_filter(
  list_transform(
    [-24, 0, 24, 48],
    lambda hours: timezone(
      zone,
      date_trunc('day', timezone(zone, earliest))
        + to_hours(hours) + to_minutes((hhmm // 100) * 60 + hhmm % 100)
    )
  ),
  lambda instant: instant >= earliest
))
"""

WEATHER = """
SELECT
  origin,
  time_hour AS observed_at,
  time_hour + INTERVAL 1 HOUR AS available_at,
  temp AS temperature,
  dewp AS dew_point,
  humid AS humidity,
  wind_dir AS wind_direction,
  wind_speed,
  wind_gust,
  precip AS precipitation,
  pressure,
  visib AS visibility
FROM weather_csv
QUALIFY row_number() OVER (PARTITION BY origin, time_hour ORDER BY "row" DESC) = 1
ORDER BY origin, observed_at
"""

_KNOWN_FROM = "TIMESTAMPTZ '2013-01-01 00:00:00+00' AS known_from"

PLANES = f"""
SELECT
  tailnum,
  {_KNOWN_FROM},
  year::INTEGER AS year_built,
  type,
  manufacturer,
  model,
  engines::INTEGER AS engines,
  seats::INTEGER AS seats,
  engine AS engine_type
FROM planes_csv
ORDER BY tailnum
"""

AIRPORTS = f"""
SELECT
  faa AS airport,
  {_KNOWN_FROM},
  name,
  lat AS latitude,
  lon AS longitude,
  alt AS elevation,
  tzone AS time_zone
FROM airports_csv
ORDER BY airport
"""

CARRIERS = f"""
SELECT carrier, {_KNOWN_FROM}, name
FROM airlines_csv
ORDER BY carrier
"""

TABLES: Mapping[str, str] = {
    "flights": FLIGHTS,
    "weather": WEATHER,
    "planes": PLANES,
    "airports": AIRPORTS,
    "carriers": CARRIERS,
}
