import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.quantities import InstanceType, cpu_cores, instance_type, memory_bytes


@pytest.mark.parametrize(("text", "cores"), [("2", 2), ("500m", 0.5), ("1m", 0.001)])
def test_cpu_is_read_in_cores_or_thousandths(text: str, cores: float) -> None:
    assert cpu_cores(text) == cores


@pytest.mark.parametrize("text", ["", "0", "0m", "1.5", "-1", "2 cores", "m", "1k", " 1"])
def test_an_invalid_cpu_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a CPU quantity such as 2 or 500m"):
        cpu_cores(text)


@pytest.mark.parametrize(
    ("text", "size"), [("1Ki", 1024), ("512Mi", 536_870_912), ("2Gi", 2_147_483_648)]
)
def test_memory_is_read_in_bytes(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0Mi", "512", "512M", "1.5Gi", "-1Gi", "Gi"])
def test_an_invalid_memory_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a memory quantity such as 512Mi or 2Gi"):
        memory_bytes(text)


@given(st.integers(1, 2000))
def test_quantities_scale(number: int) -> None:
    assert cpu_cores(f"{number}") == pytest.approx(1000 * cpu_cores(f"{number}m"))
    assert memory_bytes(f"{number}Gi") == 1024 * memory_bytes(f"{number}Mi")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c7g.medium", InstanceType(1, 2, "arm64")),
        ("m7g.large", InstanceType(2, 8, "arm64")),
        ("m7i.large", InstanceType(2, 8, "x86_64")),
        ("r7g.large", InstanceType(2, 16, "arm64")),
        ("m7i-flex.xlarge", InstanceType(4, 16, "x86_64")),
        ("c6gn.2xlarge", InstanceType(8, 16, "arm64")),
        ("r6idn.4xlarge", InstanceType(16, 128, "x86_64")),
        ("c5.18xlarge", InstanceType(72, 144, "x86_64")),
        ("r8g.48xlarge", InstanceType(192, 1536, "arm64")),
        ("t4g.medium", InstanceType(2, 4, "arm64")),
        ("t3.large", InstanceType(2, 8, "x86_64")),
        ("t3.xlarge", InstanceType(4, 16, "x86_64")),
        ("t3a.2xlarge", InstanceType(8, 32, "x86_64")),
    ],
)
def test_an_instance_type_is_read_from_its_name(name: str, expected: InstanceType) -> None:
    assert instance_type(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "large",
        "p5.48xlarge",
        "m7g",
        "m7g.huge",
        "m7g.metal",
        "M7g.large",
        "m7g.1xlarge",
        "m7g.0xlarge",
        "m7g.8large",
    ],
)
def test_other_families_and_sizes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an instance type of the c, m, r or t families"):
        instance_type(name)


@pytest.mark.parametrize("name", ["t3.12xlarge", "t4g.4xlarge"])
def test_burstable_instances_come_in_few_sizes(name: str) -> None:
    with pytest.raises(ValueError, match="t instances come as medium, large, xlarge, 2xlarge"):
        instance_type(name)
