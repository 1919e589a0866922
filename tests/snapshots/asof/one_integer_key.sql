SELECT epoch_us("at"::TIMESTAMP) FROM (SELECT min("at") AS "at" FROM read_parquet(['/warehouse/past.parquet']));

SELECT (CASE WHEN k0 BETWEEN 5 AND 9 THEN k0 - (5) END) AS code, event, pos FROM (SELECT * FROM (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, TRY_CAST("id" AS BIGINT) AS k0, epoch_us("at"::TIMESTAMP) AS event, coalesce(epoch_us("at"::TIMESTAMP), epoch_us("at"::TIMESTAMP)) AS created FROM read_parquet(['/warehouse/past.parquet']) WHERE "at" <= make_timestamp(3600086400000000)::TIMESTAMP AND "at" >= make_timestamp(-86400000000)::TIMESTAMP) WHERE k0 IS NOT NULL AND event IS NOT NULL) h WHERE event <= 3600000000000000 AND event >= 0 AND k0 BETWEEN 5 AND 9;

CREATE TEMP TABLE fh_history AS SELECT h.* FROM (SELECT * FROM (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, TRY_CAST("id" AS BIGINT) AS k0, epoch_us("at"::TIMESTAMP) AS event, coalesce(epoch_us("at"::TIMESTAMP), epoch_us("at"::TIMESTAMP)) AS created FROM read_parquet(['/warehouse/past.parquet'])) WHERE k0 IS NOT NULL AND event IS NOT NULL) h JOIN fh_same s ON s.code = (CASE WHEN k0 BETWEEN 5 AND 9 THEN k0 - (5) END) AND s.event = h.event AND s.created = h.created;

CREATE TEMP TABLE fh_tied AS SELECT h.pos, row_number() OVER (PARTITION BY h.k0, h.event, h.created ORDER BY CAST(p.c0 AS BIGINT[]) DESC NULLS LAST, CAST(p.c1 AS DOUBLE) DESC NULLS LAST, h.pos DESC) AS place FROM fh_history h JOIN (SELECT k0, event, created FROM fh_history GROUP BY k0, event, created HAVING count(*) > 1) t ON h.k0 = t.k0 AND h.event = t.event AND h.created = t.created JOIN (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, "we""ird" AS c0, "x" AS c1 FROM read_parquet(['/warehouse/past.parquet'])) p ON p.pos = h.pos;

DELETE FROM fh_history WHERE pos IN (SELECT pos FROM fh_tied WHERE place > 1);

SELECT s.slot, h.pos FROM fh_history h JOIN fh_same s ON s.code = (CASE WHEN k0 BETWEEN 5 AND 9 THEN k0 - (5) END) AND s.event = h.event AND s.created = h.created;

SELECT w.slot, CAST(p.c0 AS DOUBLE) AS v0 FROM (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, "x" AS c0 FROM read_parquet(['/warehouse/past.parquet'])) p JOIN fh_wanted w ON p.pos = w.pos;

CREATE TEMP TABLE fh_history AS SELECT * FROM (SELECT * FROM (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, TRY_CAST("id" AS BIGINT) AS k0, epoch_us("at"::TIMESTAMP) AS event, coalesce(epoch_us("at"::TIMESTAMP), epoch_us("at"::TIMESTAMP)) AS created FROM read_parquet(['/warehouse/past.parquet'])) WHERE k0 IS NOT NULL AND event IS NOT NULL);

SELECT 1 FROM fh_history GROUP BY k0, event, created HAVING count(*) > 1 LIMIT 1;

CREATE TEMP TABLE fh_wanted AS SELECT unnest(found) FROM (SELECT arg_max({'pos': pos, 'event': event, 'created': created}, (event::HUGEINT * 18446744073709551616 + created)) AS found FROM fh_history WHERE greatest(event, created) <= 3600000000 AND greatest(event, created) > 0 GROUP BY k0);
