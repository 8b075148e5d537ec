from .engine import (
    EngineChoice as EngineChoice,
    Placed as Placed,
    Score as Score,
    Trainer as Trainer,
    choose_engine as choose_engine,
    load_engine as load_engine,
    silenced_stderr as silenced_stderr,
)
from .keras_engine import make_optimizer as make_optimizer
from .networks import (
    build_network as build_network,
    count_size as count_size,
)
from .provenance import (
    LOCK_NAME as LOCK_NAME,
    hash_code as hash_code,
    hash_lock as hash_lock,
    library_versions as library_versions,
    processor_name as processor_name,
    read_commit as read_commit,
    read_commit_again as read_commit_again,
)
