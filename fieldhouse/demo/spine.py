"""The rows that the example's model learns from, as a query over the warehouse. Text only."""

from datetime import datetime

TIME_COLUMN = "event_timestamp"
LABEL = "late"
LATE_MINUTES = 15
HOURS_BEFORE_DEPARTURE = 2
SERVICE = "flight_delay"


def spine_query(known_by: datetime | None = None) -> str:
    """One row for each flight that landed, in the order of `flight_id`.

    `known_by` leaves out flights whose outcome was not yet known at that instant.

    Columns: flight_id int64; origin, dest, carrier, tailnum string; event_timestamp
    timestamp[us, UTC], two hours before scheduled departure; late int32, 1 when the flight arrived
    more than 15 minutes late. Cancelled and diverted flights have no label and are left out.
    """
    known = "" if known_by is None else f"AND outcome_known_at <= '{known_by.isoformat()}'"
    return f"""
        SELECT
          flight_id,
          origin,
          dest,
          carrier,
          tailnum,
          sched_dep_at - INTERVAL {HOURS_BEFORE_DEPARTURE} HOUR AS {TIME_COLUMN},
          CAST(arr_delay > {LATE_MINUTES} AS INTEGER) AS {LABEL}
        FROM flights
        WHERE arr_delay IS NOT NULL {known}
        ORDER BY flight_id
    """


def unlabelled_query() -> str:
    """How many flights the spine leaves out: columns reason (cancelled, diverted) and flights."""
    return """
        SELECT CASE WHEN cancelled THEN 'cancelled' ELSE 'diverted' END AS reason,
               COUNT(*) AS flights
        FROM flights
        WHERE arr_delay IS NULL
        GROUP BY ALL
        ORDER BY reason
    """
