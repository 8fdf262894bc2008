# Short names for what contributors do; `just` lists them. https://github.com/casey/just

default:
    @just --list

# Run the tests (all cores); `just test tests/motion` runs some of them.
test *args:
    uv run pytest {{args}}

# Run the tests that take less than a second each.
fast:
    uv run pytest -m "not slow"

# Check style and types.
lint:
    uv run ruff check .
    uv run ruff format --check .
    uv run mypy

# Mend style where a tool can.
fix:
    uv run ruff check --fix .
    uv run ruff format .

# Do what CI does.
ci:
    bash .ci/run

# Build the documentation into site/.
docs:
    uv run --only-group docs mkdocs build --strict

# Build the wheel, install it into an environment of its own, and run the demo there.
wheel:
    bash scripts/check_wheel.sh
