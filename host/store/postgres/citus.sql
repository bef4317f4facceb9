-- What an operator runs once, as the owner of the tables, to spread them over the nodes of a Citus cluster.
-- Documents and their text lie together, by `shard`; the small tables are everywhere.
-- The world of agents (world_events, world_snapshots, world_rules) stays as it is, in local tables of the coordinator:
-- one host writes it, event after event, and no statement joins it with anything.
SELECT create_reference_table('roots');
SELECT create_distributed_table('documents', 'shard');
SELECT create_distributed_table('contents', 'shard', colocate_with => 'documents');
-- What the retrieval mode `postgres` derives, beside its documents; terms have shards of their own.
SELECT create_distributed_table('chunks', 'shard', colocate_with => 'documents');
SELECT create_distributed_table('chunk_symbols', 'shard', colocate_with => 'documents');
SELECT create_distributed_table('chunk_terms', 'shard', colocate_with => 'none');
