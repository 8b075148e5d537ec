"""Keep results on disk: paths, schemas, tables and the cache of trainings."""
