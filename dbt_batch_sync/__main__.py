"""`python -m dbt_batch_sync`."""

from dbt_batch_sync.cli import program

if __name__ == "__main__":
    program()
