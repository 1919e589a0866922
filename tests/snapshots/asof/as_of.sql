CREATE TEMP TABLE fh_history AS SELECT * FROM (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, TRY_CAST("id" AS BIGINT) AS k0, CAST("name" AS VARCHAR) AS k1, epoch_us("at"::TIMESTAMP) AS event, coalesce(epoch_us("known_at"::TIMESTAMPTZ), epoch_us("at"::TIMESTAMP)) AS created FROM read_parquet(['/warehouse/past.parquet'])) WHERE k0 IS NOT NULL AND k1 IS NOT NULL AND event IS NOT NULL AND created <= 1357002000000000;

SELECT 1 FROM fh_history GROUP BY k0, k1, event, created HAVING count(*) > 1 LIMIT 1;

CREATE TEMP TABLE fh_tied AS SELECT h.pos, row_number() OVER (PARTITION BY h.k0, h.k1, h.event, h.created ORDER BY CAST(p.c0 AS BIGINT[]) DESC NULLS LAST, CAST(p.c1 AS DOUBLE) DESC NULLS LAST, h.pos DESC) AS place FROM fh_history h JOIN (SELECT k0, k1, event, created FROM fh_history GROUP BY k0, k1, event, created HAVING count(*) > 1) t ON h.k0 = t.k0 AND h.k1 = t.k1 AND h.event = t.event AND h.created = t.created JOIN (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, "we""ird" AS c0, "x" AS c1 FROM read_parquet(['/warehouse/past.parquet'])) p ON p.pos = h.pos;

DELETE FROM fh_history WHERE pos IN (SELECT pos FROM fh_tied WHERE place > 1);

CREATE TEMP TABLE fh_visible AS SELECT k0, k1, seen, event, created, pos FROM (SELECT *, max(age) OVER (PARTITION BY k0, k1 ORDER BY seen, age DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS newest FROM (SELECT *, event AS seen, (event::HUGEINT * 18446744073709551616 + created) AS age FROM fh_history)) WHERE age = newest;

SELECT s.pos AS spine_pos, h.pos AS history_pos, h.event, h.created, h.event < s.t - 3600000000 AS expired FROM (SELECT * FROM fh_spine WHERE t IS NOT NULL) s ASOF JOIN fh_visible h ON s.k0 = h.k0 AND s.k1 = h.k1 AND s.t >= h.seen;

SELECT w.slot, CAST(p.c0 AS DOUBLE) AS v0 FROM (SELECT ((file_index::BIGINT << 40) + file_row_number) AS pos, "x" AS c0 FROM read_parquet(['/warehouse/past.parquet'])) p JOIN fh_wanted w ON p.pos = w.pos;

CREATE TEMP TABLE fh_wanted AS SELECT unnest(found) FROM (SELECT arg_max({'pos': pos, 'event': event, 'created': created}, (event::HUGEINT * 18446744073709551616 + created)) AS found FROM fh_history WHERE greatest(event, created) <= 3600000000 AND greatest(event, created) > 0 GROUP BY k0, k1);
